"""What a training run reads: interactions of the sources that may train, and the tracks in them; no local files.

The host says which sources may train, each member which of theirs, and whoever has paused is left out altogether.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.sources import CATALOGUE, Source
from bot.storage.catalogue import LOCAL_FILES, SPREAD, SPREAD_OVER, TrackRow, rows, tracks
from bot.storage.members import PAUSED
from bot.storage.schema import audio_features, interaction, track, training_refusal

TRACKS_AT_ONCE = 1000
MOST_UNHEARD = 5000  # the newest
MOST_OFFERED = 200_000  # of the host's catalogue
UNHEARD = ~select(interaction.c.track_id).where(interaction.c.track_id == track.c.id).exists()
NO_LIKES = ("disliked", "known")  # kinds that say nothing good about a track


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to train on; an interaction is one member, track and kind."""

    members: int
    tracks: int
    interactions: int


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One member, track and kind over all listings; `member_id` is our own number, no other service's id."""

    member_id: int
    track_id: int
    kind: str
    count: int
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contribution:
    """How many interactions of one member and one source are in the snapshot."""

    member_id: int
    source: str
    interactions: int


async def size(connection: AsyncConnection, sources: Collection[str]) -> Size:
    one = select(interaction.c.member_id, interaction.c.track_id, interaction.c.kind).where(_may_train(sources))
    each = one.distinct().subquery()
    counts = select(func.count(each.c.member_id.distinct()), func.count(each.c.track_id.distinct()), func.count())
    members, found, interactions = (await connection.execute(counts.select_from(each))).one()
    return Size(members, found, interactions)


async def members_with_few(
    connection: AsyncConnection, sources: Collection[str], fewer_than: int, by: datetime
) -> list[int]:
    """Members who have so many tracks that they like now, but had fewer at an earlier time."""
    taste = interaction.c.kind.not_in(NO_LIKES)
    tracks_then = func.count(case((interaction.c.first_seen <= by, interaction.c.track_id)).distinct())
    query = (
        select(interaction.c.member_id)
        .where(_may_train(sources), taste)
        .group_by(interaction.c.member_id)
        .having(func.count(interaction.c.track_id.distinct()) >= fewer_than, tracks_then < fewer_than)
    )
    return list((await connection.execute(query)).scalars())


async def interactions(connection: AsyncConnection, sources: Collection[str]) -> AsyncIterator[SnapshotRow]:
    """Summed as a member's history is summed when it is served, in the order of members, tracks and kinds."""
    one = (interaction.c.member_id, interaction.c.track_id, interaction.c.kind)
    query = (
        select(*one, func.sum(interaction.c.count), func.max(interaction.c.occurred_at))
        .where(_may_train(sources))
        .group_by(*one)
        .order_by(*one)
    )
    async for row in rows(connection, query):
        yield SnapshotRow(*row)


async def contributions(connection: AsyncConnection, sources: Collection[str]) -> list[Contribution]:
    """Whose data of which source `interactions` reads."""
    one = (interaction.c.member_id, interaction.c.source)
    query = select(*one, func.count()).where(_may_train(sources)).group_by(*one).order_by(*one)
    return [Contribution(*row) for row in await connection.execute(query)]


async def tracks_of(connection: AsyncConnection, sources: Collection[str]) -> AsyncIterator[TrackRow]:
    """The tracks that anybody has from these sources, and those of the host's catalogue that can be compared by their
    features, in the order of their keys; then those that nobody has at all and one of these sources describes, so that
    a list can hold something new to everybody. Audio features that came from a source which may not train are left
    out."""
    kept_back = {source.value for source in Source} - set(sources)
    held = select(interaction.c.track_id).where(_may_train(sources))
    offered = await _offered(connection)
    last = 0
    while True:
        # Each half stops at its own limit: the catalogue may have a million tracks.
        halves = [
            select(query.where(column > last).order_by(column).distinct().limit(TRACKS_AT_ONCE).subquery().c.track_id)
            for query, column in ((held, interaction.c.track_id), (offered, audio_features.c.track_id))
        ]
        both = union(*halves).subquery()
        page = select(both.c.track_id).order_by(both.c.track_id).limit(TRACKS_AT_ONCE)
        found = await tracks(connection, page, not_measured_by=kept_back)
        for row in found:
            yield row
        if len(found) < TRACKS_AT_ONCE:
            break
        last = int(found[-1].track_id)
    nobody_has = (
        select(track.c.id)
        .where(
            UNHEARD,
            track.c.source.in_(sources),
            track.c.id.not_in(LOCAL_FILES),
            track.c.id.not_in(offered),
            track.c.title != "",
        )
        .order_by(track.c.id.desc())
        .limit(MOST_UNHEARD)
    )
    for row in await tracks(connection, select(nobody_has.subquery().c.id), not_measured_by=kept_back):
        yield row


async def _offered(connection: AsyncConnection) -> Select[int]:
    """Of the host's catalogue as many as lists are still made of in a moment, always the same ones."""
    key = audio_features.c.track_id
    known = audio_features.c.source == CATALOGUE, audio_features.c.known
    count = await connection.scalar(select(func.count()).select_from(audio_features).where(*known)) or 0
    share = SPREAD_OVER * min(1.0, MOST_OFFERED / max(1, count))
    return select(key).where(*known, key * SPREAD % SPREAD_OVER < share)


async def unheard(connection: AsyncConnection, track_ids: Collection[str]) -> set[str]:
    """Those of the tracks that nobody has, whatever may be trained on."""
    ids = [int(track_id) for track_id in track_ids]
    found = await connection.scalars(select(track.c.id).where(track.c.id.in_(ids), UNHEARD))
    return {str(track_id) for track_id in found}


def _may_train(sources: Collection[str]) -> ColumnElement[bool]:
    refused = (
        select(training_refusal.c.source)
        .where(
            training_refusal.c.member_id == interaction.c.member_id, training_refusal.c.source == interaction.c.source
        )
        .exists()
    )
    return and_(
        interaction.c.source.in_(sources),
        interaction.c.track_id.not_in(LOCAL_FILES),
        interaction.c.member_id.not_in(PAUSED),
        ~refused,
    )
