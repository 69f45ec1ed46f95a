"""The nine numbers of each track, per source; a row of NULLs remembers that a source did not know the track."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.catalogue import FEATURE_COLUMNS
from bot.storage.database import Rows, upsert
from bot.storage.schema import audio_features, interaction, track

NAMES = tuple(column.name for column in FEATURE_COLUMNS)


@dataclass(frozen=True, slots=True)
class Missing:
    """`missed_by`: sources that were asked a short while ago and did not know the track."""

    track_id: int
    spotify_id: str
    missed_by: frozenset[str]


async def missing_features(
    connection: AsyncConnection,
    sources: Sequence[str],
    missed_since: datetime,
    *,
    member_id: int | None,
    limit: int,
) -> list[Missing]:
    """Tracks (of one member, or of all) that no source knows and that at least one of `sources` was not asked for
    since `missed_since`. Local files have no id to ask by."""
    known = select(audio_features.c.track_id).where(audio_features.c.track_id == track.c.id, audio_features.c.known)
    misses = (
        select(audio_features.c.track_id, func.count().label("count"))
        .where(
            ~audio_features.c.known,
            audio_features.c.source.in_(sources),
            audio_features.c.fetched_at > missed_since,
        )
        .group_by(audio_features.c.track_id)
        .subquery()
    )
    heard = select(interaction.c.track_id).where(interaction.c.track_id == track.c.id)
    if member_id is not None:
        heard = heard.where(interaction.c.member_id == member_id)
    query = (
        select(track.c.id, track.c.spotify_id)
        .outerjoin(misses, misses.c.track_id == track.c.id)
        .where(
            track.c.spotify_id.is_not(None),
            func.coalesce(misses.c.count, 0) < len(sources),
            ~known.exists(),
            heard.exists(),
        )
        .order_by(track.c.id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    missed_by: dict[int, set[str]] = {}
    if len(sources) > 1:
        recent = select(audio_features.c.track_id, audio_features.c.source).where(
            audio_features.c.track_id.in_([row.id for row in rows]),
            ~audio_features.c.known,
            audio_features.c.fetched_at > missed_since,
        )
        for track_id, source in await connection.execute(recent):
            missed_by.setdefault(track_id, set()).add(source)
    return [Missing(row.id, row.spotify_id, frozenset(missed_by.get(row.id, ()))) for row in rows]


async def store_features(
    connection: AsyncConnection,
    source: str,
    asked: Sequence[int],
    found: Mapping[int, Mapping[str, float | None]],
    now: datetime,
) -> None:
    """`found`: track -> the nine by name; asked and not found is a miss. Tracks deleted meanwhile are passed over."""
    there = set(await connection.scalars(select(track.c.id).where(track.c.id.in_(asked))))
    rows = [
        {
            **(found.get(track_id) or dict.fromkeys(NAMES)),
            "track_id": track_id,
            "source": source,
            "known": track_id in found,
            "fetched_at": now,
        }
        for track_id in asked
        if track_id in there
    ]
    await upsert(connection, audio_features, rows, key=["track_id", "source"], update=[*NAMES, "known", "fetched_at"])


async def put_features(
    connection: AsyncConnection, source: str, found: Mapping[int, Sequence[float | None]], now: datetime
) -> None:
    """Of tracks that are there: track -> the nine in the order of `NAMES`."""
    rows: Rows = {
        "track_id": list(found),
        "source": [source] * len(found),
        **dict(zip(NAMES, zip(*found.values(), strict=True), strict=False)),  # none found: no columns
        "known": [True] * len(found),
        "fetched_at": [now] * len(found),
    }
    await upsert(connection, audio_features, rows, key=["track_id", "source"], update=[*NAMES, "known", "fetched_at"])


async def count_known(connection: AsyncConnection, member_id: int) -> int:
    """Different tracks of a member with known features."""
    query = (
        select(func.count(interaction.c.track_id.distinct()))
        .join(audio_features, audio_features.c.track_id == interaction.c.track_id)
        .where(interaction.c.member_id == member_id, audio_features.c.known)
    )
    return await connection.scalar(query) or 0
