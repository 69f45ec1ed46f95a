"""A reply of the bot as a page that looks as it does in Discord. The README's picture is made with

python -m sandbox --once --picture recommend.html
chromium --headless --no-sandbox --force-device-scale-factor=2 --window-size=754,905 \
    --screenshot=docs/recommend.png recommend.html

with the fonts Noto Sans and Noto Color Emoji.
"""

from pathlib import Path

import jinja2

from sandbox.discord_server import Message
from sandbox.markdown import spans

_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("pages")), autoescape=True, undefined=jinja2.StrictUndefined
)


def picture(message: Message, name: str) -> str:
    """HTML of a list of recommendations that `name` asked for."""
    colour = f"#{message.embeds[0].get('color') or 0x4E5058:06x}"
    return _pages.get_template("picture.html").render(message=message, name=name, colour=colour, pieces=spans)
