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
from bot.services.gate import DEFAULTS, Thresholds
from bot.services.training import CANCELLED, STOPPED, Training, remove_leftovers
from bot.sources import Source
from bot.storage import model_versions, snapshots, training_runs
from bot.storage.database import Database
from bot.storage.model_versions import Change, KeptVersion
from bot.storage.snapshots import Size
from bot.storage.training_runs import TrainingRun

__all__ = ["Asker", "Change", "KeptVersion", "Limits", "LiveModel", "ModelService", "ModelStatus", "Now"]

log = logging.getLogger(__name__)

DEAD_AFTER = timedelta(seconds=60)  # without a heartbeat, where the lock cannot tell
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
    min_members: int = 3
    min_interactions: int = 100
    thresholds: Thresholds = DEFAULTS
    half_life_days: float | None = None
    """Within which what members did counts half; None: it does not fade."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """`running` and `last` are the run under way and the one that ended last; `size` is what could be trained on.

    `kept` are all versions with files: those that were live, the last of them first, then the refused ones, newest
    first. `change` is how the live one became that.
    """

    live: LiveModel | None
    running: TrainingRun | None
    last: TrainingRun | None
    size: Size
    kept: Sequence[KeptVersion] = ()
    change: Change | None = None
    thresholds: Thresholds = DEFAULTS


@dataclass(frozen=True, slots=True)
class Now:
    """After a change by hand: what is live, which version was so before (the same: nothing was changed), and why the
    gate had refused it, if it had."""

    live: LiveModel
    before: str | None
    refused_for: str | None


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
                self._limits.thresholds,
                self._limits.timeout,
                self._limits.half_life_days,
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
            kept = await model_versions.kept(connection)
            change = await model_versions.latest_change(connection)
        return ModelStatus(live, running, last, size, kept, change, self._limits.thresholds)

    async def promote(self, name: str, by: str) -> Now:
        """Make a kept version live, refused or not; `name` may be its last part alone.

        Raises `MemberError` where there is no such version, or it cannot be opened.
        """
        kept = await self._store.kept()
        found = [one for one in kept if name.strip() in (one.version, one.version.split("-")[-1])]
        if not found:
            names = ", ".join(f"`{one.version}`" for one in kept) or "none yet"
            raise MemberError(f"No version that is kept has this name. Kept are: {names}.")
        before = await self._store.state()
        if before is not None and before.version == found[0].version and before.fault is None:
            return Now(before, before.version, None)
        await self._store.promote(found[0].version, by)
        refused = found[0].reason if found[0].status == "refused" else None
        return Now(await self._live_now(), None if before is None else before.version, refused)

    async def roll_back(self, by: str) -> Now:
        """Make the version live that was so before. Raises `MemberError` where there is none that can be opened."""
        before = await self._store.state()
        await self._store.roll_back(by)
        return Now(await self._live_now(), None if before is None else before.version, None)

    async def choices(self) -> list[KeptVersion]:
        """What can be promoted: the kept versions without the live one."""
        live = await self._store.state()
        return [one for one in await self._store.kept() if live is None or one.version != live.version]

    async def _live_now(self) -> LiveModel:
        live = await self._store.state()
        assert live is not None
        return live

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
        members, interactions = self._limits.min_members, self._limits.min_interactions
        if size.members >= members and size.interactions >= interactions and size.tracks >= MIN_TRACKS:
            return
        answering = "what is live goes on answering" if await self._store.live() else "the taste profile answers"
        raise MemberError(
            f"There is too little to train on: {size.members} members with {size.tracks} tracks and "
            f"{size.interactions} interactions, and it takes at least {members} members (TRAINING_MIN_MEMBERS), "
            f"{MIN_TRACKS} tracks and {interactions} interactions (TRAINING_MIN_INTERACTIONS). Until then "
            f"{answering}."
        )
