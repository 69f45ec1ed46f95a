"""A member's own list: their history as it is now, folded into what is live."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Protocol

from bot.services.content import ContentStore, library_track
from bot.services.feedback import FeedbackService, Given
from bot.services.status import Next, StatusService
from bot.storage import snapshots
from bot.storage.catalogue import TrackRow, popular, tracks_by_id
from bot.storage.database import Database
from bot.storage.history import HistoryRow, history_of
from specrec.interactions import KIND_WEIGHTS, Kind
from specrec.serving import HistoryItem, ListKind, Recommendation, Recommender

TOP = 10
POPULAR = 100  # of which a first list takes ten, one an artist


class Models(Protocol):
    """Where the live version comes from: `bot.model_store.ModelStore`."""

    async def live(self) -> Recommender | None: ...


class Basis(StrEnum):
    """What a list is made from."""

    MODEL = "model"
    TASTE = "taste"  # no model is live: the taste profile alone
    START = "start"  # nothing is known of the member's taste: what many members have, to like or dislike


@dataclass(frozen=True, slots=True)
class Line:
    """`match` is 0-1, None where nothing is known of the member; `reason` is plain text, "" when there is none.
    `unheard`: nobody here has the track."""

    rank: int
    track_id: str
    title: str
    artists: tuple[str, ...]
    spotify_id: str | None
    match: float | None
    known: bool
    reason: str
    unheard: bool = False


@dataclass(frozen=True, slots=True)
class TrackList:
    """What /recommend shows: at most ten lines. `next` is set when there is no taste to go by."""

    lines: tuple[Line, ...]
    kind: ListKind
    basis: Basis
    given: dict[str, Given]
    history: int  # tracks on record …
    heard: int  # … and of how many it is known how they sound
    next: Next | None = None


class RecommendService:
    def __init__(
        self,
        database: Database,
        models: Models,
        content: ContentStore,
        feedback: FeedbackService,
        status: StatusService,
        explore: int = 0,
    ) -> None:
        """`explore` of the ten places are kept for tracks that nobody here has yet."""
        self._database = database
        self._models = models
        self._content = content
        self._feedback = feedback
        self._status = status
        self._explore = explore

    async def recommend(self, discord_id: str, kind: ListKind = "mix") -> TrackList:
        """The list of whoever asks, also of somebody never seen before. A like of a second ago counts."""
        async with self._database.read() as connection:
            history = await history_of(connection, discord_id)
        if not any(KIND_WEIGHTS[Kind(row.kind)] > 0 for row in history):
            return await self._first_list(discord_id, history, kind)
        model = await self._models.live()
        recommender = model if model is not None else await self._content.get()
        if model is not None:
            self._content.forget()
        strange = list({row.track_id: None for row in history if not recommender.knows(row.track_id)})
        async with self._database.read() as connection:
            brought = await tracks_by_id(connection, strange)
        found = await asyncio.to_thread(_recommend, recommender, history, brought, kind, self._explore)
        async with self._database.read() as connection:
            rows = await tracks_by_id(connection, [one.track_id for one in found])
            # Somebody may have come to a track since the version was trained.
            unheard = await snapshots.unheard(connection, [one.track_id for one in found if one.unheard])
        shown = [(one, rows[one.track_id]) for one in found if one.track_id in rows]
        lines = [_line(place, one, row, one.track_id in unheard) for place, (one, row) in enumerate(shown, 1)]
        basis = Basis.TASTE if model is None else Basis.MODEL
        silent = sum(track_id not in brought or brought[track_id].features is None for track_id in strange)
        return await self._list(discord_id, lines, kind, basis, history, silent=silent)

    async def _first_list(self, discord_id: str, history: list[HistoryRow], kind: ListKind) -> TrackList:
        """Something to like or dislike: what most members have, one track an artist, without what was rated."""
        rated = {row.track_id for row in history}
        async with self._database.read() as connection:
            track_ids = [track_id for track_id in await popular(connection, POPULAR) if track_id not in rated]
            rows = await tracks_by_id(connection, track_ids)
        lines: list[Line] = []
        artists: set[str] = set()
        for row in (rows[track_id] for track_id in track_ids if track_id in rows):
            if len(lines) < TOP and artists.isdisjoint(row.artists):
                artists.update(row.artists)
                place = len(lines) + 1
                lines.append(Line(place, row.track_id, row.title, row.artists, row.spotify_id, None, False, ""))
        status = await self._status.status(discord_id)
        return await self._list(discord_id, lines, kind, Basis.START, history, following=status.next)

    async def _list(
        self,
        discord_id: str,
        lines: Sequence[Line],
        kind: ListKind,
        basis: Basis,
        history: list[HistoryRow],
        *,
        silent: int = 0,
        following: Next | None = None,
    ) -> TrackList:
        given = await self._feedback.given(discord_id, [line.track_id for line in lines])
        size = len({row.track_id for row in history})
        return TrackList(tuple(lines), kind, basis, given, size, size - silent, following)


def _recommend(
    recommender: Recommender,
    history: Sequence[HistoryRow],
    brought: Mapping[str, TrackRow],
    kind: ListKind,
    explore: int,
) -> list[Recommendation]:
    """Runs in a thread: numpy, and thousands of small objects. `brought` is what the recommender does not know."""
    tracks = {track_id: library_track(row) for track_id, row in brought.items()}
    items = [
        HistoryItem(row.track_id, Kind(row.kind), float(row.count), row.occurred_at, tracks.get(row.track_id))
        for row in history
    ]
    return recommender.recommend(items, top=TOP, kind=kind, explore=explore)


def _line(place: int, one: Recommendation, row: TrackRow, unheard: bool) -> Line:
    match = one.match if isfinite(one.match) else None
    return Line(place, row.track_id, row.title, row.artists, row.spotify_id, match, one.known, one.reason, unheard)
