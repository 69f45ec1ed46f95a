"""The recommender from audio features alone, which answers while no model is live."""

import asyncio
import time
from collections.abc import Callable, Sequence

import numpy as np

from bot.storage import catalogue
from bot.storage.catalogue import TrackRow
from bot.storage.database import Database
from specrec.features import unknown_features
from specrec.serving import ContentRecommender, Track

LOOK_AGAIN_SECONDS = 20.0  # a catalogue that grows under a sync is not worth a new reading for every question


class ContentStore:
    """Owner of the one `ContentRecommender`: read from the catalogue when first asked for, again when that changed."""

    def __init__(self, database: Database, seconds: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._seconds = seconds
        self._reading = asyncio.Lock()
        self._recommender: ContentRecommender | None = None
        self._state: tuple[object, ...] = ()
        self._looked_at = 0.0

    async def get(self) -> ContentRecommender:
        """The recommender; at most twenty seconds behind the catalogue. One caller reads, the others wait for it."""
        async with self._reading:
            recommender, now = self._recommender, self._seconds()
            if recommender is not None and now - self._looked_at < LOOK_AGAIN_SECONDS:
                return recommender
            async with self._database.read() as connection:
                state = await catalogue.state(connection)
                if recommender is None or state != self._state:
                    rows = await catalogue.tracks(connection, catalogue.comparable())
                    recommender = await asyncio.to_thread(_recommender, rows)
            self._recommender, self._state, self._looked_at = recommender, state, now
            return recommender

    def forget(self) -> None:
        """A model is live: the memory is better used elsewhere."""
        self._recommender = None


def library_track(row: TrackRow) -> Track:
    """A track as the recommender library wants it."""
    if row.features is None:
        return Track(row.track_id, row.title, row.artists, unknown_features())
    return Track(row.track_id, row.title, row.artists, np.array(row.features, dtype=np.float32))


def _recommender(rows: Sequence[TrackRow]) -> ContentRecommender:
    return ContentRecommender([library_track(row) for row in rows])
