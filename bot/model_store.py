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
from bot.errors import BusyError, MemberError
from bot.storage import model_versions, training_members, training_runs
from bot.storage.database import Database
from bot.storage.model_versions import ActiveVersion, KeptVersion
from specrec import checkpoint
from specrec.errors import CheckpointError
from specrec.serving import ServedModel

log = logging.getLogger(__name__)

PROMOTED_KEPT = 5
REFUSED_KEPT = 2
RETRY_DAMAGED = timedelta(minutes=1)  # a host may put the files back; not worth a look for every member's question


@dataclass(frozen=True, slots=True)
class LiveModel:
    """What the pointer points at, and what answers.

    `model` is that version; where its files were refused, `fault` says why and `model` is the newest other one that was
    live and can be opened, or None. `report` is what was measured of the version that answers.
    """

    version: str
    since: datetime
    report: dict[str, Any]
    model: ServedModel | None
    fault: str | None

    @property
    def answering(self) -> str | None:
        """The version that answers; None: the taste profile does."""
        return None if self.model is None else self.model.version


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
        """The version that answers, also one that another process promoted a moment ago. None: there is none, or its
        files were refused (`state` says why) and no other can be opened; the taste profile answers then."""
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

    async def publish(
        self,
        files: Path,
        run_id: int,
        report: dict[str, Any],
        note: str | None,
        *,
        accepted: bool,
        beside: str | None,
    ) -> bool:
        """Keep a trained version and, where the gate has `accepted` it, make it live: files, then row, pointer and the
        run's outcome in one transaction.

        `files` must be on MODEL_DIR's disk; `note` is why it is refused, or what else is to be said; `beside` is the
        live version that it was measured beside. Should another one be live by now, it is kept as refused. False, and
        nothing changed, if the run was ended from elsewhere in the meantime. Raises CheckpointError for files that
        cannot be opened, or are not what was measured.
        """
        version = files.name
        target = self.directory / version
        model = await asyncio.to_thread(ServedModel.open, files)
        if model.metadata != report:
            raise CheckpointError(f"{version} is not the version that was measured")
        await asyncio.to_thread(_move, files, target)
        async with self._database.write() as connection:  # should this fail, `prune` removes the files
            now = self._clock()
            pointer = await model_versions.active(connection)
            if accepted and beside != (None if pointer is None else pointer.version):
                accepted, note = False, "Another version was made live by hand while it was trained."
            status = "promoted" if accepted else "refused"
            run = await training_runs.get(connection, run_id)
            ended = await training_runs.finish(connection, run_id, status, note, now, version=version)
            if ended and run is not None:
                await model_versions.add(connection, version, run_id, report, now, status=status, reason=note)
                if accepted:
                    await model_versions.point(connection, version, "trained", run.requested_by or None, now)
        if not ended:
            await asyncio.to_thread(_remove, target)
            return False
        log.info("model %s is %s", version, "live" if accepted else "kept, and not promoted")
        await self.state()
        await self.prune()
        return True

    async def kept(self) -> list[KeptVersion]:
        """All versions: those that were live, the one that was so last first; then the refused ones, newest first."""
        async with self._database.read() as connection:
            return await model_versions.kept(connection)

    async def promote(self, version: str, by: str) -> None:
        """Make a version that is kept the live one, refused or not. Raises `MemberError` where it cannot be opened."""
        await self._point(version, "promoted", by, await self._pointed())

    async def roll_back(self, by: str) -> str:
        """Make the version live again that was so before the live one. Raises `MemberError` where there is none."""
        async with self._database.read() as connection:
            pointer = await model_versions.active(connection)
            stack = await model_versions.been_live(connection)
            names = {one.version for one in await model_versions.kept(connection)}
        before = [version for version in stack[:-1] if version in names and pointer and version != pointer.version]
        if pointer is None or not before:
            raise MemberError("There is no earlier version to go back to. /model status shows what is kept.")
        await self._point(before[-1], "rolled back", by, pointer.version)
        return before[-1]

    async def prune(self) -> None:
        """Keep the versions that were live last, the newest refused ones and the live one; remove directories that no
        row names.

        The directory is listed before the rows are read: whatever stands in it without a row then is either left over
        or being promoted, and the second only while a run is on.
        """
        found = await asyncio.to_thread(checkpoint.versions, self.directory)
        async with self._database.write() as connection:
            pointer = await model_versions.active(connection)
            rows = await model_versions.kept(connection)
            kept = {pointer.version} if pointer else set()
            kept |= {row.version for row in [row for row in rows if row.status == "promoted"][:PROMOTED_KEPT]}
            kept |= {row.version for row in [row for row in rows if row.status == "refused"][:REFUSED_KEPT]}
            names = {row.version for row in rows}
            await model_versions.remove(connection, names - kept)
            await training_members.forget_versionless(connection)
            running = await training_runs.running(connection)
        stale = (names if running else {path.name for path in found}) - kept
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
        if self._state is not None and {self._state.version, self._state.answering} & set(versions):
            self._state = None

    async def _pointed(self) -> str | None:
        async with self._database.read() as connection:
            pointer = await model_versions.active(connection)
        return None if pointer is None else pointer.version

    async def _point(self, version: str, how: str, by: str, before: str | None) -> None:
        """By hand: its files are opened first, and nothing must have changed since it was decided."""
        try:
            await asyncio.to_thread(ServedModel.open, self.directory / version)
        except (CheckpointError, OSError) as error:
            raise MemberError(
                f"Version {version} cannot be opened: {self._told(error)}. Nothing was changed."
            ) from error
        async with self._database.write() as connection:
            pointer = await model_versions.active(connection)
            names = {one.version for one in await model_versions.kept(connection)}
            if before != (None if pointer is None else pointer.version) or version not in names:
                raise BusyError("Somebody has just changed what is live. /model status shows it; nothing was changed.")
            await model_versions.point(connection, version, how, by, self._clock())
        log.info("model %s is live: %s by hand", version, how)
        await self.state()

    def _is_current(self, pointer: ActiveVersion) -> bool:
        if self._state is None or (self._state.version, self._state.since) != (pointer.version, pointer.since):
            return False
        tried = self._tried_at
        return self._state.fault is None or tried is None or self._clock() - tried < RETRY_DAMAGED

    async def _open(self, pointer: ActiveVersion) -> LiveModel:
        try:
            model = await asyncio.to_thread(ServedModel.open, self.directory / pointer.version)
        except (CheckpointError, OSError) as error:
            fault = self._told(error)
        else:
            log.info("serving model %s", pointer.version)
            return LiveModel(pointer.version, pointer.since, pointer.report, model, None)
        others = [one for one in await self.kept() if one.status == "promoted" and one.version != pointer.version]
        for other in others:
            with contextlib.suppress(CheckpointError, OSError):
                model = await asyncio.to_thread(ServedModel.open, self.directory / other.version)
                log.error("model %s is refused, %s answers instead: %s", pointer.version, other.version, fault)
                return LiveModel(pointer.version, pointer.since, other.report, model, fault)
        log.error("model %s is refused, the taste profile answers instead: %s", pointer.version, fault)
        return LiveModel(pointer.version, pointer.since, pointer.report, None, fault)

    def _told(self, error: Exception) -> str:
        """Without the folder: where it lies is the host's business."""
        return str(error).replace(f"{self.directory}{os.sep}", "")


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
