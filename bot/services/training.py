"""One training run under way in this process: snapshot, executor, gate, promotion; one outcome, whatever happens."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.clock import Clock
from bot.errors import ModelError
from bot.jobs.base import Executor, Progress, Report, TrainedVersion, TrainingJob
from bot.model_store import LiveModel, ModelStore
from bot.services.gate import Thresholds, judge
from bot.services.snapshot import write_snapshot
from bot.sources import Source
from bot.storage import model_versions, snapshots, training_members, training_runs
from bot.storage.database import Database
from bot.storage.training_runs import TrainingRun
from specrec.interactions import SET_ASIDE_MINIMUM

__all__ = ["CANCELLED", "STOPPED", "Outcome", "Training", "TrainingRun", "remove_leftovers"]

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
PREFIX = ".run-"  # of a run's own directory under MODEL_DIR, which no version's name has
OUR_FAULT = "Something went wrong on this bot's side; the log says what."


@dataclass(frozen=True, slots=True)
class Ending:
    """`status` as in the table training_run; `reason` is one sentence."""

    status: str
    reason: str


STOPPED = Ending("failed", "The bot was stopped in the middle of it.")
CANCELLED = Ending("cancelled", "An admin asked for that.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The run as it ended, what was measured, if it came to that, and whether any model answers now."""

    run: TrainingRun
    report: Report | None
    answered: bool = True


class Training:
    """Starts at once. `progress` is where it stands; `wait` and `outcome` wait for the end, `stop` hastens it."""

    def __init__(
        self,
        run_id: int,
        database: Database,
        store: ModelStore,
        executor: Executor,
        sources: Sequence[Source],
        thresholds: Thresholds,
        limit: timedelta,
        half_life_days: float | None,
        clock: Clock,
        release: Callable[[], None],
    ) -> None:
        """`release` is called when it has ended, before anybody hears of it: the next run may start then."""
        self.run_id = run_id
        self.progress = Progress("collecting what members listen to", 0.0)
        self._database = database
        self._store = store
        self._executor = executor
        self._sources = sources
        self._thresholds = thresholds
        self._live: LiveModel | None = None  # as it was when the run began
        self._limit = limit
        self._half_life_days = half_life_days
        self._clock = clock
        self._release = release
        self._directory = store.directory / f"{PREFIX}{run_id}"
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    def stop(self, ending: Ending) -> None:
        """End it within seconds. Too late once a version is being promoted."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended, after at most so many seconds; None: as long as it takes."""
        await asyncio.wait({self._task}, timeout=seconds)
        return self._task.done()

    async def outcome(self) -> Outcome:
        return await asyncio.shield(self._task)

    async def _run(self) -> Outcome:
        try:
            return await self._run_to_the_end()
        finally:
            self._release()

    async def _run_to_the_end(self) -> Outcome:
        report: Report | None = None
        try:
            trained = await self._train_or_stop()
            if isinstance(trained, Ending):
                ending: Ending | None = trained
            else:
                report, ending = trained.report, None
                await self._publish(trained)
        except ModelError as error:
            ending = Ending("failed", str(error))
        except Exception:
            log.exception("training run %d failed", self.run_id)
            ending = Ending("failed", OUR_FAULT)
        async with self._database.write() as connection:
            if ending is not None:
                await training_runs.finish(connection, self.run_id, ending.status, ending.reason, self._clock())
            run = await training_runs.get(connection, self.run_id)
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)
        assert run is not None
        log.info("training run %d: %s. %s", run.id, run.status, run.reason or "")
        return Outcome(run, report, await self._store.live() is not None)

    async def _train_or_stop(self) -> TrainedVersion | Ending:
        """Work, and say every few seconds that it lives, until it is done, stopped or out of time."""
        work = asyncio.create_task(self._train())
        either: set[asyncio.Future[Any]] = {work, self._ending}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limit.total_seconds()
        while not work.done() and not self._ending.done():
            seconds = min(BEAT_SECONDS, max(0.0, deadline - loop.time()))
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if loop.time() >= deadline:
                minutes = self._limit.total_seconds() / 60
                self.stop(Ending("failed", f"It took longer than {minutes:g} minutes (TRAINING_TIMEOUT_MINUTES)."))
            else:
                await self._beat()
        if not self._ending.done():
            return work.result()
        work.cancel()
        await asyncio.wait({work})
        if not work.cancelled() and (error := work.exception()):
            log.info("training run %d was stopped as it failed: %r", self.run_id, error)
        return self._ending.result()

    async def _beat(self) -> None:
        try:
            async with self._database.write() as connection:
                going_on = await training_runs.beat(
                    connection, self.run_id, self.progress.stage, self.progress.fraction, self._clock()
                )
        except Exception:  # a busy database is no reason to throw minutes of work away
            log.exception("training run %d could not say that it lives", self.run_id)
        else:
            if not going_on:  # asked for in another process; a row that was ended from there stays as it is
                self.stop(CANCELLED)

    async def _train(self) -> TrainedVersion:
        self._live = await self._store.state()
        answering = None if self._live is None else self._live.answering
        if answering is not None:
            async with self._database.read() as connection:
                if await model_versions.must_go(connection, answering):
                    answering = None  # whatever comes need not be as good as what cannot stay
        job = TrainingJob(
            self._directory / "interactions.csv",
            self._directory / "tracks.csv",
            self._directory / "versions",
            self._clock(),
            live=None if answering is None else self._store.directory / answering,
            leave_out=await self._learned_whole(answering),
            half_life_days=self._half_life_days,
        )
        await asyncio.to_thread(self._directory.mkdir, mode=0o700)
        read = await write_snapshot(self._database, self._sources, job.interactions, job.tracks)
        async with self._database.write() as connection:
            await training_members.record(connection, self.run_id, read)
        sources = tuple(sorted({one.source for one in read}))
        return await self._executor.train(replace(job, sources=sources), self._note)

    async def _learned_whole(self, version: str | None) -> tuple[str, ...]:
        """Members, by our own numbers, who had too few tracks to set any aside when `version` was trained."""
        if version is None:
            return ()
        async with self._database.read() as connection:
            trained_at = await model_versions.trained_at(connection, version)
            if trained_at is None:
                return ()
            members = await snapshots.members_with_few(connection, self._sources, SET_ASIDE_MINIMUM, trained_at)
        return tuple(str(member) for member in members)

    def _note(self, progress: Progress) -> None:
        self.progress = progress

    async def _publish(self, trained: TrainedVersion) -> None:
        """Nothing more is to be said when the version is kept, or when the run was ended from elsewhere."""
        verdict = judge(trained.report, self._thresholds)
        self._ending.cancel()  # too late for anybody to stop it: what was measured is what is promoted
        await self._store.publish(
            trained.path,
            self.run_id,
            trained.report,
            verdict.reason,
            accepted=verdict.accepted,
            beside=None if self._live is None else self._live.version,
        )


def remove_leftovers(directory: Path) -> None:
    """Delete the directories of runs that are dead; call it only while nobody trains."""
    for path in directory.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
