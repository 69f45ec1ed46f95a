"""What the bot's tests share."""

import pytest

from bot.clock import utc_now
from bot.storage.database import Database
from bot.storage.migrate import migrate


@pytest.fixture
async def database(tmp_path):
    """A migrated SQLite file."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/specrec.db")
    await migrate(database, utc_now)
    yield database
    await database.close()
