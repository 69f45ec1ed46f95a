"""Model versions: files under MODEL_DIR, a row each, and a pointer in the database to the live one."""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.clock import Clock
from bot.storage import model_versions, training_members, training_runs
from bot.storage.database import Database
from bot.storage.model_versions import ActiveVersion
from specrec import checkpoint
from specrec.errors import CheckpointError
from specrec.serving import ServedModel

log = logging.getLogger(__name__)

VERSIONS_KEPT = 5
RETRY_DAMAGED = timedelta(minutes=1)  # a host may put the files back; not worth a look for every member's question


@dataclass(frozen=True, slots=True)
class LiveModel:
    """What the pointer points at. `model` is None when its files were refused; `fault` then says why."""

    version: str
    since: datetime
    report: dict[str, Any]
    model: ServedModel | None
    fault: str | None


class ModelStore:
    """Owner of MODEL_DIR and of the loaded version. Several processes may share both directory and database."""

    def __init__(self, database: Database, directory: Path, clock: Clock) -> None:
        self.directory = directory
        self._database = database
        self._clock = clock
        self._state: LiveModel | None = None
        self._tried_at: datetime | None = None
        self._loading = asyncio.Lock()

    async def open(self) -> None:
        """Make the directory, clean up what an earlier process left behind, load the live version."""
        await asyncio.to_thread(self.directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        await self.prune()
        await self.state()

    async def live(self) -> ServedModel | None:
        """The live version, also one that another process promoted a moment ago. None: there is none, or its files
        were refused (`state` says why); the taste profile answers then."""
        state = await self.state()
        return None if state is None else state.model

    async def state(self) -> LiveModel | None:
        """What is live and since when; None before the first promotion. Costs one indexed row while nothing changed."""
        async with self._database.read() as connection:
            pointer = await model_versions.active(connection)
        if pointer is None or self._is_current(pointer):
            return self._state if pointer else None
        async with self._loading:  # the first one loads, the others find it done
            if not self._is_current(pointer):
                self._state = await self._open(pointer)
                self._tried_at = self._clock()
        return self._state

    async def promote(self, files: Path, run_id: int, report: dict[str, Any], note: str | None) -> bool:
        """Publish a version and make it live: files, then row, pointer and the run's outcome in one transaction.

        `files` must be on MODEL_DIR's disk; `note` is what else is to be said of the run. False, and nothing changed,
        if the run was ended from elsewhere in the meantime.
        """
        version = files.name
        target = self.directory / version
        await asyncio.to_thread(_move, files, target)
        async with self._database.write() as connection:  # should this fail, `prune` removes the files
            now = self._clock()
            promoted = await training_runs.finish(connection, run_id, "promoted", note, now, version=version)
            if promoted:
                await model_versions.promote(connection, version, run_id, report, now)
        if not promoted:
            await asyncio.to_thread(_remove, target)
            return False
        log.info("model %s is live", version)
        await self.state()
        return True

    async def prune(self) -> None:
        """Keep the newest versions and the live one; remove directories that no row names.

        The directory is listed before the rows are read: whatever stands in it without a row then is either left over
        or being promoted, and the second only while a run is on.
        """
        found = await asyncio.to_thread(checkpoint.versions, self.directory)
        async with self._database.write() as connection:
            pointer = await model_versions.active(connection)
            names = await model_versions.names(connection)
            kept = set(names[:VERSIONS_KEPT]) | ({pointer.version} if pointer else set())
            await model_versions.remove(connection, set(names) - kept)
            await training_members.forget_versionless(connection)
            running = await training_runs.running(connection)
        stale = (set(names) if running else {path.name for path in found}) - kept
        for name in sorted(stale):
            log.info("removing model version %s", name)
            await asyncio.to_thread(_remove, self.directory / name)

    async def retire(self, versions: Collection[str]) -> None:
        """Delete versions that must not stay, the live one too: then the taste profile answers until the next one."""
        async with self._database.write() as connection:
            await model_versions.retire(connection, versions)
            await training_members.forget_versionless(connection)
        for name in sorted(versions):
            log.info("deleting model version %s: data that it was trained with was deleted", name)
            await asyncio.to_thread(_remove, self.directory / name)
        if self._state is not None and self._state.version in versions:
            self._state = None

    def _is_current(self, pointer: ActiveVersion) -> bool:
        if self._state is None or self._state.version != pointer.version:
            return False
        tried = self._tried_at
        return self._state.fault is None or tried is None or self._clock() - tried < RETRY_DAMAGED

    async def _open(self, pointer: ActiveVersion) -> LiveModel:
        model, fault = None, None
        try:
            model = await asyncio.to_thread(ServedModel.open, self.directory / pointer.version)
            log.info("serving model %s", pointer.version)
        except (CheckpointError, OSError) as error:
            fault = str(error).replace(f"{self.directory}{os.sep}", "")  # where it lies is the host's business
            log.error("model %s is refused, the taste profile answers instead: %s", pointer.version, error)
        return LiveModel(pointer.version, pointer.since, pointer.report, model, fault)


def _move(files: Path, target: Path) -> None:
    files.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the row must not outlive the name of its files in a power cut
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
