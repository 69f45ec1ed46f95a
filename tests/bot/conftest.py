"""What the bot's tests share."""

import pytest

from bot.clock import utc_now
from bot.storage.database import Database
from bot.storage.migrate import migrate
from tests.bot.models import train_once


@pytest.fixture
async def database(tmp_path):
    """A migrated SQLite file."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/specrec.db")
    await migrate(database, utc_now)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def version(tmp_path_factory):
    """A model version's directory, trained once for all tests: copy it, change nothing."""
    return train_once(tmp_path_factory.mktemp("trained"))
