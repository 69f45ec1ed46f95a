"""Members' rights over what is held of them: to see it, to pause it, to say what the shared model may learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import MemberError
from bot.sources import Source
from bot.storage import belongings
from bot.storage.accounts import Linked, linked_accounts
from bot.storage.belongings import Belonging, Person
from bot.storage.database import Connection, Database
from bot.storage.interactions import count_tracks
from bot.storage.members import ensure_member, paused_since, set_paused
from bot.storage.migrate import newest_backup
from bot.storage.training_members import Trained, versions_with
from bot.storage.training_refusals import allow, refusals_of, refuse

__all__ = ["Allowance", "Belonging", "Overview", "PrivacyService"]

NOTHING = "Nothing is held about you here, and nothing is collected before you type /link or /import."


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether one source may train the shared model: it does where both say so."""

    source: Source
    host: bool
    member: bool

    @property
    def trains(self) -> bool:
        return self.host and self.member


@dataclass(frozen=True, slots=True)
class Overview:
    """What is held of a person. `versions` were trained with some of it; copies of the database go by `backups_by`,
    None where there are none."""

    belongings: tuple[Belonging, ...]
    tracks: int  # different ones
    accounts: tuple[Linked, ...]
    paused_since: datetime | None
    training: tuple[Allowance, ...]
    versions: tuple[Trained, ...]
    backups_by: datetime | None


class PrivacyService:
    """`sources` are TRAINING_SOURCES; `keep_for` is how long copies of the database are kept."""

    def __init__(self, database: Database, sources: Sequence[Source], keep_for: timedelta, clock: Clock) -> None:
        self._database = database
        self._sources = sources
        self._keep_for = keep_for
        self._clock = clock

    async def overview(self, discord_id: str) -> Overview:
        async with self._database.read() as connection:
            return await self.read(connection, await belongings.person(connection, discord_id))

    async def read(self, connection: Connection, of: Person) -> Overview:
        """`overview` within a transaction."""
        held = await belongings.belongings_of(connection, of)
        tracks, accounts, versions = 0, list[Linked](), list[Trained]()
        if of.member_id is not None:
            tracks = await count_tracks(connection, of.member_id)
            accounts = await linked_accounts(connection, of.member_id)
            versions = await versions_with(connection, of.member_id)
        backup = await newest_backup(self._database) if held else None
        return Overview(
            tuple(held),
            tracks,
            tuple(accounts),
            await paused_since(connection, of.discord_id),
            await self._training(connection, of.member_id),
            tuple(versions),
            None if backup is None else backup + self._keep_for,
        )

    async def pause(self, discord_id: str) -> None:
        """Keep everything, collect nothing more, leave it out of the next training. Raises `MemberError` where there
        is nothing to pause."""
        async with self._database.write() as connection:
            person = await belongings.person(connection, discord_id)
            if person.member_id is None:
                raise MemberError(NOTHING)
            if await paused_since(connection, discord_id) is None:
                await set_paused(connection, person.member_id, self._clock())

    async def resume(self, discord_id: str) -> None:
        """Raises `MemberError` for somebody who has not paused."""
        async with self._database.write() as connection:
            person = await belongings.person(connection, discord_id)
            if person.member_id is None or await paused_since(connection, discord_id) is None:
                raise MemberError(
                    "You have not paused, so there is nothing to resume. /privacy show says what is held."
                )
            await set_paused(connection, person.member_id, None)

    async def training(self, discord_id: str) -> tuple[Allowance, ...]:
        async with self._database.read() as connection:
            return await self._training(connection, (await belongings.person(connection, discord_id)).member_id)

    async def set_training(self, discord_id: str, sources: Sequence[Source], *, allowed: bool) -> tuple[Allowance, ...]:
        """From the next training on; also for sources that nothing came from yet."""
        async with self._database.write() as connection:
            member_id = await ensure_member(connection, discord_id, self._clock())
            if allowed:
                await allow(connection, member_id, sources)
            else:
                await refuse(connection, member_id, sources, self._clock())
            return await self._training(connection, member_id)

    async def _training(self, connection: Connection, member_id: int | None) -> tuple[Allowance, ...]:
        refused = {} if member_id is None else await refusals_of(connection, member_id)
        return tuple(Allowance(source, source in self._sources, source not in refused) for source in Source)
