"""What an import yields, whatever door it came through, and what became of it.

A door (a file's parser, a service's pages) turns what it reads into `Listen`, `Kept` and `Skip`; `bot.storage.listens`
stores them, idempotently, in the transaction of whoever calls; `Counts` says what became of them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from specrec.interactions import Kind

COUNTS_FROM_MS = 30_000  # as Spotify itself counts a stream


class Skip(StrEnum):
    """Why something that was read is left out."""

    SHORT = "short"  # left before 30 seconds and before its end
    PRIVATE = "private"  # played in a private session
    NOT_MUSIC = "not_music"  # podcasts, audiobooks, videos
    NAMELESS = "nameless"  # the source does not say which track it was
    UNREADABLE = "unreadable"  # of another shape, or without a time that makes sense


class Song(NamedTuple):
    """A track as the source calls it. Texts are clean and cut (`bot.spotify.records.text`); with neither a Spotify id
    nor an ISRC that is known here it is looked for by its names."""

    title: str
    artist: str
    spotify_id: str | None = None
    isrc: str | None = None  # as `bot.spotify.records.isrc` makes it
    album: str | None = None
    mbid: str | None = None  # of the recording at MusicBrainz, for looking up the Spotify id


class Listen(NamedTuple):
    """One play. `at` is aware and in UTC: when it ended or began, as the source always says it, for the source's own
    listens are compared with one another only. A source that lists complete listens leaves out the last four."""

    song: Song
    at: datetime
    ms_played: int | None = None
    to_the_minute: bool = False  # `at` is rounded down to its minute, so that it may be known more exactly already
    ended: bool = True  # played to the track's end, or the source does not say
    skipped: bool | None = None  # None: not said
    private: bool = False

    def left_out(self, *, with_private: bool = False) -> Skip | None:
        """Why this play does not count, if it does not: thirty seconds, or all of a shorter track."""
        if self.private and not with_private:
            return Skip.PRIVATE
        if not self.ended and (self.ms_played is None or self.ms_played < COUNTS_FROM_MS):
            return Skip.SHORT
        return None


class Kept(NamedTuple):
    """A track in one of the member's lists: saved, loved, on a playlist. `listing` is the list's key, without the
    name that the member gave it."""

    song: Song
    kind: Kind
    listing: str
    at: datetime | None = None


Item = Listen | Kept | Skip


@dataclass(slots=True)
class Counts:
    """What became of everything that was read. `unmatched` are those of `new` whose track is not known here yet: they
    are stored, and count from the day when it is."""

    new: int = 0
    already_there: int = 0
    unmatched: int = 0
    skipped: Counter[Skip] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    """What could not be read at all and is not stored, one sentence for the member each."""

    def add(self, other: "Counts") -> None:
        self.new += other.new
        self.already_there += other.already_there
        self.unmatched += other.unmatched
        self.skipped.update(other.skipped)
        self.failed += other.failed


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that lies ready elsewhere; `size` in bytes. Its address is as good as a password."""

    name: str
    url: str = field(repr=False)
    size: int
