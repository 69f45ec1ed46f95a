"""A member's history as the serving side gets it, and what it comes to per track."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from specrec.catalogue import Track
from specrec.interactions import KIND_WEIGHTS, KINDS, Kind, taste_weight
from specrec.recency import recency


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One interaction of the member asked for.

    Give `track` where you have it: a track unknown to the model version still counts through its features and
    artists, and can be named in a reason. `count` is above 0.
    """

    track_id: str
    kind: Kind
    count: float = 1.0
    timestamp: datetime | None = None
    track: Track | None = None


@dataclass(frozen=True, slots=True)
class HistoryTrack:
    """One track of a history over all its kinds.

    `weight` is the taste weight: negative if the track is disliked, whatever else was done with it; 0 if it is only
    known. `kind` is the one that weighs most, for the reason's words.
    """

    track_id: str
    weight: float
    kind: Kind
    track: Track | None

    @property
    def disliked(self) -> bool:
        return self.weight < 0


def fold(history: Sequence[HistoryItem], half_life_days: float = inf) -> list[HistoryTrack]:
    """Sum a history per track, in the order of the track ids, so that the order of the items never matters; what is
    older than the newest item weighs less (`specrec.recency`)."""
    newest = max((item.timestamp for item in history if item.timestamp is not None), default=None)
    by_track: dict[str, list[HistoryItem]] = {}
    for item in history:
        by_track.setdefault(item.track_id, []).append(item)
    return [_fold_track(track_id, by_track[track_id], newest, half_life_days) for track_id in sorted(by_track)]


def _fold_track(
    track_id: str, items: list[HistoryItem], newest: datetime | None, half_life_days: float
) -> HistoryTrack:
    counts: dict[Kind, float] = {}
    times: dict[Kind, datetime] = {}
    for item in items:
        counts[item.kind] = counts.get(item.kind, 0.0) + item.count
        if item.timestamp is not None:
            times[item.kind] = max(item.timestamp, times.get(item.kind, item.timestamp))
    track = next((item.track for item in items if item.track is not None), None)
    if Kind.DISLIKED in counts:
        return HistoryTrack(track_id, taste_weight(Kind.DISLIKED, counts[Kind.DISLIKED]), Kind.DISLIKED, track)
    weight = 0.0
    for kind in sorted(counts):
        left = 1.0
        if newest is not None and kind in times and half_life_days < inf:
            left = float(recency((newest - times[kind]).total_seconds(), half_life_days))
        weight += left * taste_weight(kind, counts[kind])
    if len(counts) == 1:  # most
        return HistoryTrack(track_id, weight, items[0].kind, track)
    # What the member did themselves outranks a mere "known"; between equals the order of Kind decides.
    kind = max(sorted(counts, key=KINDS.index), key=lambda kind: (KIND_WEIGHTS[kind], counts[kind]))
    return HistoryTrack(track_id, weight, kind, track)
