"""What a member did with which tracks, as it stands now."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.catalogue import rows
from bot.storage.schema import interaction, member


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One track and kind: `count` over all listings that hold it, `occurred_at` the latest, None where none says."""

    track_id: str
    kind: str
    count: int
    occurred_at: datetime | None


async def history_of(connection: AsyncConnection, discord_id: str) -> list[HistoryRow]:
    """Everything from every source, what was given on the bot's own buttons a second ago included; empty for somebody
    unknown."""
    query = (
        select(
            interaction.c.track_id,
            interaction.c.kind,
            func.sum(interaction.c.count),
            func.max(interaction.c.occurred_at),
        )
        .where(
            interaction.c.member_id == select(member.c.id).where(member.c.discord_id == discord_id).scalar_subquery()
        )
        .group_by(interaction.c.track_id, interaction.c.kind)
    )
    return [
        HistoryRow(str(key), kind, int(count), occurred_at)
        async for key, kind, count, occurred_at in rows(connection, query)
    ]
