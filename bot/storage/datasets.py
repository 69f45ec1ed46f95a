"""Tracks and people of the host's own files. People of a file are members of their own kind: their Discord id is no
number but the file's name and what it calls them, so that nobody can be both, and their rows train like others'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.sources import Source
from bot.spotify.records import TrackRecord
from bot.storage.audio_features import put_features
from bot.storage.database import upsert
from bot.storage.interactions import Sighting, forget_unseen, reading_mark, see
from bot.storage.listings import complete_reading, open_listing
from bot.storage.members import ensure_member
from bot.storage.names import name_key
from bot.storage.schema import member, track, track_alias
from bot.storage.tracks import store_tracks

LISTING = "dataset"
PREFIX = "dataset:"  # of the Discord id of somebody who has none

Features = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class StoredTracks:
    keys: list[int]
    new: int


async def store_file_tracks(
    connection: AsyncConnection,
    records: Sequence[TrackRecord],
    features: Sequence[Features | None],
    source: str,
    now: datetime,
) -> StoredTracks:
    """The keys of `records`, in their order; what is known of a track stays as it is. `features`: the nine numbers of
    each in the order of `NAMES`, None where all are unknown; they replace what `source` said before."""
    last: int = await connection.scalar(select(func.max(track.c.id))) or 0
    await _find_by_name(connection, [one for one in records if one.spotify_id is None and one.artists])
    keys = await store_tracks(connection, records, source, now, refresh=False)
    found = {key: values for key, values in zip(keys, features, strict=True) if values is not None}
    await put_features(connection, source, found, now)
    return StoredTracks(keys, len({key for key in keys if key > last}))


async def store_person(
    connection: AsyncConnection, name: str, kinds: Mapping[str, Mapping[int, Sighting]], now: datetime
) -> tuple[int, int]:
    """What one person of a file did, kind by kind: the file's newest reading takes the place of the one before.
    Returns how many interactions are new, and how many there were already."""
    member_id = await ensure_member(connection, PREFIX + name, now)
    listing = await open_listing(connection, member_id, Source.DATASET, LISTING)
    since = await reading_mark(connection, listing.id, now)
    new = total = 0
    for kind, sightings in kinds.items():
        new += await see(connection, listing, kind, sightings, since, since=since)
        total += len(sightings)
    await forget_unseen(connection, listing.id, since)
    await complete_reading(connection, listing.id, now, snapshot=None)
    return new, total - new


async def people(connection: AsyncConnection) -> dict[int, str]:
    """Key -> what their file calls them, of the people who are from files."""
    query = select(member.c.id, member.c.discord_id).where(member.c.discord_id.startswith(PREFIX, autoescape=True))
    return {key: discord_id.removeprefix(PREFIX) for key, discord_id in await connection.execute(query)}


async def _find_by_name(connection: AsyncConnection, records: Sequence[TrackRecord]) -> None:
    """What is known by its name already gets the file's id as one more."""
    wanted = {name_key(one.title, one.artists[0].name): one for one in records}
    if not wanted:
        return
    query = select(track_alias.c.value, track_alias.c.track_id)
    query = query.where(track_alias.c.scheme == "name", track_alias.c.value.in_(list(wanted)))
    rows = [
        {"scheme": "dataset", "value": wanted[name].dataset, "track_id": key}
        for name, key in await connection.execute(query)
    ]
    await upsert(connection, track_alias, rows, key=["scheme", "value"])
