"""Finding the tracks that plays without a Spotify id mean: by asking for the id, a batch at a time, each song once a
month; and by what has become known here since."""

import asyncio
import logging
from datetime import timedelta

from bot.clock import Clock
from bot.errors import ServiceError
from bot.imports.listen_service import SpotifyIds
from bot.services.listen_progress import ListenProgress
from bot.sources import Source
from bot.storage.database import Database
from bot.storage.listens import match_waiting
from bot.storage.lookups import count_unasked, learn, unasked

log = logging.getLogger(__name__)

MISS_LIFE = timedelta(days=30)  # a song that nobody knew is not asked for again before


class Matcher:
    """`ids` is None on a host that asks nobody."""

    def __init__(self, database: Database, ids: SpotifyIds | None, clock: Clock) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()  # members wait for the same songs: nothing is asked twice

    async def match(self, progress: ListenProgress | None = None) -> int:
        """Everybody's waiting plays, as far as can be. Returns how many got their track. Never raises because nobody
        answers: what was not asked is asked next time."""
        async with self._one_at_a_time:
            await self._ask(progress)
            async with self._database.write() as connection:
                return await match_waiting(connection, self._clock())

    async def _ask(self, progress: ListenProgress | None) -> None:
        if self._ids is None:
            return
        asked_before = self._clock() - MISS_LIFE
        if progress is not None:
            async with self._database.read() as connection:
                progress.to_look_up = await count_unasked(connection, asked_before)
        while True:
            async with self._database.read() as connection:
                batch = await unasked(connection, asked_before, self._ids.batch)
            if not batch:
                return
            try:
                places = await self._ids.look_up([one.song for one in batch])
            except ServiceError as error:
                log.info("Spotify ids later: %s", error)
                return
            found = {batch[place].id: identity for place, identity in places.items()}
            now = self._clock()
            async with self._database.write() as connection:
                await learn(connection, batch, found, Source.LISTENBRAINZ, now)
                await match_waiting(connection, now)
            if progress is not None:
                progress.looked_up += len(batch)
