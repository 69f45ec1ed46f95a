"""A list of recommendations read off the bot's message: what a member sees, and nothing else."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sandbox.discord.message import Message
from sandbox.markdown import plain

_FIRST = re.compile(r"\*\*(?P<rank>\d+)\.\*\* \[(?P<title>(?:\\.|[^\]\\])+)\]\((?P<url>[^)]+)\)(?: · (?P<artist>.+))?")
_LINK = re.compile(r"https://open\.spotify\.com/track/(?P<id>[0-9A-Za-z]{22})")
_SECOND = re.compile(r"(?P<match>\d{1,3}) % match(?P<known> · known)?(?: · (?P<reason>.+))?")


class RecommendedLine(NamedTuple):
    """One of the ten. `match` is 0-1 in steps of a hundredth, as it is shown."""

    rank: int
    track_id: str
    title: str
    artist: str
    match: float
    reason: str
    known: bool


class UnreadableList(ValueError):  # noqa: N818 - says what the message is
    """The message is no list of recommendations, or a line of it lacks something."""


def ten_lines(message: Message) -> Sequence[RecommendedLine]:
    """The lines of a list, first to last.

    :raises UnreadableList: naming the line that could not be read.
    """
    text = message.embeds[0].get("description", "") if message.embeds else ""
    rows = text.split("\n")
    starts = [place for place, row in enumerate(rows) if re.match(r"\*\*\d+\.\*\* ", row)]
    if not starts:
        raise UnreadableList(f"no recommendations, but: {' '.join(plain(message.text).split())}")
    return [_line(rows[place], rows[place + 1] if place + 1 < len(rows) else "") for place in starts]


def _line(first: str, second: str) -> RecommendedLine:
    head, body = _FIRST.fullmatch(first), _SECOND.fullmatch(second)
    link = _LINK.fullmatch(head["url"]) if head else None
    if head is None or link is None or head["artist"] is None:
        raise UnreadableList(f"a line without rank, title, link to Spotify or artist: {first}")
    if body is None or body["reason"] is None:
        raise UnreadableList(f"a line without match or reason: {first} / {second}")
    return RecommendedLine(
        rank=int(head["rank"]),
        track_id=link["id"],
        title=plain(head["title"]),
        artist=plain(head["artist"]),
        match=int(body["match"]) / 100,
        reason=plain(body["reason"]),
        known=body["known"] is not None,
    )
