"""Who is known to this bot, by their Discord id."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.schema import member


async def member_of(connection: AsyncConnection, discord_id: str) -> int | None:
    """The member's key; None for somebody unknown."""
    key: int | None = await connection.scalar(select(member.c.id).where(member.c.discord_id == discord_id))
    return key


async def ensure_member(connection: AsyncConnection, discord_id: str, now: datetime) -> int:
    """The member's key; somebody unknown becomes a member."""
    await upsert(connection, member, [{"discord_id": discord_id, "created_at": now}], key=["discord_id"])
    key: int = (await connection.execute(select(member.c.id).where(member.c.discord_id == discord_id))).scalar_one()
    return key
