"""The readable lists of a member and how far each has been read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import PausedError
from bot.storage.database import upsert
from bot.storage.schema import interaction, listing, member


@dataclass(frozen=True, slots=True)
class Listing:
    id: int
    member_id: int
    source: str
    key: str
    snapshot: str | None  # what the source called the state that was last read to the end
    cursor: dict[str, Any] | None  # where to go on
    reading_since: datetime | None  # rows not seen since then are gone once this reading is complete
    completed_at: datetime | None


async def open_listing(connection: AsyncConnection, member_id: int, source: str, key: str) -> Listing:
    """The listing, made when it is new. Raises `PausedError`: whatever stores something for a member comes by here."""
    if await connection.scalar(select(member.c.paused_at).where(member.c.id == member_id)) is not None:
        raise PausedError
    place = {"member_id": member_id, "source": source, "key": key}
    await upsert(connection, listing, [place], key=["member_id", "source", "key"])
    return Listing(*(await connection.execute(_select().filter_by(**place))).one())


async def listing_by_id(connection: AsyncConnection, listing_id: int) -> Listing:
    return Listing(*(await connection.execute(_select().filter_by(id=listing_id))).one())


async def listings_of(connection: AsyncConnection, member_id: int, source: str, prefix: str = "") -> list[Listing]:
    """Those whose key starts with `prefix`, e.g. "playlist:"."""
    query = _select().where(
        listing.c.member_id == member_id, listing.c.source == source, listing.c.key.startswith(prefix, autoescape=True)
    )
    return [Listing(*row) for row in await connection.execute(query.order_by(listing.c.id))]


async def begin_reading(connection: AsyncConnection, listing_id: int, since: datetime) -> None:
    await connection.execute(update(listing).where(listing.c.id == listing_id).values(cursor=None, reading_since=since))


async def keep_place(connection: AsyncConnection, listing_id: int, cursor: dict[str, Any]) -> None:
    """Everything before this place is stored."""
    await connection.execute(update(listing).where(listing.c.id == listing_id).values(cursor=cursor))


async def complete_reading(
    connection: AsyncConnection,
    listing_id: int,
    now: datetime,
    *,
    snapshot: str | None,
    cursor: dict[str, Any] | None = None,
) -> None:
    """`cursor` stays only where the next reading goes on from this one (recently played)."""
    await connection.execute(
        update(listing)
        .where(listing.c.id == listing_id)
        .values(cursor=cursor, reading_since=None, completed_at=now, snapshot=snapshot)
    )


async def last_completed(connection: AsyncConnection, member_id: int, source: str) -> datetime | None:
    """When any listing was last read to the end."""
    query = select(listing.c.completed_at).where(listing.c.member_id == member_id, listing.c.source == source)
    latest: datetime | None = await connection.scalar(
        query.where(listing.c.completed_at.is_not(None)).order_by(listing.c.completed_at.desc()).limit(1)
    )
    return latest


async def delete_listing(connection: AsyncConnection, member_id: int, source: str, key: str) -> int:
    """With its follows and its interactions; returns how many of these."""
    place = {"member_id": member_id, "source": source, "key": key}
    listing_id = await connection.scalar(select(listing.c.id).filter_by(**place))
    rows = await connection.execute(delete(interaction).where(interaction.c.listing_id == listing_id))
    await connection.execute(delete(listing).where(listing.c.id == listing_id))
    return rows.rowcount


def _select() -> Any:
    return select(
        listing.c.id,
        listing.c.member_id,
        listing.c.source,
        listing.c.key,
        listing.c.snapshot,
        listing.c.cursor,
        listing.c.reading_since,
        listing.c.completed_at,
    )
