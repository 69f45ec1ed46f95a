"""What members do not want the shared model to learn from, source by source."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.schema import training_refusal


async def refusals_of(connection: AsyncConnection, member_id: int) -> dict[str, datetime]:
    """Source -> since when."""
    query = select(training_refusal.c.source, training_refusal.c.since).where(training_refusal.c.member_id == member_id)
    return {row.source: row.since for row in await connection.execute(query)}


async def refuse(connection: AsyncConnection, member_id: int, sources: Iterable[str], now: datetime) -> None:
    """What was refused before keeps its date."""
    rows = [{"member_id": member_id, "source": source, "since": now} for source in sources]
    await upsert(connection, training_refusal, rows, key=["member_id", "source"])


async def allow(connection: AsyncConnection, member_id: int, sources: Iterable[str]) -> None:
    """As far as the host allows it too."""
    await connection.execute(
        delete(training_refusal).where(
            training_refusal.c.member_id == member_id, training_refusal.c.source.in_(list(sources))
        )
    )
