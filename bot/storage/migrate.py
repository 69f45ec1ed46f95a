"""Brings a database to this version's schema, after a backup copy; refuses a database from a newer version.

Alembic is imported only where there is something to migrate: it is a tenth of an idle bot's memory.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from bot.clock import Clock
from bot.errors import DatabaseError
from bot.storage.database import Database
from bot.storage.schema import metadata

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
ALEMBIC_VERSION = Table(  # as Alembic makes it
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
BACKUPS_KEPT = 3


async def migrate(database: Database, clock: Clock) -> None:
    """Run all pending migrations in one transaction; an empty database gets the schema as it is now. Raises
    `DatabaseError` in words for the host."""
    known = await asyncio.to_thread(revisions)
    try:
        async with database.read() as connection:
            tables, current = await connection.run_sync(_look)
    except DBAPIError as error:
        raise DatabaseError(f"The database that DATABASE_URL names cannot be used: {error.orig}.") from error
    if not tables:
        async with database.write() as connection:
            return await connection.run_sync(_create, known[-1])
    if current is not None and current not in known:
        raise DatabaseError(
            f"This database belongs to a newer version of SpecRec (schema {current}). Start that version, or put "
            "a backup made by this one in its place."
        )
    if current == known[-1]:
        return
    if current is not None and database.path is not None:
        backup = await asyncio.to_thread(_back_up, database.path, current, clock())
        log.info("schema %s -> %s, backup in %s", current, known[-1], backup.name)
    async with database.write() as connection:
        await connection.run_sync(upgrade)


def revisions() -> list[str]:
    """This version's migrations, oldest first, by their files' names: `0001_what_it_does.py`."""
    return sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def upgrade(connection: Connection) -> None:
    """Run the migrations one by one, from whatever stands there."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def prune_backups(database: Database, clock: Clock, life: timedelta) -> None:
    """Keep the newest three, none older than `life`: deleted members stand in them. Runs at the start, and often."""
    if database.path is not None:
        await asyncio.to_thread(_prune, database.path, clock(), life)


async def newest_backup(database: Database) -> datetime | None:
    """When the newest copy was made that is still there."""
    if database.path is None:
        return None
    return await asyncio.to_thread(_newest, database.path)


def _look(connection: Connection) -> tuple[list[str], str | None]:
    """The tables that are there, and the revision they stand at."""
    tables = inspect(connection).get_table_names()
    if ALEMBIC_VERSION.name not in tables:
        return tables, None
    return tables, connection.scalar(select(ALEMBIC_VERSION.c.version_num))


def _create(connection: Connection, revision: str) -> None:
    """What all migrations together make, in one step."""
    if _look(connection)[0]:  # another process was quicker
        return
    metadata.create_all(connection)
    ALEMBIC_VERSION.create(connection)
    connection.execute(insert(ALEMBIC_VERSION).values(version_num=revision))


def _back_up(path: Path, revision: str, now: datetime) -> Path:
    """SQLite's own online backup: complete also while the WAL holds pages."""
    target = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%SZ}.{revision}.backup")
    partial = target.with_suffix(".partial")
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(partial)) as copy,
    ):
        source.backup(copy)
    partial.chmod(0o600)
    os.replace(partial, target)  # noqa: PTH105 - says what it is: atomic
    return target


def _prune(path: Path, now: datetime, life: timedelta) -> None:
    backups = sorted(path.parent.glob(f"{path.name}.*.backup"), reverse=True)
    cut_short = path.parent.glob(f"{path.name}.*.partial")  # by a kill in the middle; as personal as the others
    outdated = [copy for copy in (*backups, *cut_short) if now - _made_at(copy, path) > life]
    for copy in {*backups[BACKUPS_KEPT:], *outdated}:
        copy.unlink(missing_ok=True)


def _newest(path: Path) -> datetime | None:
    copies = (*path.parent.glob(f"{path.name}.*.backup"), *path.parent.glob(f"{path.name}.*.partial"))
    return max((_made_at(copy, path) for copy in copies), default=None)


def _made_at(copy: Path, path: Path) -> datetime:
    """As the copy's name says."""
    return datetime.strptime(copy.name.removeprefix(f"{path.name}.").split(".")[0] + "+0000", "%Y%m%dT%H%M%SZ%z")
