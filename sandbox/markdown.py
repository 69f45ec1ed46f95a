"""Discord's markdown, as far as the bot writes it, taken apart for showing it elsewhere."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A piece of text that looks one way. `url` is where a click leads."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    small: bool = False
    url: str | None = None


_TOKEN = re.compile(
    r"""\\(?P<escaped>[^\w\s]|_)
      | ```(?:\w+\n)?(?P<block>.+?)```
      | `(?P<code>[^`]+)`
      | \[(?P<label>(?:\\.|[^\]\\])+)\]\(<?(?P<url>https?://[^\s)>]+)>?\)
      | \*\*(?P<bold>(?:\\.|[^\\])+?)\*\*
      | (?<!\w)_(?P<underlined>(?:\\.|[^\\_])+)_(?!\w)
      | \*(?P<starred>(?:\\.|[^\\*])+)\*
      | <(?P<bare>https?://[^\s>]+)>
      | <@!?(?P<user>\d+)>
      | <t:(?P<time>\d+)(?::[tTdDfFR])?>
      | </(?P<command>[^:>]+):\d+>""",
    re.DOTALL | re.VERBOSE,
)
_BLOCK_START = re.compile(r"(?P<small>-#\s+)|(?P<heading>#{1,3}\s+)|(?P<bullet>\s*[-*]\s+)")


def spans(text: str, name_of: Callable[[str], str] = str, time_of: Callable[[int], str] = str) -> Iterator[Span]:
    """The pieces from first to last, line breaks among them.

    :param name_of: the name of the user with an id.
    :param time_of: Unix seconds as people read them.
    """
    for number, line in enumerate(text.split("\n")):
        if number:
            yield Span("\n")
        start = _BLOCK_START.match(line)
        base = Span("", small=bool(start and start["small"]), bold=bool(start and start["heading"]))
        if start:
            if start["bullet"]:
                yield base._replace(text="• ")
            line = line[start.end() :]
        yield from _inline(line, base, name_of, time_of)


def plain(text: str) -> str:
    """The text alone, without its marks."""
    return "".join(span.text for span in spans(text))


def _inline(text: str, base: Span, name_of: Callable[[str], str], time_of: Callable[[int], str]) -> Iterator[Span]:
    done = 0
    for found in _TOKEN.finditer(text):
        if found.start() > done:
            yield base._replace(text=text[done : found.start()])
        done = found.end()
        kind, inside = found.lastgroup, found[found.lastgroup or 0]
        match kind:
            case "bold":
                yield from _inline(inside, base._replace(bold=True), name_of, time_of)
            case "underlined" | "starred":
                yield from _inline(inside, base._replace(italic=True), name_of, time_of)
            case "url":
                yield from _inline(found["label"], base._replace(url=inside), name_of, time_of)
            case "code" | "block":
                yield base._replace(text=inside, code=True)
            case "bare":
                yield base._replace(text=inside, url=inside)
            case "user":
                yield base._replace(text=f"@{name_of(inside)}", bold=True)
            case "time":
                yield base._replace(text=time_of(int(inside)))
            case "command":
                yield base._replace(text=f"/{inside}", code=True)
            case _:
                yield base._replace(text=inside)
    if done < len(text):
        yield base._replace(text=text[done:])
