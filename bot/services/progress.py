"""How a sync is going, as it is shown while it goes and when it has ended."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.spotify.records import Skip


class Stage(StrEnum):
    STARTING = "starting"
    RECENT = "recently played"
    TOP = "top tracks"
    SAVED = "saved tracks"
    FOLLOWED = "followed artists"
    PLAYLISTS = "playlists"
    ARTISTS = "tracks of followed artists"
    FEATURES = "audio features"
    COMPLETE = "complete"
    STOPPED = "stopped"  # with the reason; goes on by itself where `resumes_at` says so
    UNLINKED = "unlinked"  # while it was under way

    @property
    def is_last(self) -> bool:
        return self in (Stage.COMPLETE, Stage.STOPPED, Stage.UNLINKED)


@dataclass
class Progress:
    """Counts of this sync only, except `tracks`."""

    stage: Stage = Stage.STARTING
    playlists: int = 0  # how many there are to read
    playlists_done: int = 0
    unchanged: int = 0  # listings that had not changed and were confirmed without reading
    entries: int = 0  # read, usable ones
    added: int = 0  # tracks new to a listing
    removed: int = 0  # rows that are gone at the source
    skipped: Counter[Skip] = field(default_factory=Counter)
    refused: int = 0  # listings that Spotify does not let this application read
    features_found: int = 0
    features_missing: int = 0  # still to look up, or not known to any source
    tracks: int = 0  # different tracks of the member, from every source, at the end
    reason: str | None = None  # why it stopped, in words for the member
    resumes_at: datetime | None = None
