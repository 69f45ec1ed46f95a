"""What is stored about a member, in numbers."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import interaction


@dataclass(frozen=True, slots=True)
class Holding:
    """What came from one source in one way: different tracks, and the listings (playlists …) that hold them."""

    source: str
    kind: str
    tracks: int
    listings: int


async def holdings_of(connection: AsyncConnection, member_id: int) -> list[Holding]:
    query = (
        select(
            interaction.c.source,
            interaction.c.kind,
            func.count(interaction.c.track_id.distinct()),
            func.count(interaction.c.listing_id.distinct()),
        )
        .where(interaction.c.member_id == member_id)
        .group_by(interaction.c.source, interaction.c.kind)
        .order_by(interaction.c.source, interaction.c.kind)
    )
    return [Holding(*row) for row in await connection.execute(query)]
