"""Taking an account away again, of Spotify or a connected service: everything that came from it, at once."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import NotLinkedError
from bot.sources import Source
from bot.storage.accounts import Erased, erase_source
from bot.storage.database import Database
from bot.storage.link_requests import delete_requests
from bot.storage.members import member_of
from bot.storage.migrate import newest_backup
from bot.storage.training_members import condemn, versions_with

__all__ = ["Erased", "UnlinkService", "Unlinked"]

log = logging.getLogger(__name__)

_NOTHING = {
    Source.SPOTIFY: "You have no Spotify account linked here, so there is nothing to delete.",
    Source.LISTENBRAINZ: "You have no ListenBrainz user connected here, so there is nothing to delete.",
    Source.LASTFM: "You have no Last.fm user connected here, so there is nothing to delete.",
}


@dataclass(frozen=True, slots=True)
class Unlinked:
    """What was deleted; `models_by`: when the last version of the model goes that was trained with it, if any was;
    `backups_by`: when the last copy of the database goes that holds it, if there is one."""

    erased: Erased
    models_by: datetime | None
    backups_by: datetime | None


class UnlinkService:
    """Needs no service: it works too after the host took the settings away. `keep_for` is how long versions of the
    model that were trained with what is deleted may stay."""

    def __init__(self, database: Database, keep_for: timedelta, clock: Clock) -> None:
        self._database = database
        self._keep_for = keep_for
        self._clock = clock

    async def unlink(self, discord_id: str, source: Source = Source.SPOTIFY) -> Unlinked:
        """Likes and dislikes given in Discord stay, and what came by other doors. Raises `NotLinkedError`.

        Links to Spotify that are under way end too. A sync that is under way finds its account gone and
        stores nothing more.
        """
        erased, delete_by = None, self._clock() + self._keep_for
        dates: list[datetime] = []
        backup = await newest_backup(self._database)
        async with self._database.write() as connection:
            if source is Source.SPOTIFY:
                await delete_requests(connection, discord_id)
            member_id = await member_of(connection, discord_id)
            if member_id is not None:
                training = await condemn(connection, member_id, delete_by, [source])
                trained = await versions_with(connection, member_id, [source])
                dates = [one.delete_by for one in trained if one.delete_by is not None] + [delete_by] * training
                erased = await erase_source(connection, member_id, source)
        if erased is None or not (erased.accounts or erased.listings):
            raise NotLinkedError(_NOTHING[source])
        if not await self._database.truncate_log():
            log.warning("the write-ahead log is in use; what was deleted leaves it with the next checkpoint")
        return Unlinked(erased, max(dates, default=None), None if backup is None else backup + self._keep_for)
