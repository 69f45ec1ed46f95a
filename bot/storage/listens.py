"""Single plays and kept tracks from outside Spotify's API. A play that was stored before is recognised by its time,
its names and the milliseconds played, so that the same file or page can come any number of times."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import floor

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.imports.base import Counts, Kept, Listen, Song
from bot.spotify.records import ArtistRecord, TrackRecord
from bot.storage.catalogue import rows
from bot.storage.database import Rows, among, insert_all, upsert
from bot.storage.interactions import CHUNK, Sighting, reading_mark, see, see_more
from bot.storage.listings import listing_by_id, open_listing
from bot.storage.names import name_key
from bot.storage.schema import listen, listing, track_alias, unmatched_track
from bot.storage.tracks import known_tracks, store_tracks

LISTING = "plays"
STREAMED = "streamed"  # of specrec.interactions.Kind
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_ROUNDED = -1  # in the place of seconds that the source does not give

Place = tuple[int, int]  # minute, play
Found = tuple[int | None, int | None]  # the key of a track, or that of an unmatched one


@dataclass(frozen=True, slots=True)
class Play:
    """One stored play, as it is shown to its member."""

    source: str
    at: datetime
    ms_played: int | None
    track_id: int | None
    title: str | None  # of plays without a track
    artist: str | None


async def store_listens(
    connection: AsyncConnection, member_id: int, source: str, listens: Sequence[Listen], now: datetime
) -> Counts:
    """Store what is not there yet and count it for the recommender: one transaction with whatever else the caller
    remembers of this batch. At most some thousand at once; the caller left out what does not count."""
    counts = Counts()
    if not listens:
        return counts
    plays = await open_listing(connection, member_id, source, LISTING)
    placed = [(*divmod(floor(one.at.timestamp()), 60), _play(one), one) for one in listens]
    known = await _known(connection, plays.id, {minute for minute, *_ in placed})
    fresh: list[tuple[int, int, int, Listen]] = []
    refined: list[Place] = []
    for minute, second, play, one in placed:
        if one.to_the_minute:
            second = _ROUNDED
        seconds = known[minute, play]
        if second in seconds or (seconds and second == _ROUNDED):
            counts.already_there += 1
            continue
        if _ROUNDED in seconds:  # the same play, now known to the second, and perhaps by its id
            refined.append((minute, play))
            seconds.discard(_ROUNDED)
            counts.already_there += 1
        else:
            counts.new += 1
        seconds.add(second)
        fresh.append((minute, second, play, one))
    counted_before = await _replace(connection, plays.id, refined)
    found = await find_tracks(connection, [one.song for *_, one in fresh], source, now)
    times: dict[int, list[datetime]] = defaultdict(list)
    for (minute, _, play, one), (track_id, _) in zip(fresh, found, strict=True):
        if track_id is None:
            counts.unmatched += 1
        elif (minute, play) not in counted_before:
            times[track_id].append(one.at)
    added: Rows = {
        "listing_id": [plays.id] * len(fresh),
        "minute": [minute for minute, *_ in fresh],
        "second": [second for _, second, *_ in fresh],
        "play": [play for *_, play, _ in fresh],
        "ms_played": [one.ms_played for *_, one in fresh],
        "track_id": [track_id for track_id, _ in found],
        "unmatched_id": [unmatched_id for _, unmatched_id in found],
    }
    await insert_all(connection, listen, added)
    sightings = {track_id: Sighting(len(heard), max(heard)) for track_id, heard in times.items()}
    await see_more(connection, plays, STREAMED, sightings, now)
    return counts


async def store_kept(
    connection: AsyncConnection, member_id: int, source: str, kept: Sequence[Kept], now: datetime
) -> Counts:
    """Store tracks of lists, each once a list. What an earlier reading found and this one does not stays: a file may be
    older than the last. `unmatched`: tracks that are not known here, which cannot be kept."""
    counts = Counts()
    lists: dict[tuple[str, str], list[Kept]] = defaultdict(list)
    for one in kept:
        lists[one.listing, one.kind].append(one)
    for (key, kind), entries in lists.items():
        place = await open_listing(connection, member_id, source, key)
        since = await reading_mark(connection, place.id, now)
        found = await find_tracks(connection, [one.song for one in entries], source, now, keep_unmatched=False)
        sightings: dict[int, Sighting] = {}
        for one, (track_id, _) in zip(entries, found, strict=True):
            if track_id is None:
                counts.unmatched += 1
            else:
                sightings[track_id] = Sighting(1, one.at)
        added = await see(connection, place, kind, sightings, since, since=since)
        counts.new += added
        counts.already_there += len(sightings) - added
    return counts


async def find_tracks(
    connection: AsyncConnection, songs: Sequence[Song], source: str, now: datetime, *, keep_unmatched: bool = True
) -> list[Found]:
    """For each song the track that is meant: by its Spotify id (a new one is a new track), its ISRC, or its names; else
    a row that waits for it, or (None, None)."""
    different = dict.fromkeys(songs)
    found: dict[Song, Found] = dict.fromkeys(different, (None, None))
    carried = [song for song in different if song.spotify_id is not None]
    known = await known_tracks(connection, [song.spotify_id for song in carried if song.spotify_id and not song.isrc])
    found.update((song, (known[song.spotify_id], None)) for song in carried if song.spotify_id in known)
    other = [song for song in carried if song.spotify_id not in known]
    keys = await store_tracks(connection, [_record(song) for song in other], source, now, refresh=False)
    found.update((song, (key, None)) for song, key in zip(other, keys, strict=True))
    named = [song for song in different if song.spotify_id is None]
    by_isrc = await _aliases(connection, "isrc", {song.isrc for song in named if song.isrc})
    by_name = await _aliases(connection, "name", {_name(song) for song in named})
    waiting = []
    for song in named:
        key = by_isrc.get(song.isrc or "") or by_name.get(_name(song))
        found[song] = (key, None)
        if key is None and keep_unmatched:
            waiting.append(song)
    found.update(await _wait(connection, waiting))
    return [found[song] for song in songs]


async def wait_for(connection: AsyncConnection, songs: Sequence[Song], source: str, now: datetime) -> None:
    """Those of the songs that are not known here wait too, so that they are looked up with the others."""
    found = await find_tracks(connection, songs, source, now, keep_unmatched=False)
    await _wait(connection, [song for song, (key, _) in zip(songs, found, strict=True) if key is None])


async def match_waiting(connection: AsyncConnection, now: datetime) -> int:
    """Give plays their tracks that have become known since, and count them. Returns how many."""
    alias, waiting = track_alias.c, unmatched_track.c
    by_name = (alias.scheme == "name") & (alias.value == waiting.name_key)
    by_isrc = (alias.scheme == "isrc") & (alias.value == waiting.isrc)
    matched: dict[int, int] = {}
    for same in (by_name, by_isrc):  # the ISRC is the better word
        known = select(waiting.id, alias.track_id).join(track_alias, same)
        matched.update((key, track_id) for key, track_id in await connection.execute(known))
    total, keys = 0, list(matched)
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        plays: dict[int, dict[int, Sighting]] = defaultdict(dict)
        query = select(listen.c.listing_id, listen.c.unmatched_id, func.count(), func.max(listen.c.minute))
        query = query.where(listen.c.unmatched_id.in_(chunk)).group_by(listen.c.listing_id, listen.c.unmatched_id)
        for listing_id, key, count, minute in await connection.execute(query):
            _add(plays[listing_id], matched[key], Sighting(count, _EPOCH + minute * _MINUTE))
            total += count
        for key in chunk:
            values = {"track_id": matched[key], "unmatched_id": None}
            await connection.execute(update(listen).where(listen.c.unmatched_id == key).values(values))
        await connection.execute(delete(unmatched_track).where(waiting.id.in_(chunk)))
        for listing_id, sightings in plays.items():
            await see_more(connection, await listing_by_id(connection, listing_id), STREAMED, sightings, now)
    return total


async def forget_waiting(connection: AsyncConnection) -> None:
    """Names that no play waits for any more: whoever had them is gone."""
    still = select(listen.c.unmatched_id).where(listen.c.unmatched_id == unmatched_track.c.id).exists()
    await connection.execute(delete(unmatched_track).where(~still))


async def count_listens(connection: AsyncConnection, source: str) -> int:
    """Plays of all members from `source`."""
    query = select(func.count()).select_from(listen).join(listing, listing.c.id == listen.c.listing_id)
    return await connection.scalar(query.where(listing.c.source == source)) or 0


async def count_waiting(connection: AsyncConnection, member_id: int) -> int:
    """Plays of a member whose track is not known here yet."""
    query = select(func.count()).select_from(listen).join(listing, listing.c.id == listen.c.listing_id)
    return (
        await connection.scalar(query.where(listing.c.member_id == member_id, listen.c.unmatched_id.is_not(None))) or 0
    )


async def plays_of(connection: AsyncConnection, member_id: int) -> AsyncIterator[Play]:
    """Every single play of a member, source by source, the oldest first."""
    query = (
        select(
            listing.c.source,
            listen.c.minute,
            listen.c.second,
            listen.c.ms_played,
            listen.c.track_id,
            unmatched_track.c.title,
            unmatched_track.c.artist,
        )
        .join(listing, listing.c.id == listen.c.listing_id)
        .outerjoin(unmatched_track, unmatched_track.c.id == listen.c.unmatched_id)
        .where(listing.c.member_id == member_id)
        .order_by(listen.c.listing_id, listen.c.minute, listen.c.second)
    )
    async for source, minute, second, *rest in rows(connection, query):
        yield Play(source, _EPOCH + timedelta(minutes=minute, seconds=max(second, 0)), *rest)


async def _known(connection: AsyncConnection, listing_id: int, minutes: set[int]) -> dict[Place, set[int]]:
    """The seconds of each play that is stored in these minutes."""
    known: dict[Place, set[int]] = defaultdict(set)
    query = select(listen.c.minute, listen.c.second, listen.c.play)
    query = query.where(listen.c.listing_id == listing_id, among(connection, listen.c.minute, minutes))
    for minute, second, play in await connection.execute(query):
        known[minute, play].add(second)
    return known


async def _replace(connection: AsyncConnection, listing_id: int, places: Iterable[Place]) -> set[Place]:
    """Remove the rounded plays of these places. Returns those that had a track, and so are counted."""
    counted = set()
    for minute, play in places:
        one = (
            listen.c.listing_id == listing_id,
            listen.c.minute == minute,
            listen.c.second == _ROUNDED,
            listen.c.play == play,
        )
        gone = await connection.execute(delete(listen).where(*one).returning(listen.c.track_id))
        if gone.scalar() is not None:
            counted.add((minute, play))
    return counted


async def _wait(connection: AsyncConnection, songs: Sequence[Song]) -> dict[Song, Found]:
    """A row for each song that waits for its track."""
    fresh = {
        (_name(song), song.isrc or ""): {
            "name_key": _name(song),
            "isrc": song.isrc or "",
            "title": song.title,
            "artist": song.artist,
            "mbid": song.mbid,
        }
        for song in songs
    }
    await upsert(connection, unmatched_track, list(fresh.values()), key=["name_key", "isrc"])
    waiting = unmatched_track.c
    query = select(waiting.name_key, waiting.isrc, waiting.id)
    query = query.where(among(connection, waiting.name_key, {name for name, _ in fresh}))
    keys = {(name, isrc): key for name, isrc, key in await connection.execute(query)}
    return {song: (None, keys[_name(song), song.isrc or ""]) for song in songs}


async def _aliases(connection: AsyncConnection, scheme: str, values: Iterable[str]) -> dict[str, int]:
    query = select(track_alias.c.value, track_alias.c.track_id)
    query = query.where(track_alias.c.scheme == scheme, among(connection, track_alias.c.value, values))
    return {value: key for value, key in await connection.execute(query)}  # noqa: C416 - rows are no pairs for mypy


def _add(sightings: dict[int, Sighting], track_id: int, seen: Sighting) -> None:
    sightings[track_id] = seen.and_also(sightings[track_id]) if track_id in sightings else seen


def _record(song: Song) -> TrackRecord:
    artists = (ArtistRecord(None, song.artist),) if song.artist else ()
    return TrackRecord(song.spotify_id, song.isrc, None, song.title, artists, song.album)


def _name(song: Song) -> str:
    return name_key(song.title, song.artist)


def _play(one: Listen) -> int:
    """As an older and a newer export of the same play both have it: the older has no id. 63 bits fit every database."""
    said = f"{one.song.title}\x1f{one.song.artist}\x1f{one.ms_played}"
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), "big") >> 1
