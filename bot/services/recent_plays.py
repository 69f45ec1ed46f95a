"""Which plays were counted, so that each counts once: phones that were offline hand in plays late, between others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

REMEMBERED = 200  # the newest; Spotify lists fifty
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Play = tuple[int, int]  # played at, in milliseconds; key of the track


@dataclass(frozen=True, slots=True)
class RecentPlays:
    """`floor`: everything up to that time was counted."""

    counted: frozenset[Play] = frozenset()
    floor: int = 0

    @classmethod
    def read(cls, cursor: Mapping[str, Any] | None) -> "RecentPlays":
        stored = cursor or {}
        plays = frozenset((int(at), int(track)) for at, track in stored.get("plays", ()))
        return cls(plays, int(stored.get("played_at_ms", 0)))

    def is_new(self, play: Play) -> bool:
        return play not in self.counted and play[0] > self.floor

    def and_also(self, plays: Iterable[Play]) -> "RecentPlays":
        """What falls out of the newest two hundred raises the floor: it must not come again."""
        every = sorted(self.counted | set(plays))
        dropped = every[:-REMEMBERED]
        return RecentPlays(frozenset(every[-REMEMBERED:]), max([self.floor, *(at for at, _ in dropped)]))

    @property
    def cursor(self) -> dict[str, Any]:
        return {"plays": [list(play) for play in sorted(self.counted)], "played_at_ms": self.floor}


def milliseconds(moment: datetime) -> int:
    return round((moment - _EPOCH) / timedelta(milliseconds=1))
