"""Looking up the audio features that tracks lack, a batch at a time; stopped and gone on with at any batch."""

import asyncio
from dataclasses import asdict
from datetime import datetime, timedelta

from bot.audio_features.base import Wanted
from bot.audio_features.chain import Chain
from bot.clock import Clock
from bot.errors import AudioFeaturesError
from bot.services.progress import Progress
from bot.storage.audio_features import missing_features, store_features
from bot.storage.database import Database

MISS_LIFE = timedelta(hours=24)  # new releases become known sooner or later


class FeaturesService:
    def __init__(self, database: Database, chain: Chain, clock: Clock) -> None:
        self._database = database
        self._chain = chain
        self._clock = clock
        self.failed_at: datetime | None = None  # when a source last did not answer; None once all was looked up
        self._one_at_a_time = asyncio.Lock()  # members share tracks: nothing is asked twice

    async def look_up(self, member_id: int | None, progress: Progress | None = None) -> None:
        """Everything that this member's tracks lack; None: everybody's. Raises `AudioFeaturesError` when a source does
        not answer; what was found until then is stored."""
        try:
            await self._look_up(member_id, progress)
        except AudioFeaturesError:
            self.failed_at = self._clock()
            raise
        if member_id is None:
            self.failed_at = None

    async def _look_up(self, member_id: int | None, progress: Progress | None) -> None:
        while True:
            async with self._one_at_a_time:
                async with self._database.read() as connection:
                    missing = await missing_features(
                        connection,
                        self._chain.names,
                        self._clock() - MISS_LIFE,
                        member_id=member_id,
                        limit=self._chain.batch,
                    )
                if not missing:
                    return
                wanted = [Wanted(one.track_id, one.spotify_id, one.missed_by) for one in missing]
                async for answer in self._chain.look_up(wanted):
                    found = {track_id: asdict(features) for track_id, features in answer.found.items()}
                    async with self._database.write() as connection:
                        await store_features(connection, answer.source, answer.asked, found, self._clock())
                    if progress is not None:
                        progress.features_found += len(answer.found)
                        progress.features_missing += len(answer.asked) - len(answer.found)
