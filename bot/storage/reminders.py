"""Whom to remind of the end of their consent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import account, member
from bot.storage.syncs import LINKED


@dataclass(frozen=True, slots=True)
class Reminded:
    """An account whose member agreed to reminders. `reminded_days`: what the last one said, None before the first."""

    account_id: int
    discord_id: str
    authorised_at: datetime
    reminded_days: int | None


async def agreed(connection: AsyncConnection, source: str) -> list[Reminded]:
    columns = account.c
    query = (
        select(columns.id, member.c.discord_id, columns.authorised_at, columns.reminded_days)
        .join(member, member.c.id == columns.member_id)
        .where(columns.source == source, columns.status == LINKED, columns.reminds)
    )
    return [Reminded(*row) for row in await connection.execute(query.order_by(columns.id))]


async def mark_reminded(connection: AsyncConnection, one: Reminded, days: int) -> None:
    """Unless the consent was renewed meanwhile."""
    same = account.c.id == one.account_id, account.c.authorised_at == one.authorised_at
    await connection.execute(update(account).where(*same).values(reminded_days=days))


async def stop_reminding(connection: AsyncConnection, member_id: int) -> None:
    await connection.execute(update(account).where(account.c.member_id == member_id).values(reminds=False))
