"""A row for each of two people in every table there is, made from the schema alone: a new table is filled too."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, Table, Text, insert, select

from bot.storage.database import Connection, Database
from bot.storage.schema import UtcDateTime, metadata

SEEN = datetime(2026, 11, 1, 12, tzinfo=UTC)
ADA, BOB = "100000000000000001", "200000000000000002"  # Discord ids
COMMON = {  # what belongs to nobody
    "active_model",
    "artist",
    "audio_features",
    "feature_scale",
    "model_version",
    "note",
    "spotify_endpoint",
    "spotify_quota",
    "spotify_usage",
    "track",
    "track_alias",
    "track_artist",
    "unmatched_track",
}
NAMED_ONLY = {  # rows that stay, with the name of whoever asked for something
    table.name
    for table in metadata.tables.values()
    if any(column.name.endswith("_by") and isinstance(column.type, Text) for column in table.c)
    and not {"member_id", "discord_id"} & set(table.c.keys())
}
PLACES = ("channel_id", "message_id")  # where they did, which is theirs too
EXCLUDED = {("listen", "unmatched_id")}  # a play has a track or a name, not both


async def fill(database: Database, discord_id: str, name: str) -> None:
    """One row in every table that can belong to this person; their texts begin with `name`. What belongs to nobody is
    filled once, by whoever comes first."""
    async with database.write() as connection:
        keys: dict[str, Any] = {}
        for table in metadata.sorted_tables:
            if table.name in COMMON and await connection.scalar(select(table).limit(1)) is not None:
                keys[table.name] = await _first_key(connection, table)
                continue
            theirs = PLACES if table.name in NAMED_ONLY else () if table.name in COMMON else tuple(table.c.keys())
            row = {
                column.name: _value(column, name if column.name in theirs else "common", discord_id, keys)
                for column in table.c
                if not _is_made(column)
            }
            await connection.execute(
                insert(table).values({key: value for key, value in row.items() if value is not None})
            )
            keys[table.name] = await _last_key(connection, table)


def _is_made(column: Column[Any]) -> bool:
    """By the database."""
    return column.primary_key and column.name == "id" and not column.foreign_keys


def _value(column: Column[Any], who: str, discord_id: str, keys: dict[str, Any]) -> Any:
    if (column.table.name, column.name) in EXCLUDED:
        return None
    for key in column.foreign_keys:
        return keys[key.column.table.name]
    if column.name == "discord_id" or (column.name.endswith("_by") and isinstance(column.type, Text)):
        return discord_id
    if column.name == "paused_at":
        return None
    if (column.table.name, column.name) == ("training_run", "status"):
        return "promoted"
    by_type: dict[type, Any] = {
        Text: f"{who} {column.table.name} {column.name}",
        UtcDateTime: SEEN,
        JSON: {"of": who},
        Boolean: True,
        Float: 0.5,
        BigInteger: 1,
        Integer: 1,
    }
    return next(value for kind, value in by_type.items() if isinstance(column.type, kind))


async def _first_key(connection: Connection, table: Table) -> Any:
    return await connection.scalar(select(_key(table)).limit(1))


async def _last_key(connection: Connection, table: Table) -> Any:
    return await connection.scalar(select(_key(table)).order_by(_key(table).desc()).limit(1))


def _key(table: Table) -> Column[Any]:
    """What other tables refer to, if anything does."""
    return next(iter(table.primary_key.columns), next(iter(table.c)))
