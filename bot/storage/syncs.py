"""What a sync needs to know of a linked account, and what it leaves behind there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.members import PAUSED
from bot.storage.schema import account, member

LINKED = "linked"
NEEDS_RECONNECT = "needs_reconnect"


@dataclass(frozen=True, slots=True)
class SyncAccount:
    id: int
    member_id: int
    discord_id: str
    source: str
    user_id: str  # what a playlist's owner is compared with
    status: str
    linked_at: datetime
    last_synced_at: datetime | None
    started_at: datetime | None  # set while a sync is under way, or stopped before its end
    resumes_at: datetime | None
    note: str | None
    authorised_at: datetime


async def account_of(connection: AsyncConnection, discord_id: str, source: str) -> SyncAccount | None:
    query = _select().where(member.c.discord_id == discord_id, account.c.source == source)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else SyncAccount(*row)


async def still_there(connection: AsyncConnection, of: SyncAccount) -> bool:
    """False once the member unlinked, even if they linked again since."""
    query = select(account.c.id).where(account.c.id == of.id, account.c.member_id == of.member_id)
    return await connection.scalar(query) is not None


async def due_accounts(
    connection: AsyncConnection, source: str, now: datetime, synced_before: datetime
) -> list[SyncAccount]:
    """Whose stopped sync may go on, and whose last one is old, of those who have not paused; who waited longest comes
    first."""
    ready = or_(account.c.sync_resumes_at.is_(None), account.c.sync_resumes_at <= now)
    query = (
        _select()
        .where(account.c.source == source, account.c.status == LINKED, account.c.member_id.not_in(PAUSED))
        .where(ready, is_waiting(synced_before))
        .order_by(account.c.last_synced_at.asc().nulls_first(), account.c.id)
    )
    return [SyncAccount(*row) for row in await connection.execute(query)]


def is_waiting(synced_before: datetime) -> ColumnElement[bool]:
    """Whose sync was stopped before its end, and whose last one is old, or never was."""
    return or_(
        account.c.sync_started_at.is_not(None),
        account.c.sync_resumes_at.is_not(None),
        account.c.last_synced_at.is_(None),
        account.c.last_synced_at <= synced_before,
    )


async def note_started(connection: AsyncConnection, account_id: int, started_at: datetime) -> None:
    await _set(connection, account_id, sync_started_at=started_at, sync_resumes_at=None)


async def note_stopped(
    connection: AsyncConnection, account_id: int, note: str, *, resumes_at: datetime | None, reconnect: bool = False
) -> None:
    """The sync ended before its end; what it read is kept, and the next one goes on from there. `reconnect`: only after
    the member linked anew."""
    await _set(connection, account_id, sync_note=note, sync_resumes_at=resumes_at)
    if reconnect:
        await _set(connection, account_id, status=NEEDS_RECONNECT)


async def note_complete(connection: AsyncConnection, account_id: int, now: datetime) -> None:
    await _set(connection, account_id, last_synced_at=now, sync_started_at=None, sync_resumes_at=None, sync_note=None)


async def _set(connection: AsyncConnection, account_id: int, **values: Any) -> None:
    await connection.execute(update(account).where(account.c.id == account_id).values(**values))


def _select() -> Select[*tuple[Any, ...]]:
    return select(
        account.c.id,
        account.c.member_id,
        member.c.discord_id,
        account.c.source,
        account.c.user_id,
        account.c.status,
        account.c.linked_at,
        account.c.last_synced_at,
        account.c.sync_started_at,
        account.c.sync_resumes_at,
        account.c.sync_note,
        account.c.authorised_at,
    ).join(member, member.c.id == account.c.member_id)
