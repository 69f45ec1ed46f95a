"""The tracks as they are shown and compared: title, artists, Spotify id, the best audio features known."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.sources import CATALOGUE
from bot.storage.database import among
from bot.storage.feature_scales import Lines, scales
from bot.storage.members import PAUSED
from bot.storage.schema import artist, audio_features, feature_scale, interaction, track, track_alias, track_artist

CHUNK = 500  # rows at a time: between chunks the event loop serves others
IDS = 5000  # in one condition: databases take 32,766 parameters
FEATURE_COLUMNS = (
    audio_features.c.acousticness,
    audio_features.c.danceability,
    audio_features.c.energy,
    audio_features.c.instrumentalness,
    audio_features.c.liveness,
    audio_features.c.loudness,
    audio_features.c.speechiness,
    audio_features.c.valence,
    audio_features.c.tempo,
)
_LIMITS = tuple(
    {"loudness": (-100.0, 20.0), "tempo": (1.0, 400.0)}.get(column.name, (0.0, 1.0)) for column in FEATURE_COLUMNS
)
LOCAL_FILES = (
    select(track.c.id)
    .join(track_alias, track_alias.c.track_id == track.c.id)
    .where(track.c.spotify_id.is_(None), track_alias.c.scheme == "local")
)
"""Keys of the tracks that were found on members' own disks: nobody else could play them, and what they are called is
their owner's business. They count for their owner, and go nowhere else."""


CATALOGUE_SAMPLE = 20_000  # so many of the host's catalogue are chosen from while there is no model
SPREAD, SPREAD_OVER = 40_503, 65_536  # mixes neighbours, for files are often in order


@dataclass(frozen=True, slots=True)
class TrackRow:
    """`features` has the nine numbers in their own units, None where unknown, and is None when nothing is known; those
    of several sources are on one scale. `feature_source`: who measured them."""

    track_id: str
    title: str
    artists: tuple[str, ...]
    spotify_id: str | None
    features: tuple[float | None, ...] | None
    feature_source: str | None = None


async def tracks(
    connection: AsyncConnection, chosen: Select[int] | None = None, *, not_measured_by: Collection[str] = ()
) -> list[TrackRow]:
    """The tracks whose keys `chosen` selects (None: all but local files), in the order of their keys. Four queries,
    however many. `not_measured_by`: sources whose audio features are not wanted."""

    def of(column: Any, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        return query.where(column.not_in(LOCAL_FILES) if chosen is None else column.in_(chosen))

    names: dict[int, list[str]] = {}
    artists = select(track_artist.c.track_id, artist.c.name).join(artist, artist.c.id == track_artist.c.artist_id)
    async for key, name in rows(
        connection,
        of(track_artist.c.track_id, artists).order_by(track_artist.c.track_id, track_artist.c.position),
    ):
        names.setdefault(key, []).append(name)
    lines = await scales(connection)
    measured = select(audio_features.c.track_id, audio_features.c.source, *FEATURE_COLUMNS).where(
        audio_features.c.known, audio_features.c.source.not_in(not_measured_by)
    )
    # Of several sources the one asked last wins; the name decides between equals.
    newest_last = (audio_features.c.fetched_at, audio_features.c.source)
    features: dict[int, tuple[tuple[float | None, ...] | None, str | None]] = {}
    async for key, source, *values in rows(connection, of(audio_features.c.track_id, measured).order_by(*newest_last)):
        features[key] = moved(values, lines[source]) if source in lines else tuple(values), source
    shown = select(track.c.id, track.c.title, track.c.spotify_id).where(track.c.title != "")  # bot.storage.retention
    return [
        TrackRow(str(key), title, tuple(names.get(key, ())), spotify_id, *features.get(key, (None, None)))
        async for key, title, spotify_id in rows(connection, of(track.c.id, shown).order_by(track.c.id))
    ]


async def artists_of(connection: AsyncConnection, track_ids: Collection[int | None]) -> dict[int, list[str]]:
    """The names of each track's artists, in their order; at most some thousand tracks at once."""
    query = (
        select(track_artist.c.track_id, artist.c.name)
        .join(artist, artist.c.id == track_artist.c.artist_id)
        .where(among(connection, track_artist.c.track_id, [key for key in track_ids if key is not None]))
        .order_by(track_artist.c.track_id, track_artist.c.position)
    )
    names: dict[int, list[str]] = {}
    for key, name in await connection.execute(query):
        names.setdefault(key, []).append(name)
    return names


def moved(values: Sequence[float | None], lines: Lines) -> tuple[float | None, ...]:
    """A source's nine numbers on the scale of another, within what the feature can be; unknown ones stay unknown."""
    return tuple(
        None if value is None else min(max(value * factor + shift, low), high)
        for value, (factor, shift), (low, high) in zip(values, lines, _LIMITS, strict=True)
    )


async def tracks_by_id(connection: AsyncConnection, track_ids: Sequence[str]) -> dict[str, TrackRow]:
    """Those of the tracks that are still there."""
    found: dict[str, TrackRow] = {}
    for start in range(0, len(track_ids), IDS):
        ids = [int(track_id) for track_id in track_ids[start : start + IDS]]
        for row in await tracks(connection, select(track.c.id).where(track.c.id.in_(ids))):
            found[row.track_id] = row
    return found


def comparable() -> Select[int]:
    """What a list is chosen from while there is no model: all but local files, of the host's catalogue only a sample,
    because it may be larger than the bot's memory. Always the same one."""
    known = select(track.c.id).where(track.c.source != CATALOGUE, track.c.id.not_in(LOCAL_FILES))
    held = select(interaction.c.track_id).where(interaction.c.track_id.not_in(LOCAL_FILES))
    key = audio_features.c.track_id
    offered = select(key).where(audio_features.c.source == CATALOGUE, audio_features.c.known)
    sample = offered.order_by(key * SPREAD % SPREAD_OVER, key).limit(CATALOGUE_SAMPLE).subquery()
    return select(union(known, held, select(sample.c.track_id)).subquery().c.id)


async def popular(connection: AsyncConnection, limit: int) -> list[str]:
    """Keys of the tracks that most members have and do not dislike, ties in the order of the keys, no local files.
    Whoever has paused does not count."""
    members = func.count(interaction.c.member_id.distinct()).desc()
    query = (
        select(interaction.c.track_id)
        .where(
            interaction.c.kind != "disliked",
            interaction.c.track_id.not_in(LOCAL_FILES),
            interaction.c.member_id.not_in(PAUSED),
        )
        .group_by(interaction.c.track_id)
    )
    keys = await connection.scalars(query.order_by(members, interaction.c.track_id).limit(limit))
    return [str(key) for key in keys]


async def state(connection: AsyncConnection) -> tuple[object, ...]:
    """Changes whenever a track or a feature is added or brought up to date: compare it, do not read it."""
    of_tracks = select(func.count(), func.max(track.c.updated_at)).select_from(track)
    of_features = select(func.count(), func.max(audio_features.c.fetched_at)).select_from(audio_features)
    of_scales = select(func.count(), func.max(feature_scale.c.measured_at)).select_from(feature_scale)
    states = [(await connection.execute(query)).one() for query in (of_tracks, of_features, of_scales)]
    return tuple(value for state in states for value in state)


async def rows(connection: AsyncConnection, query: Select[*tuple[Any, ...]]) -> AsyncIterator[Sequence[Any]]:
    """The rows of a long answer, fetched chunk by chunk, so that thousands of them never hold up the event loop."""
    async with connection.stream(query) as result:
        async for chunk in result.partitions(CHUNK):
            for row in chunk:
                yield row
