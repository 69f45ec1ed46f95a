"""How collecting from a service of listens is going, as it is shown while it goes and when it has ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.imports.base import Counts
from bot.sources import Source


class ListenStage(StrEnum):
    STARTING = "starting"
    LISTENS = "listens"
    LOVED = "loved tracks"
    MATCHING = "looking up tracks"
    FEATURES = "audio features"
    COMPLETE = "complete"
    STOPPED = "stopped"  # with the reason; goes on by itself where `resumes_at` says so
    GONE = "gone"  # disconnected while it was under way

    @property
    def is_last(self) -> bool:
        return self in (ListenStage.COMPLETE, ListenStage.STOPPED, ListenStage.GONE)


@dataclass(slots=True)
class ListenProgress:
    """Counts of this time only, except `waiting` and `tracks`."""

    source: Source
    label: str  # the service's name as members know it
    stage: ListenStage = ListenStage.STARTING
    read: int = 0  # listens
    there: int | None = None  # listens that the service has altogether, where it says so
    counts: Counts = field(default_factory=Counts)  # of listens
    loved: int = 0  # loved tracks that are known here
    loved_unknown: int = 0
    looked_up: int = 0  # songs asked for …
    to_look_up: int = 0  # … of so many
    waiting: int = 0  # plays whose track is not known here yet
    tracks: int = 0  # different tracks of the member, from every source
    reason: str | None = None  # why it stopped, in words for the member
    resumes_at: datetime | None = None
