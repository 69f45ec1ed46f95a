"""Tracks and artists as a source sends them, brought together with what is stored already.

A track is found again by any of its ids (`track_alias`): Spotify's, the ISRC that several Spotify ids of one recording
share, or the key of a local file. The Spotify id decides before the ISRC; two tracks that were stored apart before
their common ISRC was known stay apart, because versions of the model and members' feedback name both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.spotify.records import ArtistRecord, TrackRecord
from bot.storage.catalogue import LOCAL_FILES
from bot.storage.database import Rows, among, insert_all, new_keys, upsert
from bot.storage.names import name_key
from bot.storage.schema import artist, artist_follow, interaction, listen, track, track_alias, track_artist

Alias = tuple[str, str]

CHUNK = 500  # keys in one condition


@dataclass(frozen=True)
class _Stored:
    spotify_id: str | None
    title: str
    album: str | None
    duration_ms: int | None


async def store_tracks(
    connection: AsyncConnection, records: Sequence[TrackRecord], source: str, now: datetime, *, refresh: bool = True
) -> list[int]:
    """The keys of `records`, in their order. Unknown tracks are added; titles, albums and artists of known ones are
    brought up to date by the id that is linked to, so that two editions do not take turns. `refresh` False: known ones
    stay as they are, for sources that know less of a track than Spotify does; unless nothing is known of them any
    more (bot.storage.retention)."""
    ids = [_aliases(record) for record in records]
    known = await _known(connection, chain.from_iterable(ids))
    known_before = set(known.values())
    fresh = [(record, its) for record, its in zip(records, ids, strict=True) if known.keys().isdisjoint(its)]
    await _add(connection, fresh, known, source, now)
    keys = [next(known[alias] for alias in its if alias in known) for its in ids]
    also = {alias: key for its, key in zip(ids, keys, strict=True) for alias in its if alias not in known}
    await upsert(connection, track_alias, _as_aliases(also), key=["scheme", "value"])
    read = list(zip(keys, records, strict=True))
    if not refresh:
        some = select(track.c.id).where(among(connection, track.c.id, known_before), track.c.title == "")
        bare = set(await connection.scalars(some)) if known_before else set()
        read = [(key, record) for key, record in read if key in bare]
    if read:
        await _bring_up_to_date(connection, read, source, now)
    return keys


async def known_tracks(connection: AsyncConnection, spotify_ids: Iterable[str]) -> dict[str, int]:
    """The keys of those that are known, by their Spotify ids; not of those of which nothing but an id is known any
    more."""
    query = select(track_alias.c.value, track.c.id).join(track, track.c.id == track_alias.c.track_id)
    query = query.where(track_alias.c.scheme == "spotify", among(connection, track_alias.c.value, spotify_ids))
    known = await connection.execute(query.where(track.c.title != ""))
    return {value: key for value, key in known}  # noqa: C416 - rows are no pairs for mypy


async def store_artists(connection: AsyncConnection, records: Iterable[ArtistRecord]) -> dict[ArtistRecord, int]:
    """The keys of the artists; new ones are added, changed names corrected. Without a Spotify id the name decides."""
    wanted = list(dict.fromkeys(records))
    if not wanted:
        return {}
    by_id, by_name = await _known_artists(connection, wanted)
    fresh: dict[Alias, dict[str, Any]] = {}
    for record in wanted:
        if record.spotify_id is None and record.name not in by_name:
            fresh["name", record.name] = {"spotify_id": None, "name": record.name}
        elif record.spotify_id is not None and by_id.get(record.spotify_id, (0, None))[1] != record.name:
            fresh["spotify", record.spotify_id] = {"spotify_id": record.spotify_id, "name": record.name}
    if fresh:
        await upsert(connection, artist, list(fresh.values()), key=["spotify_id"], update=["name"])
        by_id, by_name = await _known_artists(connection, wanted)
    return {
        record: by_name[record.name] if record.spotify_id is None else by_id[record.spotify_id][0] for record in wanted
    }


async def forget_unshared(connection: AsyncConnection) -> None:
    """After a deletion: tracks found on members' own disks that nobody has any more, and artists known from those only.
    All other tracks stay in the catalogue, which belongs to nobody."""
    had = select(interaction.c.track_id).where(interaction.c.track_id == track.c.id).exists()
    played = select(listen.c.track_id).where(listen.c.track_id == track.c.id).exists()
    local = select(track_artist.c.artist_id).where(track_artist.c.track_id.in_(LOCAL_FILES))
    suspects = list(await connection.scalars(local.distinct()))
    await connection.execute(delete(track).where(track.c.id.in_(LOCAL_FILES), ~had, ~played))
    named = select(track_artist.c.artist_id).where(track_artist.c.artist_id == artist.c.id).exists()
    followed = select(artist_follow.c.artist_id).where(artist_follow.c.artist_id == artist.c.id).exists()
    for start in range(0, len(suspects), CHUNK):
        chosen = artist.c.id.in_(suspects[start : start + CHUNK])
        await connection.execute(delete(artist).where(chosen, artist.c.spotify_id.is_(None), ~named, ~followed))


def _aliases(record: TrackRecord) -> list[Alias]:
    """Every id of a record, the one that decides first."""
    ids = []
    if record.spotify_id is not None:
        ids.append(("spotify", record.spotify_id))
    if record.isrc is not None:
        ids.append(("isrc", record.isrc))
    if record.local is not None:
        ids.append(("local", record.local))
    if record.dataset is not None:
        ids.append(("dataset", record.dataset))
    return ids


def _as_aliases(keys: Mapping[Alias, int]) -> Rows:
    """Rows of `track_alias`, in the order of its index: the pages of one that is larger than the memory are looked for
    and written once then, not once for each row."""
    rows = sorted(keys.items())
    return {
        "scheme": [scheme for (scheme, _), _ in rows],
        "value": [value for (_, value), _ in rows],
        "track_id": [key for _, key in rows],
    }


async def _known(connection: AsyncConnection, aliases: Iterable[Alias]) -> dict[Alias, int]:
    by_scheme: dict[str, dict[str, None]] = {}
    for scheme, value in aliases:
        by_scheme.setdefault(scheme, {})[value] = None
    known: dict[Alias, int] = {}
    for scheme, values in by_scheme.items():
        query = select(track_alias.c.value, track_alias.c.track_id)
        query = query.where(track_alias.c.scheme == scheme, among(connection, track_alias.c.value, values))
        known.update(((scheme, value), key) for value, key in await connection.execute(query))
    return known


async def _add(
    connection: AsyncConnection,
    records: Iterable[tuple[TrackRecord, Sequence[Alias]]],
    known: dict[Alias, int],
    source: str,
    now: datetime,
) -> None:
    """Insert what is new, once each, and add the keys to `known`, under the ids that are now stored."""
    places: dict[Alias, int] = {}
    added: list[TrackRecord] = []
    for record, aliases in records:
        if places.keys().isdisjoint(aliases):
            places.update(dict.fromkeys(aliases, len(added)))
            added.append(record)
    if not added:
        return
    keys = await new_keys(connection, track, len(added))
    rows: Rows = {
        "id": keys,
        "spotify_id": [one.spotify_id for one in added],
        "title": [one.title for one in added],
        "album": [one.album for one in added],
        "duration_ms": [one.duration_ms for one in added],
        "source": [source] * len(added),
        "updated_at": [now] * len(added),
    }
    await insert_all(connection, track, rows)
    aliases_of_added = {alias: keys[place] for alias, place in places.items()}
    known.update(aliases_of_added)
    await insert_all(connection, track_alias, _as_aliases(aliases_of_added))
    await _name(connection, zip(keys, added, strict=True))
    await _add_artists(connection, await _wanted_artists(connection, dict(zip(keys, added, strict=True))))


async def _bring_up_to_date(
    connection: AsyncConnection, read: Sequence[tuple[int, TrackRecord]], source: str, now: datetime
) -> None:
    """`track.updated_at` moves only where something changed: others watch it."""
    found = await connection.execute(
        select(track.c.id, track.c.spotify_id, track.c.title, track.c.album, track.c.duration_ms).where(
            among(connection, track.c.id, {key for key, _ in read})
        )
    )
    current = {key: _Stored(*values) for key, *values in found}
    same_edition = {key: record for key, record in read if current[key].spotify_id in (None, record.spotify_id)}
    for key, record in same_edition.items():
        wanted = _Stored(
            record.spotify_id,
            record.title,
            record.album or current[key].album,  # album listings and taken-down albums leave it out
            record.duration_ms or current[key].duration_ms,
        )
        if wanted != current[key]:
            values = {**wanted.__dict__, "source": source, "updated_at": now}
            await connection.execute(update(track).where(track.c.id == key).values(values))
    await _name(connection, ((key, one) for key, one in same_edition.items() if current[key].title != one.title))
    changed = await _set_artists(connection, same_edition)
    if changed:
        await connection.execute(update(track).where(track.c.id.in_(changed)).values(updated_at=now))


async def _name(connection: AsyncConnection, named: Iterable[tuple[int, TrackRecord]]) -> None:
    """Make tracks known by their names, for sources that know nothing else; of several the first keeps the name. What
    files on a member's own disk are called is nobody else's business."""
    names: dict[Alias, int] = {}
    for key, one in named:
        if one.artists and one.local is None:
            names.setdefault(("name", name_key(one.title, one.artists[0].name)), key)
    await upsert(connection, track_alias, _as_aliases(names), key=["scheme", "value"])


async def _set_artists(connection: AsyncConnection, records: dict[int, TrackRecord]) -> list[int]:
    """Give tracks their artists in order; returns the keys of those that had others. No artists: the old ones stay."""
    wanted = await _wanted_artists(connection, records)
    current: dict[int, list[int]] = {}
    for track_id, artist_id in await connection.execute(
        select(track_artist.c.track_id, track_artist.c.artist_id)
        .where(among(connection, track_artist.c.track_id, wanted))
        .order_by(track_artist.c.track_id, track_artist.c.position)
    ):
        current.setdefault(track_id, []).append(artist_id)
    changed = [track_id for track_id, artists in wanted.items() if current.get(track_id) != artists]
    if changed:
        await connection.execute(delete(track_artist).where(track_artist.c.track_id.in_(changed)))
        await _add_artists(connection, {track_id: wanted[track_id] for track_id in changed})
    return changed


async def _wanted_artists(connection: AsyncConnection, records: dict[int, TrackRecord]) -> dict[int, list[int]]:
    """Track -> its artists in order, of the tracks that name any; new artists are added."""
    keys = await store_artists(connection, [one for record in records.values() for one in record.artists])
    return {
        track_id: list(dict.fromkeys(keys[one] for one in record.artists))
        for track_id, record in records.items()
        if record.artists
    }


async def _add_artists(connection: AsyncConnection, artists: dict[int, list[int]]) -> None:
    rows = {
        "track_id": [track_id for track_id, one in artists.items() for _ in one],
        "position": [position for one in artists.values() for position in range(len(one))],
        "artist_id": [artist_id for one in artists.values() for artist_id in one],
    }
    await insert_all(connection, track_artist, rows)


async def _known_artists(
    connection: AsyncConnection, records: Sequence[ArtistRecord]
) -> tuple[dict[str, tuple[int, str]], dict[str, int]]:
    """Spotify id -> key and name; name -> key of the artists without a Spotify id."""
    ids = [record.spotify_id for record in records if record.spotify_id is not None]
    names = [record.name for record in records if record.spotify_id is None]
    by_id: dict[str, tuple[int, str]] = {}
    by_name: dict[str, int] = {}
    if ids:
        query = select(artist.c.spotify_id, artist.c.id, artist.c.name).where(
            among(connection, artist.c.spotify_id, ids)
        )
        by_id = {identity: (key, name) for identity, key, name in await connection.execute(query)}
    if names:
        query = select(artist.c.name, artist.c.id).where(
            artist.c.spotify_id.is_(None), among(connection, artist.c.name, names)
        )
        found = await connection.execute(query.order_by(artist.c.id.desc()))
        by_name = {row[0]: row[1] for row in found}
    return by_id, by_name
