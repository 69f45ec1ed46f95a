"""What happens by itself: everybody's sync once an interval, stopped syncs going on, missing features, and whatever
else is to be done now and then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import AudioFeaturesError
from bot.services.connect import ConnectService
from bot.services.features import FeaturesService
from bot.services.sync import SyncService
from bot.sources import Source
from bot.storage.database import Database
from bot.storage.syncs import due_accounts

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0  # how late a due sync may begin
FEATURES_EVERY = timedelta(days=1)
FEATURES_RETRY = timedelta(minutes=30)  # after a source did not answer


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so often, at the start for the first time; where it returns False, soon again."""

    name: str
    every: timedelta
    do: Callable[[], Awaitable[object]]


class Daily:
    """Owner of three tasks. `syncs` is None on a host without Spotify. A chore that fails keeps nothing else from being
    done, and is done again when it is due.

    Members' syncs are due an interval after each one's last, so they stay spread over the day as the members linked,
    and they run one after another: whoever used least of Spotify's quota first, then whoever waited longest.
    """

    def __init__(
        self,
        database: Database,
        syncs: SyncService | None,
        connections: ConnectService,
        features: FeaturesService,
        clock: Clock,
        *,
        sync_interval: timedelta,
        chores: Sequence[Chore] = (),
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database = database
        self._syncs = syncs
        self._connections = connections
        self._features = features
        self._clock = clock
        self._sync_interval = sync_interval
        self._chores = chores
        self._due = {chore.name: clock() for chore in chores}
        self._look_every_s = look_every_s
        self._features_due = clock()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Other services do not wait for Spotify, whose quota may make a sync take hours."""
        self._tasks = [
            asyncio.create_task(self._repeat(self.tick), name="daily"),
            asyncio.create_task(self._repeat(self.collect), name="daily collections"),
            asyncio.create_task(self._repeat(self.do_chores), name="chores"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def collect(self) -> None:
        """Begin what is due from the services that members connected."""
        await self._connections.start_due(self._sync_interval)

    async def do_chores(self) -> None:
        """Those that are due."""
        for chore in self._chores:
            if self._clock() >= self._due[chore.name]:
                done = await self._do(chore)
                self._due[chore.name] = self._clock() + (chore.every if done else timedelta(0))

    async def tick(self) -> None:
        """The syncs that are due, and missing features."""
        if self._syncs is not None:
            await self._sync_all(self._syncs)
        now = self._clock()
        if self._features_are_due(now):
            self._features_due = now + FEATURES_EVERY
            try:
                await self._features.look_up(None)
            except AudioFeaturesError as error:
                log.info("audio features later: %s", error)

    async def _do(self, chore: Chore) -> bool:
        """False: it is to be tried again soon."""
        try:
            return await chore.do() is not False
        except Exception:
            log.exception("%s failed; it is tried again in %s", chore.name, chore.every)
            return True

    def _features_are_due(self, now: datetime) -> bool:
        """At the start, once a day, and some time after a source did not answer, here or in a sync."""
        failed_at = self._features.failed_at
        return now >= self._features_due or (failed_at is not None and now >= failed_at + FEATURES_RETRY)

    async def _sync_all(self, syncs: SyncService) -> None:
        """Each due account once. A sync never raises here: it keeps its reason with the account."""
        tried: set[int] = set()
        while True:
            now = self._clock()
            async with self._database.read() as connection:
                due = await due_accounts(connection, Source.SPOTIFY, now, now - self._sync_interval)
            rest = [one for one in due if one.id not in tried]
            if not rest:
                return
            account = min(rest, key=lambda one: syncs.used_lately(one.id))  # the first of equals
            tried.add(account.id)
            run, _ = syncs.start_account(account)
            await run.wait()

    async def _repeat(self, what: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await what()
            except Exception:
                log.exception("the daily task failed; it goes on")
            await asyncio.sleep(self._look_every_s)
