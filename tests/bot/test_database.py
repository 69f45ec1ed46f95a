"""Transactions that are cut short, on a real file: nobody else ever finds it locked, or half written."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.errors import DatabaseError
from bot.storage import database as module
from bot.storage.database import Database

MOMENTS = 60  # each some turns of the event loop later than the one before
COUNT = "WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < :rows) SELECT {} FROM count"
FILL = "INSERT INTO heap " + COUNT.format("n")
ROWS = 2_000  # some milliseconds


@pytest.fixture
async def heap(database):
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE heap (n INTEGER)"))
    return database


async def fill(database: Database, started: asyncio.Event) -> None:
    started.set()
    async with database.write() as connection:
        for _ in range(3):
            await connection.execute(text(FILL), {"rows": ROWS})
            await asyncio.sleep(0)


def rows_elsewhere(path: Path) -> int:
    """What another process finds when it begins to write at once, without any waiting."""
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        (rows,) = connection.execute("SELECT count(*) FROM heap").fetchone()
        connection.execute("ROLLBACK")
        return rows


def open_files(folder: Path) -> list[str]:
    """Those of this process."""
    return [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if str(folder) in _target(link)]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_cancelled_writer_leaves_no_lock(heap, times) -> None:
    """Cancelled at many moments, and again while it is ending, as a timeout and then a stop do."""
    rows, cancelled = 0, 0
    for moment in range(MOMENTS):
        started = asyncio.Event()
        task = asyncio.create_task(fill(heap, started))
        await started.wait()
        for _ in range(times):
            for _ in range(moment):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait({task})
        cancelled += task.cancelled()
        found = await asyncio.to_thread(rows_elsewhere, heap.path)
        assert found - rows in (0, 3 * ROWS)
        rows = found
    assert cancelled > MOMENTS / 2


async def test_the_next_writer_goes_on_where_a_timeout_ended_one(heap) -> None:
    """Through the same database: it waits for its turn, never for a lock."""

    async def fill_on() -> None:
        async with heap.write() as connection:
            while True:
                await connection.execute(text(FILL), {"rows": ROWS})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fill_on(), 0.05)
    await fill(heap, asyncio.Event())
    assert rows_elsewhere(heap.path) == 3 * ROWS


async def test_a_cancelled_reader_keeps_no_snapshot(heap) -> None:
    """One that stayed open would keep deleted rows readable in the log."""
    for moment in range(MOMENTS):
        task = asyncio.create_task(read(heap))
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.wait({task})
    assert await heap.truncate_log()


async def read(database: Database) -> None:
    async with database.read() as connection:
        for _ in range(3):
            await connection.execute(text("SELECT count(*) FROM heap"))


async def test_closing_waits_for_what_is_under_way(heap) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(fill(heap, started))
    await started.wait()
    await asyncio.sleep(0)
    await heap.close()
    await task
    assert rows_elsewhere(heap.path) == 3 * ROWS
    assert open_files(heap.path) == []


async def test_closing_does_not_wait_for_ever(heap, monkeypatch) -> None:
    """One transaction forgot to end, another calculates without end; both are rolled back and the file is closed."""
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.1)
    begun = [asyncio.Event(), asyncio.Event()]

    async def forget() -> None:
        async with heap.write() as connection:
            await connection.execute(text("INSERT INTO heap VALUES (1)"))
            begun[0].set()
            await asyncio.sleep(3600)

    async def calculate() -> None:
        async with heap.read() as connection:
            begun[1].set()
            await connection.execute(text(COUNT.format("count(*)")), {"rows": 10**12})

    tasks = [asyncio.create_task(forget()), asyncio.create_task(calculate())]
    for event in begun:
        await event.wait()
    await heap.close()
    assert rows_elsewhere(heap.path) == 0
    tasks[0].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, BaseException) for end in ends)
    assert open_files(heap.path) == []


async def test_nothing_begins_after_the_end(heap) -> None:
    """A transaction would open the file again, and nobody would close it."""
    await heap.close()
    for begin in (heap.read, heap.write):
        with pytest.raises(DatabaseError, match="closed"):
            async with begin():
                pass
    with pytest.raises(DatabaseError, match="closed"):
        await heap.truncate_log()
    assert open_files(heap.path) == []
