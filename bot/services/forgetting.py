"""What has to go by a date: versions of the model that were trained with deleted data, old backups, SQLite's log.

A version that is condemned is replaced by a new training in good time. Whether that succeeds or not, it goes.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import BusyError, MemberError
from bot.model_store import ModelStore
from bot.services.model import ModelService
from bot.storage.database import Database
from bot.storage.migrate import prune_backups
from bot.storage.training_members import condemned

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0  # how late something may go
RETRAIN_AGAIN = timedelta(hours=12)  # after a training that did not replace the version


class Forgetting:
    """Owner of one task, beside the daily one, whose syncs take hours. `keep_for` is DELETE_FROM_MODELS_DAYS."""

    def __init__(
        self,
        database: Database,
        store: ModelStore,
        models: ModelService,
        keep_for: timedelta,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database = database
        self._store = store
        self._models = models
        self._keep_for = keep_for
        self._clock = clock
        self._look_every_s = look_every_s
        self._tried_at: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="forgetting")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tick(self) -> None:
        """Everything that is due now."""
        await prune_backups(self._database, self._clock, self._keep_for)
        await self._forget_versions()
        if self._database.log_is_due:
            await self._database.truncate_log()

    async def _forget_versions(self) -> None:
        """Once what answers is free of deleted data, the others go at once; else each by its own date."""
        async with self._database.read() as connection:
            found = await condemned(connection)
        if not found:
            return
        now = self._clock()
        live = next((one for one in found if one.is_live), None)
        gone = [one.version for one in found if one.delete_by <= now or live is None]
        if gone:
            await self._store.retire(gone)
        if live is not None and live.version not in gone:
            await self._replace(live.delete_by, now)

    async def _replace(self, delete_by: datetime, now: datetime) -> None:
        """Begin a training in the second half of the time, so that one serves for several members who leave."""
        if now < delete_by - self._keep_for / 2:
            return
        if self._tried_at is not None and now < self._tried_at + RETRAIN_AGAIN:
            return
        try:
            await self._models.retrain("")
        except BusyError as error:
            log.info("no training yet that leaves out deleted data: %s", error)
            return
        except MemberError as error:
            log.warning("no training that leaves out deleted data: %s", error)
        else:
            log.info("a training has started that leaves out deleted data")
        self._tried_at = now

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("forgetting failed; it is tried again")
            await asyncio.sleep(self._look_every_s)
