"""What a training run reads: interactions of the sources that may train, and the tracks in them; no local files.

The host says which sources may train, each member which of theirs, and whoever has paused is left out altogether.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.catalogue import LOCAL_FILES, TrackRow, rows, tracks
from bot.storage.members import PAUSED
from bot.storage.schema import interaction, training_refusal

TRACKS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to train on."""

    members: int
    tracks: int


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
    counts = select(
        func.count(interaction.c.member_id.distinct()), func.count(interaction.c.track_id.distinct())
    ).where(_may_train(sources))
    members, found = (await connection.execute(counts)).one()
    return Size(members, found)


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
    """The tracks that anybody has from these sources, and no others, in the order of their keys."""
    allowed = select(interaction.c.track_id).where(_may_train(sources)).distinct()
    last = 0
    while True:
        page = allowed.where(interaction.c.track_id > last).order_by(interaction.c.track_id).limit(TRACKS_AT_ONCE)
        found = await tracks(connection, page)
        for row in found:
            yield row
        if len(found) < TRACKS_AT_ONCE:
            return
        last = int(found[-1].track_id)


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
