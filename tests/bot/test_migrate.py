"""Migrations: up and down, equal to the schema, with a backup; a newer database is refused."""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from bot.clock import utc_now
from bot.errors import DatabaseError
from bot.storage.database import Database
from bot.storage.migrate import BACKUPS_KEPT, MIGRATIONS, migrate, prune_backups, revisions, upgrade
from bot.storage.schema import metadata

FIVE_DAYS = timedelta(days=5)


def _url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def _downgrade(connection: Connection) -> None:
    command.downgrade(_config(connection), "base")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _tables(connection: Connection) -> set[str]:
    rows = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
    return {row[0] for row in rows} - {"alembic_version", "sqlite_sequence"}


def _schema(connection: Connection) -> dict[str, list[str]]:
    """Each table and index as it was made, its parts in a fixed order (a column that was added later is the last one),
    defaults without Alembic's parentheses."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {name: sorted(_parts(re.sub(r"DEFAULT \((\w+)\)", r"DEFAULT \1", sql))) for name, sql in rows}


def _parts(sql: str) -> Iterator[str]:
    """What stands before, between and behind the outermost parentheses, cut at their commas."""
    depth, part = 0, ""
    for char in " ".join(sql.split()):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if (char == "(" and depth == 1) or (char == ")" and depth == 0) or (char == "," and depth == 1):
            yield part.strip()
            part = ""
        else:
            part += char
    yield part.strip()


async def test_up_equals_the_schema_and_down_leaves_nothing(tmp_path: Path) -> None:
    database = Database(_url(tmp_path / "a" / "b.db"))
    async with database.write() as connection:
        await connection.run_sync(upgrade)
    async with database.read() as connection:
        differences = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert differences == []
    async with database.write() as connection:
        await connection.run_sync(_downgrade)
    async with database.read() as connection:
        assert await connection.run_sync(_tables) == set()
    await migrate(database, utc_now)
    async with database.read() as connection:
        assert await connection.run_sync(_tables) == set(metadata.tables)
    await database.close()


async def test_an_empty_database_gets_what_all_migrations_make(tmp_path: Path) -> None:
    step_by_step, at_once = Database(_url(tmp_path / "a.db")), Database(_url(tmp_path / "b.db"))
    async with step_by_step.write() as connection:
        await connection.run_sync(upgrade)
    await migrate(at_once, utc_now)
    for what in (_schema, lambda c: c.execute(text("SELECT * FROM alembic_version")).all()):
        async with step_by_step.read() as one, at_once.read() as other:
            assert await one.run_sync(what) == await other.run_sync(what)
    await step_by_step.close()
    await at_once.close()


async def test_an_upgrade_keeps_every_row(tmp_path: Path) -> None:
    """SQLite's way to change a table is to drop it, and what belongs to its rows may go with it."""
    rows = (
        "INSERT INTO member (id, discord_id, created_at) VALUES (1, '100', '2026-01-01')",
        "INSERT INTO account (member_id, source, external_id, user_id, status, authorised_at, linked_at)"
        " VALUES (1, 'spotify', 'e', 'u', 'linked', '2026-01-01', '2026-01-01')",
        "INSERT INTO listing (id, member_id, source, key) VALUES (1, 1, 'spotify', 'saved')",
        "INSERT INTO track (id, title, source, updated_at) VALUES (1, 'A', 'spotify', '2026-01-01')",
        "INSERT INTO track_alias (scheme, value, track_id) VALUES ('spotify', 'a', 1)",
        "INSERT INTO artist (id, name) VALUES (1, 'B')",
        "INSERT INTO track_artist (track_id, position, artist_id) VALUES (1, 0, 1)",
        "INSERT INTO audio_features (track_id, source, known, fetched_at) VALUES (1, 'x', 0, '2026-01-01')",
        "INSERT INTO interaction (member_id, track_id, listing_id, kind, source, count, first_seen, last_seen)"
        " VALUES (1, 1, 1, 'saved', 'spotify', 1, '2026-01-01', '2026-01-01')",
        "INSERT INTO artist_follow (listing_id, artist_id, member_id, first_seen, last_seen)"
        " VALUES (1, 1, 1, '2026-01-01', '2026-01-01')",
        "INSERT INTO listen (listing_id, minute, second, play, track_id) VALUES (1, 1, 1, 1, 1)",
        "INSERT INTO training_run (id, status, requested_by, started_at, heartbeat_at)"
        " VALUES (1, 'promoted', '100', '2026-01-01', '2026-01-01')",
        "INSERT INTO model_version (version, run_id, status, created_at, report)"
        " VALUES ('v', 1, 'promoted', '2026-01-01', '{}')",
        "INSERT INTO active_model (slot, version, since) VALUES (1, 'v', '2026-01-01')",
    )
    database = Database(_url(tmp_path / "specrec.db"))
    async with database.write() as connection:
        await connection.run_sync(lambda c: command.upgrade(_config(c), "0001"))
        for row in rows:
            await connection.execute(text(row))
    async with database.write() as connection:
        await connection.run_sync(upgrade)
    async with database.read() as connection:
        for row in rows:
            assert await connection.scalar(text(f"SELECT count(*) FROM {row.split()[2]}")) == 1, row
        assert await connection.scalar(text("SELECT run_id FROM model_version")) == 1
    await database.close()


async def test_two_processes_make_one_schema(tmp_path: Path) -> None:
    databases = [Database(_url(tmp_path / "specrec.db")) for _ in range(2)]
    await asyncio.gather(*(migrate(database, utc_now) for database in databases))
    async with databases[0].read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    for database in databases:
        await database.close()


def test_revisions_are_told_by_their_files_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    walked = ScriptDirectory.from_config(config).walk_revisions()
    assert revisions() == [script.revision for script in walked][::-1]


def test_a_bot_with_nothing_to_migrate_does_without_alembic() -> None:
    code = "import sys, bot.__main__, bot.app; assert 'sqlalchemy' in sys.modules; assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "specrec.db"
    database = Database(_url(path))
    await migrate(database, utc_now)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer version"):
        await migrate(database, utc_now)
    await database.close()
    assert not list(tmp_path.glob("*.backup"))


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "specrec.db"
    path.write_bytes(b"a photo of the sea" * 100)
    database = Database(_url(path))
    with pytest.raises(DatabaseError, match="cannot be used: file is not a database"):
        await migrate(database, utc_now)
    await database.close()
    assert path.read_bytes() == b"a photo of the sea" * 100


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)  # as if it were not installed
    with pytest.raises(DatabaseError, match="needs the package asyncpg"):
        Database("postgresql+asyncpg://127.0.0.1/specrec")


async def test_a_pending_migration_makes_a_backup_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "specrec.db"
    database = Database(_url(path))
    await migrate(database, utc_now)
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO note (key, value) VALUES ('a', 'b')"))
    # Stand where a next release will: one revision more than this database has.
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    newest = revisions()[-1]
    (folder / "versions" / "9999_next.py").write_text(
        f"revision = '9999'\ndown_revision = '{newest}'\nbranch_labels = None\ndepends_on = None\n"
        "from alembic import op\ndef upgrade():\n    op.execute(\"UPDATE note SET value = 'c'\")\n"
        "def downgrade():\n    pass\n"
    )
    monkeypatch.setattr("bot.storage.migrate.MIGRATIONS", folder)
    await migrate(database, utc_now)
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT value FROM note")) == "c"
    await database.close()
    (backup,) = tmp_path.glob("specrec.db.*.backup")
    with sqlite3.connect(backup) as copy:
        assert copy.execute("SELECT value FROM note").fetchone() == ("b",)
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (newest,)
    copy.close()


async def test_three_backups_are_kept_none_older_than_five_days(tmp_path: Path) -> None:
    now = datetime(2026, 7, 10, 12, tzinfo=UTC)
    for days in (0, 1, 2, 3, 6):
        (tmp_path / f"specrec.db.{now - timedelta(days=days):%Y%m%dT%H%M%SZ}.0001.backup").touch()
    database = Database(_url(tmp_path / "specrec.db"))
    await prune_backups(database, lambda: now, FIVE_DAYS)
    assert len(list(tmp_path.glob("*.backup"))) == BACKUPS_KEPT
    await prune_backups(database, lambda: now + timedelta(days=4), FIVE_DAYS)
    assert len(list(tmp_path.glob("*.backup"))) == 2
    await database.close()


async def test_a_copy_that_was_cut_short_is_removed_too(tmp_path: Path) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    database = Database(_url(tmp_path / "specrec.db"))
    old, fresh = (tmp_path / f"specrec.db.{day}T000000Z.0001.partial" for day in ("20260625", "20260630"))
    old.touch()
    fresh.touch()  # another process may be writing it
    await prune_backups(database, lambda: now, FIVE_DAYS)
    assert not old.exists()
    assert fresh.exists()
    await database.close()


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(_url(tmp_path / "specrec.db"))
    await migrate(database, utc_now)
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO note (key, value) VALUES ('a', 'b')"))
            raise RuntimeError
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM note")) == 0
    for pragma, value in (("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 10_000)):
        async with database.read() as connection:
            assert await connection.scalar(text(f"PRAGMA {pragma}")) == value
    await database.close()
