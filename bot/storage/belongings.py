"""What belongs to a member: found from the schema itself, so that a new table is shown, exported and deleted without
being named here.

A table belongs to members when it has their `member_id` or `discord_id`, or when its rows go with a row that belongs to
one (a foreign key ON DELETE CASCADE). Where a row stays and only says who asked for it (a text column named `…_by`),
the name is taken out of it.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.catalogue import artists_of
from bot.storage.listens import forget_waiting
from bot.storage.schema import (
    UtcDateTime,
    artist,
    listen,
    listing,
    member,
    metadata,
    track,
    training_run,
    unmatched_track,
)
from bot.storage.tracks import forget_unshared

ROWS_AT_ONCE = 2000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE = ("first_seen", "linked_at", "created_at", "since", "started_at")  # what says best how long a row is there
_SHOWN = {track: ("title", "album", "spotify_id"), artist: ("name",), listing: ("source", "key"),
          unmatched_track: ("title", "artist")}  # what stands for a row of these in an export  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on Discord; `member_id` is None while nothing was collected of them."""

    discord_id: str
    member_id: int | None


@dataclass(frozen=True, slots=True)
class Belonging:
    """Rows of one table and one source (None: of no source); `since` is the earliest that is known."""

    table: str
    source: str | None
    rows: int
    since: datetime | None


async def person(connection: AsyncConnection, discord_id: str) -> Person:
    return Person(discord_id, await connection.scalar(select(member.c.id).where(member.c.discord_id == discord_id)))


def tables() -> list[str]:
    """The names of those whose rows belong to members or name them; each comes after what it refers to."""
    return [table.name for table in _tables()]


async def belongings_of(connection: AsyncConnection, of: Person) -> list[Belonging]:
    """What is held of a person, table by table and source by source; nothing where there is nothing."""
    found = []
    for table in _tables():
        source = _source(table)
        query = select(source if source is not None else func.max(None), func.count(), _earliest(table))
        query = query.select_from(_with_names(table)).where(_of(table, of))
        if source is not None:
            query = query.group_by(source).order_by(source)
        for name, rows, since in await connection.execute(query):
            if rows:
                found.append(Belonging(table.name, name, rows, _time(table, since)))
    return found


def columns(name: str) -> list[str]:
    """What stands in an export of this table: no token and no hash, which would be of use to nobody but a thief; beside
    a key what it stands for."""
    table = metadata.tables[name]
    named = [column.name for column in _columns(table)]
    for other in _referred(table):
        named += [f"{other.name}_{shown}" for shown in _SHOWN[other]]
        if other is track:
            named.append("track_artists")
    return [*named, "played_at"] if table is listen else named


async def rows_of(connection: AsyncConnection, name: str, of: Person) -> AsyncIterator[list[dict[str, Any]]]:
    """All of a person's rows of this table, some thousand at a time, with the names of `columns`."""
    table, named = metadata.tables[name], columns(name)
    chosen: list[ColumnElement[Any]] = list(_columns(table))
    for other in _referred(table):
        chosen += [other.c[shown].label(f"{other.name}_{shown}") for shown in _SHOWN[other]]
    selected = [column.name for column in chosen]
    empty: dict[str, Any] = dict.fromkeys(named)  # gives the columns their order
    query = select(*chosen).select_from(_with_names(table)).where(_of(table, of)).order_by(*table.primary_key.columns)
    async with connection.stream(query) as result:
        async for chunk in result.partitions(ROWS_AT_ONCE):
            rows = [empty | dict(zip(selected, row, strict=True)) for row in chunk]
            if track in _referred(table):
                names = await artists_of(connection, {row["track_id"] for row in rows})
                for row in rows:
                    row["track_artists"] = "; ".join(names.get(row["track_id"], ()))
            if table is listen:
                for row in rows:
                    row["played_at"] = _EPOCH + timedelta(minutes=row["minute"], seconds=max(row["second"], 0))
            yield rows


async def erase(connection: AsyncConnection, of: Person) -> None:
    """Every row of the person, their tokens among them, and what only they had of what nobody owns."""
    for table in reversed(_tables()):
        if _is_owned(table):
            await connection.execute(delete(table).where(_of(table, of)))
        for column in _named_in(table):
            blank: dict[str, Any] = {column.name: None if column.nullable else ""}
            if table is training_run:  # where they typed the command, which may be a direct message
                blank |= {"channel_id": None, "message_id": None}
            await connection.execute(update(table).where(column == of.discord_id).values(blank))
    await forget_waiting(connection)
    await forget_unshared(connection)


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if _is_owned(table) or _named_in(table)]


def _is_owned(table: Table) -> bool:
    return table is member or bool({"member_id", "discord_id"} & set(table.c.keys())) or _parent(table) is not None


def _named_in(table: Table) -> list[Column[Any]]:
    """Columns that hold the Discord id of whoever asked for something that stays."""
    return [column for column in table.c if column.name.endswith("_by") and isinstance(column.type, Text)]


def _parent(table: Table) -> Column[Any] | None:
    """The column by which rows go with a row that belongs to a member."""
    for column in table.c:
        for key in column.foreign_keys:
            if key.ondelete == "CASCADE" and key.column.table is not table and _is_owned(key.column.table):
                return column
    return None


def _of(table: Table, of: Person) -> ColumnElement[bool]:
    """Which rows are this person's."""
    key = of.member_id or 0  # never given out
    if table is member:
        return table.c.id == key
    if "member_id" in table.c:
        return table.c.member_id == key
    if "discord_id" in table.c:
        return table.c.discord_id == of.discord_id
    parent = _parent(table)
    if parent is not None:
        (reference,) = parent.foreign_keys
        return parent.in_(select(reference.column).where(_of(reference.column.table, of)))
    return or_(*(column == of.discord_id for column in _named_in(table)))


def _columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.c if not column.name.endswith(("token", "_hash", "verifier"))]


def _referred(table: Table) -> Sequence[Table]:
    """Tables whose rows are told by more than their keys."""
    return list(dict.fromkeys(key.column.table for column in table.c for key in column.foreign_keys
                              if key.column.table in _SHOWN))  # fmt: skip


def _with_names(table: Table) -> Any:
    joined: Any = table
    for other in _referred(table):
        (on,) = (column for column in table.c if any(key.column.table is other for key in column.foreign_keys))
        joined = joined.outerjoin(other, on == other.c.id)
    return joined


def _source(table: Table) -> Column[Any] | None:
    if "source" in table.c:
        return table.c.source
    return listing.c.source if listing in _referred(table) else None


def _earliest(table: Table) -> ColumnElement[Any]:
    if table is listen:
        return func.min(listen.c.minute)
    times = [column for column in table.c if isinstance(column.type, UtcDateTime)]
    best: Iterator[Column[Any]] = (table.c[name] for name in _SINCE if name in table.c)
    column = next(best, next(iter(times), None))
    return func.max(None) if column is None else func.min(column)


def _time(table: Table, since: Any) -> datetime | None:
    return _EPOCH + timedelta(minutes=since) if table is listen and since is not None else since
