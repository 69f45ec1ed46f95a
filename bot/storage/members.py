"""Who is known to this bot, by their Discord id."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.schema import member

PAUSED = select(member.c.id).where(member.c.paused_at.is_not(None))
"""Keys of the members whose data is kept, but neither collected, nor trained on, nor shown to others for now."""


async def member_of(connection: AsyncConnection, discord_id: str) -> int | None:
    """The member's key; None for somebody unknown."""
    key: int | None = await connection.scalar(select(member.c.id).where(member.c.discord_id == discord_id))
    return key


async def ensure_member(connection: AsyncConnection, discord_id: str, now: datetime) -> int:
    """The member's key; somebody unknown becomes a member."""
    await upsert(connection, member, [{"discord_id": discord_id, "created_at": now}], key=["discord_id"])
    key: int = (await connection.execute(select(member.c.id).where(member.c.discord_id == discord_id))).scalar_one()
    return key


async def paused_since(connection: AsyncConnection, discord_id: str) -> datetime | None:
    """None for somebody who has not paused, or is unknown."""
    since: datetime | None = await connection.scalar(
        select(member.c.paused_at).where(member.c.discord_id == discord_id)
    )
    return since


async def set_paused(connection: AsyncConnection, member_id: int, since: datetime | None) -> None:
    """None: go on."""
    await connection.execute(update(member).where(member.c.id == member_id).values(paused_at=since))
