"""Spotify's terms allow no keeping for ever: what its API gave and no listing confirmed for so long is removed.

Plays stay as long as the link lives, because no listing can confirm them: Spotify forgets all but the last fifty.
"""

import logging
from datetime import timedelta

from bot.clock import Clock
from bot.sources import Source
from bot.storage.database import Database
from bot.storage.retention import Removed, forget_unconfirmed, strip_unheld

log = logging.getLogger(__name__)


class RetentionService:
    """Once a day. `keep`: SPOTIFY_RETENTION_DAYS."""

    def __init__(self, database: Database, keep: timedelta, clock: Clock) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock

    async def sweep(self) -> Removed:
        before = self._clock() - self._keep
        async with self._database.write() as connection:
            interactions, follows = await forget_unconfirmed(connection, Source.SPOTIFY, before)
        async with self._database.write() as connection:
            tracks = await strip_unheld(connection, Source.SPOTIFY, before)
        removed = Removed(interactions, follows, tracks)
        if removed:
            log.info(
                "removed what Spotify did not confirm any more: %d rows, %d follows, the details of %d tracks",
                interactions,
                follows,
                tracks,
            )
            await self._database.truncate_log()
        return removed
