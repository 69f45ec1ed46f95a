"""Whom to remind of the end of their consent, and whom to tell that it broke before."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import account, member
from bot.storage.syncs import LINKED, NEEDS_RECONNECT

TOLD_LOST = 0  # as `reminded_days`: the member was told that the link broke


@dataclass(frozen=True, slots=True)
class Reminded:
    """An account whose member agreed to reminders. `reminded_days`: what the last one said, None before the first."""

    account_id: int
    discord_id: str
    authorised_at: datetime
    reminded_days: int | None


async def agreed(connection: AsyncConnection, source: str) -> list[Reminded]:
    return await _who(connection, source, account.c.status == LINKED)


async def broken(connection: AsyncConnection, source: str, since: datetime) -> list[Reminded]:
    """Whose link Spotify has refused since then at least, and who were not told yet."""
    columns = account.c
    untold = func.coalesce(columns.reminded_days, TOLD_LOST + 1) != TOLD_LOST
    return await _who(connection, source, columns.status == NEEDS_RECONNECT, columns.refused_at <= since, untold)


async def _who(connection: AsyncConnection, source: str, *where: ColumnElement[bool]) -> list[Reminded]:
    columns = account.c
    query = (
        select(columns.id, member.c.discord_id, columns.authorised_at, columns.reminded_days)
        .join(member, member.c.id == columns.member_id)
        .where(columns.source == source, columns.reminds, *where)
    )
    return [Reminded(*row) for row in await connection.execute(query.order_by(columns.id))]


async def mark_reminded(connection: AsyncConnection, one: Reminded, days: int) -> None:
    """Unless the consent was renewed meanwhile."""
    same = account.c.id == one.account_id, account.c.authorised_at == one.authorised_at
    await connection.execute(update(account).where(*same).values(reminded_days=days))


async def stop_reminding(connection: AsyncConnection, member_id: int) -> None:
    await connection.execute(update(account).where(account.c.member_id == member_id).values(reminds=False))
