"""Taking a Spotify account away again: its tokens and everything that came from it, at once."""

import logging

from bot.errors import NotLinkedError
from bot.sources import Source
from bot.storage.accounts import Erased, erase_source
from bot.storage.database import Database
from bot.storage.link_requests import delete_requests
from bot.storage.members import member_of

__all__ = ["Erased", "UnlinkService"]

log = logging.getLogger(__name__)


class UnlinkService:
    """Needs no Spotify: it works too after the host took the settings away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unlink(self, discord_id: str) -> Erased:
        """What was deleted; likes and dislikes given in Discord stay. Raises `NotLinkedError`.

        Links that are under way end too. A sync that is under way finds its account gone and stores nothing more.
        """
        async with self._database.write() as connection:
            await delete_requests(connection, discord_id)
            member_id = await member_of(connection, discord_id)
            erased = None if member_id is None else await erase_source(connection, member_id, Source.SPOTIFY)
        if erased is None or not (erased.accounts or erased.listings):
            raise NotLinkedError("You have no Spotify account linked here, so there is nothing to delete.")
        if not await self._database.truncate_log():
            log.warning("the write-ahead log is in use; what was deleted leaves it with the next checkpoint")
        return erased
