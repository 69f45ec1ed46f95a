"""Deleting a member: every row and token at once, and a date for what was trained with their data or copied before."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import Clock
from bot.errors import MemberError
from bot.storage import belongings
from bot.storage.belongings import Belonging
from bot.storage.database import Database
from bot.storage.interactions import count_tracks
from bot.storage.migrate import newest_backup
from bot.storage.training_members import Trained, condemn, versions_with

log = logging.getLogger(__name__)

NOTHING = "Nothing is held about you here, so there is nothing to delete."


class UnderWay(Protocol):
    """Something that may be at work for a person, or keep something of theirs, outside of the database."""

    async def forget(self, discord_id: str) -> None:
        """Once this returns nothing more of this person is stored, and what was kept for them is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was deleted, and what goes later: `versions` of the model by `models_by` (and so does that of a training
    that is `training` now), copies of the database by `backups_by`, None where there are none."""

    belongings: tuple[Belonging, ...]
    tracks: int
    versions: tuple[Trained, ...]
    training: bool
    models_by: datetime | None
    backups_by: datetime | None
    log_is_clean: bool  # False: deleted rows can be read in SQLite's log for some minutes


class DeletionService:
    """`keep_for`: how long versions and backups that hold deleted data may stay."""

    def __init__(self, database: Database, under_way: Sequence[UnderWay], keep_for: timedelta, clock: Clock) -> None:
        self._database = database
        self._under_way = under_way
        self._keep_for = keep_for
        self._clock = clock

    async def delete(self, discord_id: str) -> Receipt:
        """Raises `MemberError` where nothing is held.

        Whatever is under way finds the member gone: a sync and an import store nothing more, and the version of a
        training goes by the same date as those before it.
        """
        async with self._database.read() as connection:
            before = await belongings.belongings_of(connection, await belongings.person(connection, discord_id))
        if not before:
            raise MemberError(NOTHING)
        await self._forget(discord_id)
        backup = await newest_backup(self._database)  # one that is made later has nothing of them any more
        async with self._database.write() as connection:
            person = await belongings.person(connection, discord_id)
            now = await belongings.belongings_of(connection, person)
            versions: list[Trained] = []
            tracks, training, delete_by = 0, False, self._clock() + self._keep_for
            if person.member_id is not None:
                tracks = await count_tracks(connection, person.member_id)
                training = await condemn(connection, person.member_id, delete_by)
                versions = await versions_with(connection, person.member_id)
            await belongings.erase(connection, person)
        await self._forget(discord_id)  # what began meanwhile
        clean = await self._database.truncate_log()
        if not clean:
            log.warning("the write-ahead log is in use; what was deleted leaves it within minutes")
        log.info("a member deleted their data")
        dates = [version.delete_by for version in versions if version.delete_by is not None]
        return Receipt(
            tuple(_all_of(before, now)),
            tracks,
            tuple(versions),
            training,
            max([*dates, *([delete_by] if training else [])], default=None),
            None if backup is None else backup + self._keep_for,
            clean,
        )

    async def _forget(self, discord_id: str) -> None:
        for one in self._under_way:
            await one.forget(discord_id)


def _all_of(before: Sequence[Belonging], now: Sequence[Belonging]) -> list[Belonging]:
    """What was there in the end, and what was taken away on the way there, such as a page for uploads."""
    places = {(one.table, one.source) for one in now}
    return [*now, *(one for one in before if (one.table, one.source) not in places)]
