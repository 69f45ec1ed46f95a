"""Files that members bring along: each is read to its end and then stored, or nothing of it is.

What is read counts only once it is stored, a batch at a time; what stops the storing loses nothing that is stored, and
the same file again adds the rest.
"""

import asyncio
import logging
import shutil
import tempfile
import threading
import weakref
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, TypeVar

import aiohttp

from bot.clock import Clock
from bot.errors import AudioFeaturesError, BusyError, FileRefusedError, PausedError, SpecRecError, UnforeseenError
from bot.imports.archive import parts, shown
from bot.imports.attached import fetch
from bot.imports.base import Attached, Counts, Kept, Listen, Skip
from bot.imports.spool import Spool
from bot.services.run import Run
from bot.services.sync import MissingFeatures
from bot.sources import Source
from bot.storage.database import Connection, Database
from bot.storage.listens import match_waiting, store_kept, store_listens
from bot.storage.members import ensure_member, member_of, paused_since

log = logging.getLogger(__name__)

T = TypeVar("T")

GONE = "Your data was deleted while this was under way, so nothing more is stored."
FILE_LIMIT = 1_000_000_000  # bytes, as they are sent: Spotify's ZIPs have 5 to 20 million
FILES_LIMIT = 40  # of one member that have not ended; a decade unpacked has about 20
FREE_DISK = 500_000_000  # bytes that nothing on its way may take from the database


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
    with_private: bool = False  # whether plays of private sessions count
    stage: Stage = Stage.RECEIVING
    size: int = 0  # bytes that will come
    received: int = 0  # of these, so far
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

    def __init__(self, discord_id: str) -> None:
        super().__init__(ImportProgress())
        self.discord_id = discord_id
        self.forgotten = False  # the member's data was deleted meanwhile
        self.waiting: list[tuple[FileProgress, BinaryIO]] = []


class ImportService:
    """Owner of the tasks and of what is on its way; needs `close`. `scratch` is a folder on a disk."""

    def __init__(
        self,
        database: Database,
        scratch: Path,
        clock: Clock,
        features: MissingFeatures,
        http: aiohttp.ClientSession,
    ) -> None:
        self._database = database
        self._scratch = scratch
        self._clock = clock
        self._features = features
        self._http = http
        self._turn = asyncio.Lock()  # one file is read or stored at a time: the rest of the bot needs the other core
        self._tasks: set[asyncio.Task[None]] = set()
        self._runs: weakref.WeakSet[ImportRun] = weakref.WeakSet()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def forget(self, discord_id: str) -> None:
        """This member's data is about to be deleted: nothing more of theirs is stored once this returns."""
        tasks, runs = [], self._runs_of(discord_id)
        for run in runs:
            run.forgotten = True
            if run.task is not None:
                run.task.cancel()
                tasks.append(run.task)
        await asyncio.gather(*tasks, return_exceptions=True)
        for run in runs:  # a task that is cancelled before its first step ends nothing itself
            for _, file in run.waiting:
                file.close()
            run.waiting.clear()
            for progress in run.progress.files:
                if not progress.stage.is_last:
                    progress.end(Stage.STOPPED, _stopped(run, progress.name))

    def bring(self, discord_id: str, attached: Sequence[Attached], *, with_private: bool) -> ImportRun:
        """Fetch these files from where they lie and import them, one after another. Raises `BusyError` where too much
        of this member's is under way."""
        run = ImportRun(discord_id)
        announced = [(self.announce(run, one.name, one.size, with_private=with_private), one) for one in attached]
        run.task = self._in_background(self._bring(run, announced), "import")
        return run

    def announce(self, run: ImportRun, name: str, size: int, *, with_private: bool) -> FileProgress:
        """A file that is about to come: end it, or hand it to `add`. Raises `BusyError`."""
        self._runs.add(run)
        under_way = (one for mine in self._runs_of(run.discord_id) for one in mine.progress.files)
        if sum(not one.stage.is_last for one in under_way) >= FILES_LIMIT:
            raise BusyError("Too many of your files are still being imported. Try again when they are done.")
        progress = FileProgress(shown(name), with_private, size=size)
        run.progress.files.append(progress)
        return progress

    def new_file(self, size: int) -> BinaryIO:
        """Without a name: what is in it is gone when it is closed, or the process ends. Blocks. Raises
        `FileRefusedError` where there is no room for `size` bytes."""
        if not size:
            raise FileRefusedError("is empty. Download it again from Spotify's mail and import it as it comes.")
        if size > FILE_LIMIT:
            raise FileRefusedError(
                f"is larger than {FILE_LIMIT // 10**6:,} MB. Import the JSON files that are inside one by one."
            )
        self._scratch.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._scratch).free < FREE_DISK + 2 * size:
            raise FileRefusedError("does not fit on this host's disk now. Tell the host, or try again later.")
        return tempfile.TemporaryFile(dir=self._scratch)

    def add(self, run: ImportRun, progress: FileProgress, file: BinaryIO) -> None:
        """It came: store it after those before it. The file is closed here."""
        progress.stage = Stage.WAITING
        run.waiting.append((progress, file))
        if run.is_over:
            run.task = self._in_background(self._work(run), "import")

    def _runs_of(self, discord_id: str) -> list[ImportRun]:
        return [run for run in self._runs if run.discord_id == discord_id]

    async def _bring(self, run: ImportRun, announced: Sequence[tuple[FileProgress, Attached]]) -> None:
        try:
            for progress, one in announced:
                await self._fetch(run, progress, one)
            await self._work(run)
        finally:
            for progress, _ in announced:
                if not progress.stage.is_last:
                    progress.end(Stage.STOPPED, _stopped(run, progress.name))

    async def _fetch(self, run: ImportRun, progress: FileProgress, one: Attached) -> None:
        file = None
        try:
            file = await asyncio.to_thread(self.new_file, one.size)
            async for chunk in fetch(self._http, one):
                await asyncio.to_thread(file.write, chunk)
                progress.received += len(chunk)
        except FileRefusedError as error:
            progress.end(Stage.REFUSED, f"{progress.name} {error}")
        except OSError:
            log.exception("a file could not be kept")
            progress.end(Stage.REFUSED, f"{progress.name} could not be kept on this host's disk. Tell the host.")
        else:
            progress.stage = Stage.WAITING
            run.waiting.append((progress, file))
            return
        finally:
            if file is not None and progress.stage is not Stage.WAITING:
                file.close()

    async def _work(self, run: ImportRun) -> None:
        """Never raises but when it is cancelled: what went wrong stands in the progress."""
        try:
            while run.waiting and not run.forgotten:
                progress, file = run.waiting.pop(0)
                with file:
                    async with self._turn:
                        await self._guarded(run, progress, file)
        finally:
            for progress, file in run.waiting:
                file.close()
                progress.end(Stage.STOPPED, _stopped(run, progress.name))
            run.waiting.clear()

    async def _guarded(self, run: ImportRun, progress: FileProgress, file: BinaryIO) -> None:
        try:
            await self._import(run, progress, file)
        except asyncio.CancelledError:
            progress.end(Stage.STOPPED, _stopped(run, progress.name))
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
        async with self._database.read() as connection:
            if await paused_since(connection, run.discord_id) is not None:
                raise PausedError
        with Spool(self._scratch) as spool:
            progress.stage = Stage.READING
            await self._read(progress, file, spool)
            file.close()  # what stands in it beside the music is gone from here on
            if not spool.size:
                progress.end(Stage.REFUSED, f"{progress.name} holds nothing that counts, so nothing was stored.")
                return
            progress.to_store, progress.stage = spool.size, Stage.STORING
            async with self._database.write() as connection:
                member_id = await ensure_member(connection, run.discord_id, self._clock())
            async with aclosing(_ahead(spool.batches())) as batches:
                async for batch in batches:
                    async with self._database.write() as connection:
                        if await member_of(connection, run.discord_id) != member_id:
                            run.forgotten = True
                            raise FileRefusedError(GONE)
                        progress.counts.add(await self._store(connection, member_id, batch))
                    progress.stored += len(batch)
        if not progress.counts.new and not progress.counts.already_there:
            why = "names no track that is known here, so nothing of it could be stored"
            progress.end(Stage.REFUSED, f"{progress.name} {why}. The Extended streaming history has ids.")
            return
        async with self._database.write() as connection:
            await match_waiting(connection, self._clock())
        progress.stage = Stage.DONE
        log.info("imported for member %d: %d new", member_id, progress.counts.new)
        self._in_background(self._look_up_features(member_id), "features after an import")

    async def _read(self, progress: FileProgress, file: BinaryIO, spool: Spool) -> None:
        """In a thread; a cancelled import waits until that thread let go of the files."""
        stopped = threading.Event()
        reading = asyncio.ensure_future(asyncio.to_thread(_read, file, spool, progress, stopped))
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


async def _ahead(batches: Iterator[T]) -> AsyncGenerator[T, None]:
    """Each batch, while a thread makes the next one ready; once it is closed, no thread is at work any more."""
    following = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
    try:
        while (batch := await asyncio.shield(following)) is not None:
            following = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
            yield batch
    finally:
        await asyncio.gather(following, return_exceptions=True)


def _read(file: BinaryIO, spool: Spool, progress: FileProgress, stopped: threading.Event) -> None:
    """Everything that counts goes into the spool, the rest is counted. Raises `FileRefusedError`."""
    skipped = progress.counts.skipped
    for part in parts(file, progress.name):
        for item in part.items:
            if stopped.is_set():
                return
            progress.read += 1
            if isinstance(item, Skip):
                skipped[item] += 1
            elif isinstance(item, Listen) and (why := item.left_out(with_private=progress.with_private)) is not None:
                skipped[why] += 1
            else:
                spool.add(item)


def _stopped(run: ImportRun, name: str) -> str:
    if run.forgotten:
        return f"{name}: {GONE}"
    return f"{name}: the bot is restarting. What was stored stays; import it again afterwards, nothing counts twice."
