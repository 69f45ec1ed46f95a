"""How far a member has come with linking, as far as it explains an empty history."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import account, member


@dataclass(frozen=True, slots=True)
class Standing:
    """One linked account: `status` is linked or needs_reconnect, `sync_note` why the last sync did not complete."""

    status: str
    last_synced_at: datetime | None
    sync_note: str | None


async def standings(connection: AsyncConnection, discord_id: str) -> list[Standing]:
    """All accounts that this member linked; empty for somebody unknown."""
    query = (
        select(account.c.status, account.c.last_synced_at, account.c.sync_note)
        .join(member, member.c.id == account.c.member_id)
        .where(member.c.discord_id == discord_id)
        .order_by(account.c.id)
    )
    return [Standing(*row) for row in await connection.execute(query)]
