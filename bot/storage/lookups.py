"""Songs that wait for their track, while somebody is asked for their Spotify ids."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.imports.base import Song
from bot.spotify.records import ArtistRecord, TrackRecord
from bot.storage.database import upsert
from bot.storage.schema import track_alias, unmatched_track
from bot.storage.tracks import store_tracks


@dataclass(frozen=True, slots=True)
class Waiting:
    id: int
    name_key: str
    song: Song


async def count_unasked(connection: AsyncConnection, asked_before: datetime) -> int:
    return await connection.scalar(select(func.count()).select_from(unmatched_track).where(_due(asked_before))) or 0


async def unasked(connection: AsyncConnection, asked_before: datetime, limit: int) -> list[Waiting]:
    """Songs whose Spotify id was never asked for, or in vain and before `asked_before`."""
    columns = unmatched_track.c
    query = select(columns.id, columns.name_key, columns.title, columns.artist, columns.isrc, columns.mbid)
    rows = await connection.execute(query.where(_due(asked_before)).order_by(columns.id).limit(limit))
    return [
        Waiting(key, name, Song(title, artist, None, isrc or None, None, mbid))
        for key, name, title, artist, isrc, mbid in rows
    ]


async def learn(
    connection: AsyncConnection, asked: Collection[Waiting], found: Mapping[int, str], source: str, now: datetime
) -> None:
    """`found`: `Waiting.id` -> Spotify id. Their names lead to these tracks from now on; the others were asked for in
    vain. Plays follow with `match_waiting`."""
    known = [one for one in asked if one.id in found]
    records = [
        TrackRecord(found[one.id], one.song.isrc, None, one.song.title, (ArtistRecord(None, one.song.artist),))
        for one in known
    ]
    keys = await store_tracks(connection, records, source, now, refresh=False)
    names = [{"scheme": "name", "value": one.name_key, "track_id": key} for one, key in zip(known, keys, strict=True)]
    await upsert(connection, track_alias, names, key=["scheme", "value"])
    missed = [one.id for one in asked if one.id not in found]
    await connection.execute(update(unmatched_track).where(unmatched_track.c.id.in_(missed)).values(looked_up_at=now))


def _due(asked_before: datetime) -> ColumnElement[bool]:
    asked_at = unmatched_track.c.looked_up_at
    return or_(asked_at.is_(None), asked_at < asked_before)
