"""How the numbers of each source of audio features become comparable: a line for each of the nine, value · factor +
shift, that brings them to the scale of one of the sources."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import upsert
from bot.storage.schema import audio_features, feature_scale

Lines = tuple[tuple[float, float], ...]  # factor and shift of each feature, in their order


async def scales(connection: AsyncConnection) -> dict[str, Lines]:
    """Of the sources whose numbers have to be moved."""
    query = select(feature_scale.c.source, feature_scale.c.lines)
    return {source: tuple((line[0], line[1]) for line in lines) for source, lines in await connection.execute(query)}


async def put_scales(connection: AsyncConnection, lines: Mapping[str, Lines], now: datetime) -> None:
    """In the place of all that were there."""
    await connection.execute(delete(feature_scale).where(feature_scale.c.source.not_in(list(lines))))
    rows = [
        {"source": source, "lines": [list(line) for line in of_source], "measured_at": now}
        for source, of_source in lines.items()
    ]
    await upsert(connection, feature_scale, rows, key=["source"], update=["lines", "measured_at"])


async def samples(
    connection: AsyncConnection, names: Sequence[str], limit: int
) -> dict[str, list[tuple[float | None, ...]]]:
    """The features `names` of at most `limit` tracks of each source, picked over all of them."""
    columns = [audio_features.c[name] for name in names]
    sources = await connection.scalars(select(audio_features.c.source).where(audio_features.c.known).distinct())
    found: dict[str, list[tuple[float | None, ...]]] = {}
    for source in sources:
        query = select(*columns).where(audio_features.c.source == source, audio_features.c.known)
        scattered = audio_features.c.track_id * 7_919 % 100_003
        found[source] = [tuple(row) for row in await connection.execute(query.order_by(scattered).limit(limit))]
    return found
