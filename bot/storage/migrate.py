"""Brings a database to this version's schema, after a backup copy; refuses a database from a newer version."""

import asyncio
import contextlib
import logging
import os
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from bot.clock import Clock
from bot.errors import DatabaseError
from bot.storage.database import Database

log = logging.getLogger(__name__)

BACKUPS_KEPT = 3
BACKUP_LIFE = timedelta(days=5)  # Spotify's terms: a disconnected member's data is gone within five days


async def migrate(database: Database, clock: Clock) -> None:
    """Run all pending migrations in one transaction. Raises `DatabaseError` in words for the host."""
    config = _config()
    head = ScriptDirectory.from_config(config).get_current_head()
    async with database.read() as connection:
        current = await connection.run_sync(_revision)
    if current is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(current)
        except CommandError as error:
            raise DatabaseError(
                f"This database belongs to a newer version of SpecRec (schema {current}). Start that version, or put "
                "a backup made by this one in its place."
            ) from error
    if current == head:
        return
    if current is not None and database.path is not None:
        backup = await asyncio.to_thread(_back_up, database.path, current, clock())
        log.info("schema %s -> %s, backup in %s", current, head, backup.name)
    async with database.write() as connection:
        await connection.run_sync(_upgrade, config)


async def prune_backups(database: Database, clock: Clock) -> None:
    """Keep the newest three, none older than five days. Runs at the start and every day."""
    if database.path is not None:
        await asyncio.to_thread(_prune, database.path, clock())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


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


def _prune(path: Path, now: datetime) -> None:
    backups = sorted(path.parent.glob(f"{path.name}.*.backup"), reverse=True)
    for position, backup in enumerate(backups):
        made = datetime.strptime(backup.name.removeprefix(f"{path.name}.").split(".")[0] + "+0000", "%Y%m%dT%H%M%SZ%z")
        if position >= BACKUPS_KEPT or now - made > BACKUP_LIFE:
            backup.unlink(missing_ok=True)
