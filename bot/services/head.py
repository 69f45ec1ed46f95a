"""The first entries of a listing in which new ones come first: they stand for its state, as it has no snapshot id."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.spotify.records import Entry, Page


@dataclass(frozen=True, slots=True)
class Head:
    """`marks`: one for each usable entry of the first page; `entries` counts the others too."""

    total: int
    entries: int
    marks: tuple[str, ...]

    @classmethod
    def of(cls, first: Page[Entry]) -> "Head":
        return cls(-1 if first.total is None else first.total, first.entries, _marks(first))

    @classmethod
    def read(cls, text: str | None) -> "Head | None":
        """None for what is no head: nothing was read to the end, or another version of this bot wrote it."""
        parts = (text or "").split(":")
        if len(parts) != 3 or not parts[0].isdecimal() or not parts[1].isdecimal():
            return None
        return cls(int(parts[0]), int(parts[1]), tuple(parts[2].split(",")) if parts[2] else ())

    @property
    def text(self) -> str:
        return f"{self.total}:{self.entries}:{','.join(self.marks)}"

    def added(self, first: Page[Entry]) -> int | None:
        """How many entries came in front, going by the total; None where that cannot be all that happened."""
        if first.total is None or first.total < self.total:
            return None
        added = first.total - self.total
        exact = len(self.marks) == self.entries and not first.skipped
        return added if added == 0 or exact else None

    def continues(self, pages: Sequence[Page[Entry]], added: int) -> bool:
        """Whether this head stands at the place `added` of the pages read from the front, as far as they go."""
        if added == 0:
            return Head.of(pages[0]) == self
        if any(page.skipped for page in pages):
            return False
        behind = [mark for page in pages for mark in _marks(page)][added:]
        compared = min(len(behind), len(self.marks))
        return (compared > 0 or not self.marks) and tuple(behind[:compared]) == self.marks[:compared]


def _marks(page: Page[Entry]) -> tuple[str, ...]:
    return tuple(
        hashlib.sha256(repr((entry.track.spotify_id, entry.track.local, entry.at)).encode()).hexdigest()[:8]
        for entry in page.records
    )
