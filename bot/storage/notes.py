"""Small facts of this installation that outlive a restart."""

from sqlalchemy import select

from bot.storage.database import Database, upsert
from bot.storage.schema import note


class Notes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> str | None:
        async with self._database.read() as connection:
            value: str | None = await connection.scalar(select(note.c.value).where(note.c.key == key))
            return value

    async def put(self, key: str, value: str) -> None:
        async with self._database.write() as connection:
            await upsert(connection, note, [{"key": key, "value": value}], key=["key"], update=["value"])
