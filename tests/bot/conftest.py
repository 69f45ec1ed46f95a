"""What the bot's tests share."""

import asyncio
import shutil

import pytest

from bot.clock import utc_now
from bot.storage.database import Database
from bot.storage.migrate import migrate
from tests.bot.models import train_once


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A migrated SQLite file, made once for all tests: copy it, change nothing."""
    path = tmp_path_factory.mktemp("migrated") / "specrec.db"

    async def make() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await migrate(database, utc_now)
        await database.close()

    with asyncio.Runner() as runner:
        runner.run(make())
    return path


@pytest.fixture
async def database(tmp_path, migrated):
    """A migrated SQLite file of the test's own."""
    shutil.copy(migrated, tmp_path / "specrec.db")
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/specrec.db")
    yield database
    await database.close()


@pytest.fixture(scope="session")
def version(tmp_path_factory):
    """A model version's directory, trained once for all tests: copy it, change nothing."""
    return train_once(tmp_path_factory.mktemp("trained"))
