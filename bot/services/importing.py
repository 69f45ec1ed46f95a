"""Files that members bring along: each is read to its end and then stored, or nothing of it is.

What is read counts only once it is stored, a batch at a time; what stops the storing loses nothing that is stored, and
the same file again adds the rest.
"""

import asyncio
import logging
import tempfile
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from bot.clock import Clock
from bot.errors import AudioFeaturesError, FileRefusedError, SpecRecError, UnforeseenError
from bot.imports.archive import parts
from bot.imports.base import Counts, Kept, Listen, Skip
from bot.imports.spool import Spool
from bot.services.run import Run
from bot.services.sync import MissingFeatures
from bot.sources import Source
from bot.storage.database import Connection, Database
from bot.storage.listens import match_waiting, store_kept, store_listens
from bot.storage.members import ensure_member, member_of

log = logging.getLogger(__name__)

GONE = "Your data was deleted while this was under way, so nothing more is stored."


class Stage(StrEnum):
    RECEIVING = "receiving"
    WAITING = "waiting"
    READING = "reading"
    STORING = "storing"
    DONE = "done"
    REFUSED = "refused"  # nothing of it was stored, with the reason
    STOPPED = "stopped"  # some of it may be stored; again adds the rest

    @property
    def is_last(self) -> bool:
        return self in (Stage.DONE, Stage.REFUSED, Stage.STOPPED)


@dataclass(slots=True)
class FileProgress:
    """One file. `reason` says why it was refused, or stopped."""

    name: str
    stage: Stage = Stage.RECEIVING
    read: int = 0  # entries, while it is read
    to_store: int = 0  # of these; known once all were read
    stored: int = 0  # of these, so far
    counts: Counts = field(default_factory=Counts)
    reason: str | None = None

    def end(self, stage: Stage, reason: str | None = None) -> None:
        self.stage, self.reason = stage, reason
        if reason is not None:
            self.counts.failed.append(reason)


@dataclass(slots=True)
class ImportProgress:
    """All the files that a member brought at one time."""

    files: list[FileProgress] = field(default_factory=list)

    @property
    def total(self) -> Counts:
        total = Counts()
        for one in self.files:
            total.add(one.counts)
        return total

    @property
    def is_over(self) -> bool:
        return all(one.stage.is_last for one in self.files)


class ImportRun(Run[ImportProgress]):
    """One member's files, one after another; more may come as long as it is kept."""

    def __init__(self, discord_id: str, *, with_private: bool) -> None:
        super().__init__(ImportProgress())
        self.discord_id = discord_id
        self.with_private = with_private
        self.waiting: list[tuple[FileProgress, BinaryIO]] = []


class ImportService:
    """Owner of the tasks; needs `close`. `scratch` is a folder on a disk, for what is on its way."""

    def __init__(
        self,
        database: Database,
        scratch: Path,
        clock: Clock,
        features: MissingFeatures,
    ) -> None:
        self._database = database
        self._scratch = scratch
        self._clock = clock
        self._features = features
        self._turn = asyncio.Lock()  # one file is read or stored at a time: the rest of the bot needs the other core
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def new_file(self) -> BinaryIO:
        """Without a name: what is in it is gone when it is closed, or the process ends."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._scratch)

    def announce(self, run: ImportRun, name: str) -> FileProgress:
        """A file that is about to come."""
        progress = FileProgress(name)
        run.progress.files.append(progress)
        return progress

    def add(self, run: ImportRun, progress: FileProgress, file: BinaryIO) -> None:
        """It came: store it after those before it. The file is closed here."""
        progress.stage = Stage.WAITING
        run.waiting.append((progress, file))
        if run.is_over:
            run.task = self._in_background(self._work(run), "import")

    async def _work(self, run: ImportRun) -> None:
        """Never raises but when it is cancelled: what went wrong stands in the progress."""
        try:
            while run.waiting:
                progress, file = run.waiting.pop(0)
                with file:
                    async with self._turn:
                        await self._guarded(run, progress, file)
        finally:
            for progress, file in run.waiting:
                file.close()
                progress.end(Stage.STOPPED, _stopped(progress.name))
            run.waiting.clear()

    async def _guarded(self, run: ImportRun, progress: FileProgress, file: BinaryIO) -> None:
        try:
            await self._import(run, progress, file)
        except asyncio.CancelledError:
            progress.end(Stage.STOPPED, _stopped(progress.name))
            raise
        except FileRefusedError as error:
            progress.counts = Counts()
            progress.end(Stage.REFUSED, error.told)
        except SpecRecError as error:
            progress.end(Stage.STOPPED, error.told)
        except Exception:
            unforeseen = UnforeseenError()
            log.exception("%s an import failed", unforeseen)
            progress.end(Stage.STOPPED, unforeseen.told)

    async def _import(self, run: ImportRun, progress: FileProgress, file: BinaryIO) -> None:
        with Spool(self._scratch) as spool:
            progress.stage = Stage.READING
            await self._read(run, progress, file, spool)
            file.close()  # what stands in it beside the music is gone from here on
            if not spool.size:
                progress.end(Stage.REFUSED, f"{progress.name} holds nothing that counts, so nothing was stored.")
                return
            progress.to_store, progress.stage = spool.size, Stage.STORING
            async with self._database.write() as connection:
                member_id = await ensure_member(connection, run.discord_id, self._clock())
            batches = spool.batches()
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                async with self._database.write() as connection:
                    if await member_of(connection, run.discord_id) != member_id:
                        raise FileRefusedError(GONE)
                    progress.counts.add(await self._store(connection, member_id, batch))
                progress.stored += len(batch)
        async with self._database.write() as connection:
            await match_waiting(connection, self._clock())
        progress.stage = Stage.DONE
        log.info("imported for member %d: %d new", member_id, progress.counts.new)
        self._in_background(self._look_up_features(member_id), "features after an import")

    async def _read(self, run: ImportRun, progress: FileProgress, file: BinaryIO, spool: Spool) -> None:
        """In a thread; a cancelled import waits until that thread let go of the files."""
        stopped = threading.Event()
        reading = asyncio.ensure_future(
            asyncio.to_thread(_read, file, spool, progress, with_private=run.with_private, stopped=stopped)
        )
        try:
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()
            raise

    async def _store(self, connection: Connection, member_id: int, batch: list[Listen | Kept]) -> Counts:
        now = self._clock()
        listens = [one for one in batch if isinstance(one, Listen)]
        kept = [one for one in batch if isinstance(one, Kept)]
        counts = await store_listens(connection, member_id, Source.EXPORT, listens, now)
        counts.add(await store_kept(connection, member_id, Source.EXPORT, kept, now))
        return counts

    async def _look_up_features(self, member_id: int) -> None:
        """The import is complete without them; the daily task tries again."""
        try:
            await self._features.look_up(member_id)
        except AudioFeaturesError as error:
            log.info("audio features later: %s", error)

    def _in_background(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _read(
    file: BinaryIO, spool: Spool, progress: FileProgress, *, with_private: bool, stopped: threading.Event
) -> None:
    """Everything that counts goes into the spool, the rest is counted. Raises `FileRefusedError`."""
    skipped = progress.counts.skipped
    for part in parts(file, progress.name):
        for item in part.items:
            if stopped.is_set():
                return
            progress.read += 1
            if isinstance(item, Skip):
                skipped[item] += 1
            elif isinstance(item, Listen) and (why := item.left_out(with_private=with_private)) is not None:
                skipped[why] += 1
            else:
                spool.add(item)


def _stopped(name: str) -> str:
    return f"{name}: the bot is restarting. What was stored stays; import it again afterwards, nothing counts twice."
