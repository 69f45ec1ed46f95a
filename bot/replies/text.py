"""Text from members and from Spotify, made harmless: no markdown, no mentions, no hidden direction, no overlength."""

import unicodedata

_ESCAPED = frozenset("\\*_~`|<>@#")
_LOOKALIKE = str.maketrans("[]", "()")  # brackets would end the label of a link, escaped or not
_JOINERS = "\u200c\u200d"  # invisible like the rest, but emoji and Persian are made with them
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def plain(text: str, limit: int) -> str:
    """For places that show no markdown (labels of menus and buttons): one line of at most `limit` characters."""
    shown = " ".join("".join(_visible(char) for char in text[: 4 * limit]).split()).strip(_JOINERS)
    if len(shown) > limit:
        shown = shown[: limit - 1].rstrip() + "…"
    return shown


def escaped(text: str, limit: int) -> str:
    """For embeds and messages, also as a link's label: at most `limit` (8 or more) characters, as they are sent.

    A text that runs from right to left is kept together, so that it does not turn the numbers beside it round.
    """
    line = plain(text, limit)
    pieces = [_escape(char) for char in line.translate(_LOOKALIKE).replace("://", ":\u200b//")]
    turned = any(unicodedata.bidirectional(char) in ("R", "AL") for char in line)
    room = limit - (2 if turned else 0)
    if sum(map(len, pieces)) > room:
        while sum(map(len, pieces)) > room - 1:
            pieces.pop()
        pieces.append("…")
    shown = "".join(pieces)
    return f"{_ISOLATE}{shown}{_END_ISOLATE}" if turned else shown


def _visible(char: str) -> str:
    """Line breaks and tabs are spaces here; other control and format characters, overrides of the direction among
    them, are nothing."""
    if char in _JOINERS:
        return char
    category = unicodedata.category(char)
    if category == "Cc":
        return " "
    return "" if category in ("Cf", "Cs") else char


def _escape(char: str) -> str:
    return f"\\{char}" if char in _ESCAPED else char
