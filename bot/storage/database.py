"""The engine behind DATABASE_URL: transactions, and the two or three things in which databases differ."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Insert, Table, any_, event, func, insert, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from bot.errors import DatabaseError
from bot.storage.connection import SteadyConnection, to_its_end

log = logging.getLogger(__name__)

Connection = AsyncConnection  # for services, which hand it on to queries and know no SQL
Rows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""By the names of their columns: one after another, each with all of these, or column by column, which is quicker for
tens of thousands."""
Excluded = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]  # the columns of the row that could not be inserted

BUSY_TIMEOUT_MS = 10_000  # a page's transaction takes milliseconds; another process may hold the lock that long
CLOSE_WITHIN_S = 4.0  # of the ten seconds in which the bot ends
INTERRUPTED_WITHIN_S = 1.0


class Database:
    """Owner of the engine. `read()` and `write()` are the only ways to a connection; each is one transaction.
    Raises `DatabaseError` where the database's driver is not installed."""

    def __init__(self, url: str, *, cache_mb: int = 2) -> None:
        """`cache_mb`: memory for SQLite's pages, of each connection."""
        self.url = make_url(url)
        self.log_is_due = True  # an earlier process may have been killed before it could
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _sqlite_engine(url, cache_mb) if self.is_sqlite else _server_engine(url)
        # SQLite's own waiting is a lottery: in a busy hour a command could lose against ten syncs for seconds.
        self._turn: AbstractAsyncContextManager[object] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._under_way: set[SteadyConnection] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for another database or one in memory."""
        name = self.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent snapshot; does not wait for a writer (WAL)."""
        async with self._transaction() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Committed at the end, rolled back on any exception; a task that is cancelled goes on being cancelled when
        that is done, so nobody ever finds its lock. On SQLite the write lock is taken at once, so that a transaction
        which reads before it writes cannot fail halfway."""
        async with self._turn, self._transaction(specrec_write=True) as connection:
            yield connection
            await connection.commit()

    async def truncate_log(self) -> bool:
        """After a deletion that must be final: until a truncating checkpoint, deleted rows stay readable in SQLite's
        write-ahead log. False when readers kept it busy for the whole timeout, and it is to be tried again
        (`log_is_due`). Other databases have no such log."""
        if not self.is_sqlite:
            return True
        self.log_is_due = True
        async with self._transaction(specrec_bare=True) as connection:
            busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).scalar_one()
        self.log_is_due = busy != 0
        return not self.log_is_due

    async def close(self) -> None:
        """Waits for the transactions under way, though not for ever, and closes the file. Nothing begins from here on:
        `DatabaseError`."""
        self._closed = True
        if not await self._is_idle(CLOSE_WITHIN_S):
            log.warning("transactions did not end within %g s of the stop; they are rolled back", CLOSE_WITHIN_S)
            for connection in list(self._under_way):
                await connection.interrupt()
            await self._is_idle(INTERRUPTED_WITHIN_S)
            for connection in list(self._under_way):
                await connection.cut()
        await to_its_end(self._engine.dispose())

    async def _is_idle(self, within_s: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), within_s)
        return self._idle.is_set()

    @asynccontextmanager
    async def _transaction(self, **options: bool) -> AsyncIterator[AsyncConnection]:
        if self._closed:
            raise DatabaseError("the database is closed: the bot is stopping")
        connection = SteadyConnection(self._engine)
        self._under_way.add(connection)
        self._idle.clear()
        try:
            await connection.open(**options)
            yield connection
        finally:
            try:
                await connection.close()
            finally:
                self._under_way.discard(connection)
                if not self._under_way:
                    self._idle.set()


async def upsert(
    connection: AsyncConnection,
    table: Table,
    rows: Rows,
    *,
    key: Iterable[str],
    update: Iterable[str] | Callable[[Excluded], dict[str, ColumnElement[Any]]] = (),
) -> None:
    """Insert `rows`; where `key` exists already, set the columns of `update` to the new row's values (or to what it
    makes of them), or leave the old row alone when there are none. No rows: nothing happens."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    new = statement.excluded
    changes = update(new) if callable(update) else {name: new[name] for name in update}
    keys = list(key)
    if changes:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    await _insert(connection, statement, rows)


async def insert_all(connection: AsyncConnection, table: Table, rows: Rows) -> None:
    """No rows: nothing happens."""
    await _insert(connection, insert(table), rows)


async def _insert(connection: AsyncConnection, statement: Insert, rows: Rows) -> None:
    """As the driver takes them: SQLAlchemy's own way costs several times as much for each row, which thousands of plays
    feel. What the columns' types do to values is done here."""
    columns = _columns(rows)
    if not any(columns.values()):
        return
    dialect = connection.dialect
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    values = []
    for name in compiled.positiontup or []:
        convert = statement.table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        values.append(columns[name] if convert is None else _converted(columns[name], convert))
    await connection.exec_driver_sql(str(compiled), list(zip(*values, strict=True)))


def _columns(rows: Rows) -> Mapping[str, Sequence[Any]]:
    if isinstance(rows, Mapping):
        return rows
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _converted(values: Sequence[Any], convert: Callable[[Any], Any]) -> Sequence[Any]:
    """Where all rows seem to hold the same value, as in most columns of times, each different one once."""
    if values[0] is not values[-1]:
        return [convert(value) for value in values]
    done: dict[int, Any] = {}
    for value in values:
        if id(value) not in done:
            done[id(value)] = convert(value)
    return [done[id(value)] for value in values]


def among(
    connection: AsyncConnection, column: Column[Any], values: Iterable[str] | Iterable[int]
) -> ColumnElement[bool]:
    """That `column` is one of `values`, any number of them: as one parameter, for thousands cost SQLAlchemy more than
    they cost the database, and databases take no more than 32,766."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(json.dumps(list(values))).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(literal(list(values), postgresql.ARRAY(column.type)))


async def new_keys(connection: AsyncConnection, table: Table, count: int) -> list[int]:
    """`count` keys that no row of `table` ever had, in ascending order, for an autoincrement `id`: asking for the keys
    of inserted rows instead would send the rows to SQLite one by one."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = :name), 0)")
        last: int = (await connection.execute(query, {"name": table.name})).scalar_one()
        return list(range(last + 1, last + 1 + count))
    query = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    return sorted(await connection.scalars(query, {"name": table.name, "count": count}))


def _server_engine(url: str) -> AsyncEngine:
    try:
        return create_async_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise DatabaseError(f"DATABASE_URL needs the package {error.name}, which is not installed.") from error


def _sqlite_engine(url: str, cache_mb: int) -> AsyncEngine:
    engine = create_async_engine(url)

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is below
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # what was acknowledged survives a power cut, not only a kill
            "foreign_keys = ON",
            f"cache_size = -{1000 * cache_mb}",
            "secure_delete = ON",  # deleted rows are overwritten, not only forgotten
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if not options.get("specrec_bare", False):  # a checkpoint cannot run inside a transaction
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("specrec_write", False) else "BEGIN")

    return engine
