"""The shared model: who may train it, when, one run at a time over all processes, and what is live."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.clock import Clock
from bot.errors import BusyError, MemberError, NotAllowedError
from bot.jobs.base import Executor
from bot.jobs.lock import RunLock
from bot.model_store import LiveModel, ModelStore
from bot.services.training import CANCELLED, STOPPED, Training, remove_leftovers
from bot.sources import Source
from bot.storage import snapshots, training_runs
from bot.storage.database import Database
from bot.storage.snapshots import Size
from bot.storage.training_runs import TrainingRun

log = logging.getLogger(__name__)

DEAD_AFTER = timedelta(seconds=60)  # without a heartbeat, where the lock cannot tell
MIN_MEMBERS = 2  # a model learns what members share
MIN_TRACKS = 20  # enough for two different lists of ten


@dataclass(frozen=True, slots=True)
class Asker:
    """Who typed a command: `guild_id` is where (None: a direct message), `manages_guild` whether they may there."""

    is_owner: bool
    guild_id: str | None
    manages_guild: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What the host's settings say about training."""

    sources: Sequence[Source]
    cooldown: timedelta
    timeout: timedelta
    home_guild_id: str | None = None


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """`running` and `last` are the run under way and the one that ended last; `size` is what could be trained on."""

    live: LiveModel | None
    running: TrainingRun | None
    last: TrainingRun | None
    size: Size


class ModelService:
    """`open` at the start, `close` at the end; `retrain` hands out the run that it started."""

    def __init__(self, database: Database, store: ModelStore, executor: Executor, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._executor = executor
        self._limits = limits
        self._clock = clock
        self._lock = RunLock(store.directory / ".training.lock")
        self._training: Training | None = None
        self._starting = asyncio.Lock()
        self._closed = False
        self._interrupted: list[TrainingRun] = []

    async def open(self) -> None:
        """Mark what an earlier process left unfinished, unless another one is at it."""
        await self._store.open()
        if await asyncio.to_thread(self._lock.acquire):
            try:
                await self._bury_dead()
            finally:
                self._lock.release()

    async def close(self) -> None:
        """End a run safely: its process is killed, its row marked. May be called twice."""
        self._closed = True
        async with self._starting:
            if self._training is not None:
                self._training.stop(STOPPED)
                await self._training.wait()

    def check(self, asker: Asker, guild_ids: Collection[str]) -> None:
        """`guild_ids` are the servers that the bot is in. Raises `NotAllowedError` with who may."""
        home = self._limits.home_guild_id
        if home is None and len(guild_ids) == 1:
            (home,) = guild_ids
        if asker.is_owner or (home is not None and asker.guild_id == home and asker.manages_guild):
            return
        if home is None:
            raise NotAllowedError(
                "One model serves all servers this bot is in, so only its owners may use /model, until the host names "
                "the home server (HOME_GUILD_ID), whose admins may too."
            )
        raise NotAllowedError(
            "One model serves everybody, so /model is for the bot's owners, and in its home server for members with "
            "the permission Manage Server."
        )

    async def retrain(self, requested_by: str) -> Training:
        """Start a run. Raises `BusyError` (one is on, or ended a moment ago) or `MemberError` (too little data)."""
        async with self._starting:
            if self._closed:
                raise BusyError("The bot is restarting. Please try again in a minute.")
            if not await asyncio.to_thread(self._lock.acquire):
                raise await self._busy()
            try:
                run_id = await self._start(requested_by)
            except BaseException:
                self._lock.release()
                raise
            self._training = Training(
                run_id,
                self._database,
                self._store,
                self._executor,
                self._limits.sources,
                self._limits.timeout,
                self._clock,
                self._lock.release,
            )
            return self._training

    async def cancel(self) -> None:
        """Ask the run to stop, whichever process it is in. Raises `MemberError` if there is none."""
        async with self._database.write() as connection:
            asked = await training_runs.request_cancel(connection)
        if not asked:
            raise MemberError("No training is under way. /model status shows how the last one ended.")
        if self._training is not None:
            self._training.stop(CANCELLED)

    async def status(self) -> ModelStatus:
        live = await self._store.state()
        async with self._database.read() as connection:
            running = await training_runs.running(connection)
            last = await training_runs.latest_finished(connection)
            size = await snapshots.size(connection, self._limits.sources)
        return ModelStatus(live, running, last, size)

    async def shown_in(self, run_id: int, channel_id: str, message_id: str) -> None:
        """Remember the message that shows a run's progress, so that a later process can say how it ended."""
        async with self._database.write() as connection:
            await training_runs.set_message(connection, run_id, channel_id, message_id)

    def take_interrupted(self) -> list[TrainingRun]:
        """The runs that were found dead since the last call: nobody has told their admins yet."""
        found, self._interrupted = self._interrupted, []
        return found

    async def _start(self, requested_by: str) -> int:
        """The new run's id; called with the lock."""
        await self._bury_dead()
        await self._check_cooldown()
        await self._check_size()
        try:
            async with self._database.write() as connection:
                run_id = await training_runs.start(connection, requested_by, self._clock())
        except BusyError:
            raise await self._busy() from None
        await asyncio.to_thread(self._lock.name, run_id)
        return run_id

    async def _bury_dead(self) -> None:
        """Called with the lock: a running row is a dead process's, unless another machine has its own lock file."""
        async with self._database.write() as connection:
            run = await training_runs.running(connection)
            now = self._clock()
            if run is not None and (run.id == self._lock.run_id or now - run.heartbeat_at > DEAD_AFTER):
                await training_runs.finish(connection, run.id, STOPPED.status, STOPPED.reason, now)
                self._interrupted.append(run)
                log.warning("training run %d was stopped in the middle", run.id)
        await asyncio.to_thread(remove_leftovers, self._store.directory)

    async def _busy(self) -> BusyError:
        async with self._database.read() as connection:
            run = await training_runs.running(connection)
        if run is None:  # it is just starting or just ending
            return BusyError("A training run is starting or ending this very moment. See /model status.")
        who = f"<@{run.requested_by}> started a training run" if run.requested_by else "A training run started"
        return BusyError(
            f"{who} at {run.started_at:%H:%M} UTC, and it is still under way. "
            "/model status shows how far it is, /model cancel stops it."
        )

    async def _check_cooldown(self) -> None:
        """Only runs that came to a result count: one that failed may be repeated at once."""
        async with self._database.read() as connection:
            last = await training_runs.latest_finished(connection, "promoted", "refused")
        if last is None or last.finished_at is None:
            return
        again = last.finished_at + self._limits.cooldown
        if self._clock() < again:
            raise BusyError(
                f"The last training run ended at {last.finished_at:%H:%M} UTC; the next one can start at "
                f"{again:%H:%M:%S} UTC (TRAINING_COOLDOWN_MINUTES)."
            )

    async def _check_size(self) -> None:
        async with self._database.read() as connection:
            size = await snapshots.size(connection, self._limits.sources)
        if size.members < MIN_MEMBERS or size.tracks < MIN_TRACKS:
            raise MemberError(
                f"There is too little to train on: {size.members} members with {size.tracks} tracks, and it takes at "
                f"least {MIN_MEMBERS} members and {MIN_TRACKS} tracks. Until more members link their account, "
                "everybody's list comes from their own taste profile."
            )
