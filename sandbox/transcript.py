"""What happens in the sandbox's Discord, for reading in a terminal: who typed what, and what the bot replied."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from sandbox.discord.message import Message
from sandbox.markdown import spans
from sandbox.ten_lines import RecommendedLine

WIDEST = 110
GREY = "grey50"
_ACCENT = Style(color="#5865f2", bold=True)
_BAR = re.compile("[▰▱]+")

Json = Mapping[str, Any]


class Transcript:
    """Writes to one console.

    :param name_of: the name of the user with an id, for mentions.
    """

    def __init__(self, console: Console, name_of: Callable[[str], str]) -> None:
        self._console = console
        self._name_of = name_of
        self._shown: dict[str, str] = {}
        """message id -> the text that was shown of it last"""
        self._bars: dict[str, list[str]] = {}
        """message id -> its progress bars as they were shown last"""

    def title(self, text: str) -> None:
        self._print(Text(text, style="bold"))

    def heading(self, text: str) -> None:
        self._print("")
        self._print(Rule(Text(text, style="bold"), align="left", style=GREY))

    def note(self, text: str) -> None:
        """What happens outside Discord."""
        self._print(Text(text, style=GREY))

    def problem(self, text: str) -> None:
        self._print(Text(text, style="red"))

    def typed(self, name: str, text: str, where: str = "#general") -> None:
        """Somebody types a command, or presses something."""
        self._print("")
        self._print(Text.assemble((name, _ACCENT), "  ", text, (f"   {where}", GREY)))

    def reply(self, message: Message, *, content: str | None = None) -> None:
        """A message of the bot. Of an edited one only what is new: not the same embed's text once more, and nothing of
        a progress bar that stands where it stood.

        :param content: the message's text as it was, where it has changed since.
        """
        description = "".join(embed.get("description", "") for embed in message.embeds)
        before, self._shown[message.id] = self._shown.get(message.id), description
        text = message.content if content is None else content
        bars, self._bars[message.id] = self._bars.get(message.id), _BAR.findall(text)
        if before is not None and not message.embeds:
            if bars and bars == self._bars[message.id]:
                return
            return self._print(_indented(self._text("   ".join(text.split("\n", 1)) if text.count("\n") < 2 else text)))
        same = bool(description) and before == description
        self._author(message, edited=same)
        parts: list[RenderableType] = [self._text(text)] if text else []
        parts += [_Barred(self._embed(embed, same), _colour(embed)) for embed in message.embeds]
        parts += [Text(f"📎 {attachment.filename}") for attachment in message.attachments]
        self._print(_indented(Group(*parts, *_controls(message))))

    def ten_in_short(self, message: Message, lines: Sequence[RecommendedLine]) -> None:
        """A list of recommendations without the reasons: one line each."""
        self._author(message)
        rows = Table.grid(padding=(0, 2, 0, 0))
        rows.add_column(justify="right")
        for line in lines:
            known = Text("known" if line.known else "", style=GREY)
            rows.add_row(str(line.rank), f"{line.title} · {line.artist}", f"{line.match:.0%}", known)
        embed = message.embeds[0]
        self._print(_indented(_Barred(Group(Text(embed["title"], style="bold"), rows), _colour(embed))))

    def _author(self, message: Message, *, edited: bool = False) -> None:
        self._print(Text.assemble((message.author.name, "bold green"), (_sight(message, edited=edited), GREY)))

    def _embed(self, embed: Json, without_description: bool) -> RenderableType:
        parts: list[RenderableType] = []
        if "author" in embed:
            parts.append(Text(embed["author"]["name"], style="bold"))
        if "title" in embed:
            parts.append(Text(embed["title"], style="bold"))
        if "description" in embed and not without_description:
            parts.append(self._text(embed["description"]))
        for field in embed.get("fields", []):
            parts += [Text(""), Text(field["name"], style="bold"), self._text(field["value"])]
        if embed.get("footer", {}).get("text") and not without_description:
            parts.append(Text(embed["footer"]["text"], style=GREY))
        return Group(*parts)

    def _text(self, text: str) -> Text:
        result = Text()
        for span in spans(text, self._name_of, _moment):
            style = Style(
                bold=span.bold or None,
                italic=span.italic or None,
                dim=span.small or None,
                color="cyan" if span.code else None,
                link=span.url,
            )
            result.append(span.text, style)
        return result

    def _print(self, thing: RenderableType) -> None:
        self._console.print(thing, width=min(self._console.width, WIDEST), highlight=False)


class _Barred:
    """Something with a coloured bar at its left, as Discord draws embeds."""

    def __init__(self, inside: RenderableType, colour: str) -> None:
        self._inside = inside
        self._bar = Segment("▎ ", Style(color=colour))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        inner = options.update(width=options.max_width - 2)
        for line in console.render_lines(self._inside, inner, pad=False):
            yield self._bar
            yield from line
            yield Segment.line()


def _indented(thing: RenderableType) -> Padding:
    return Padding(thing, (0, 0, 0, 2), expand=False)


def _sight(message: Message, *, edited: bool) -> str:
    """Who sees it, if not everybody."""
    words = []
    if message.channel.recipient is not None:
        words.append(f"direct message to {message.channel.recipient.name}")
    elif message.ephemeral and message.seen_by is not None:
        words.append(f"only {message.seen_by.name} sees this")
    if edited:
        words.append("edited")
    return "   " + ", ".join(words) if words else ""


def _controls(message: Message) -> list[Text]:
    """Menus and buttons as rows of labels."""
    menus = [f"▾ {menu.get('placeholder') or 'choose'}" for menu in message.selects]
    buttons = [
        " ".join(part for part in (button.emoji, button.label, "↗" if button.url else "") if part)
        for button in message.buttons
        if not button.disabled
    ]
    return [Text("   ").join(Text(f"[{label}]", style=GREY) for label in row) for row in (menus, buttons) if row]


def _colour(embed: Json) -> str:
    return f"#{embed.get('color') or 0x4E5058:06x}"


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%d %b, %H:%M} UTC"
