"""What was seen in a listing: one row a track and kind, with how often, when last, and since when it is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.database import Excluded, Rows, among, upsert
from bot.storage.listings import Listing
from bot.storage.schema import artist, artist_follow, interaction, track_artist

CHUNK = 2_000  # rows a statement


@dataclass(frozen=True, slots=True)
class Sighting:
    count: int = 1
    at: datetime | None = None  # added, saved or played last, as the source says

    def and_also(self, other: "Sighting") -> "Sighting":
        at = self.at if other.at is None or (self.at is not None and self.at > other.at) else other.at
        return Sighting(self.count + other.count, at)


async def see(
    connection: AsyncConnection,
    listing: Listing,
    kind: str,
    sightings: Mapping[int, Sighting],
    now: datetime,
    *,
    since: datetime | None,
) -> int:
    """Record `sightings` (track -> what was seen). Rows last seen before `since` belong to an earlier reading and start
    anew; later ones are added to. None: always added to. Returns how many tracks are new to the listing."""
    added = 0
    tracks = list(sightings)
    for start in range(0, len(tracks), CHUNK):
        chunk = tracks[start : start + CHUNK]
        found = await connection.execute(
            select(
                interaction.c.track_id, interaction.c.count, interaction.c.occurred_at, interaction.c.last_seen
            ).where(
                interaction.c.listing_id == listing.id,
                interaction.c.kind == kind,
                among(connection, interaction.c.track_id, chunk),
            )
        )
        before = {
            track_id: Sighting(count, at) if since is None or last_seen >= since else None
            for track_id, count, at, last_seen in found
        }
        added += len(chunk) - len(before)
        totals = {
            track_id: seen.and_also(earlier) if (earlier := before.get(track_id)) else seen
            for track_id, seen in ((track_id, sightings[track_id]) for track_id in chunk)
        }
        await upsert(
            connection,
            interaction,
            _rows(listing, kind, totals, now),
            key=["listing_id", "track_id", "kind"],
            update=["count", "occurred_at", "last_seen"],
        )
    return added


async def see_more(
    connection: AsyncConnection, listing: Listing, kind: str, sightings: Mapping[int, Sighting], now: datetime
) -> None:
    """As `see` where every row is added to, without reading any: for plays, which come by the hundred thousand."""

    def total(new: Excluded) -> dict[str, ColumnElement[Any]]:
        old = interaction.c
        is_later = or_(new.occurred_at.is_(None), old.occurred_at > new.occurred_at)
        latest = case((is_later, old.occurred_at), else_=new.occurred_at)
        return {"count": old.count + new.count, "occurred_at": latest, "last_seen": new.last_seen}

    await upsert(
        connection,
        interaction,
        _rows(listing, kind, sightings, now),
        key=["listing_id", "track_id", "kind"],
        update=total,
    )


async def confirm(connection: AsyncConnection, listing_id: int, now: datetime) -> None:
    """The source says that nothing changed: every row counts as seen."""
    await connection.execute(update(interaction).where(interaction.c.listing_id == listing_id).values(last_seen=now))


async def forget_unseen(connection: AsyncConnection, listing_id: int, since: datetime) -> int:
    """After a complete reading only: delete what was not in it. Returns how many rows."""
    gone = await connection.execute(
        delete(interaction).where(interaction.c.listing_id == listing_id, interaction.c.last_seen < since)
    )
    return gone.rowcount


async def reading_mark(connection: AsyncConnection, listing_id: int, now: datetime) -> datetime:
    """A time at which a new reading may begin: now, or just after the listing's last sighting where the clock stood
    still or was set back."""
    latest: list[datetime | None] = [
        await connection.scalar(select(func.max(table.c.last_seen)).where(table.c.listing_id == listing_id))
        for table in (interaction, artist_follow)
    ]
    return max([now, *(one + timedelta(microseconds=1) for one in latest if one is not None)])


async def follow(connection: AsyncConnection, listing: Listing, artist_ids: list[int], now: datetime) -> None:
    await upsert(
        connection,
        artist_follow,
        [
            {
                "listing_id": listing.id,
                "artist_id": artist_id,
                "member_id": listing.member_id,
                "first_seen": now,
                "last_seen": now,
            }
            for artist_id in dict.fromkeys(artist_ids)
        ],
        key=["listing_id", "artist_id"],
        update=["last_seen"],
    )


async def unfollow_unseen(connection: AsyncConnection, listing_id: int, since: datetime) -> int:
    gone = await connection.execute(
        delete(artist_follow).where(artist_follow.c.listing_id == listing_id, artist_follow.c.last_seen < since)
    )
    return gone.rowcount


async def followed_artists(connection: AsyncConnection, member_id: int) -> list[str]:
    """Spotify ids, the longest followed first."""
    found = await connection.scalars(
        select(artist.c.spotify_id)
        .join(artist_follow, artist_follow.c.artist_id == artist.c.id)
        .where(artist_follow.c.member_id == member_id, artist.c.spotify_id.is_not(None))
        .order_by(artist_follow.c.first_seen, artist.c.id)
    )
    return [identity for identity in found if identity is not None]


async def tracks_by_followed(connection: AsyncConnection, member_id: int, source: str, except_kind: str) -> list[int]:
    """The tracks that the member has from `source`, in another way than `except_kind`, by an artist they follow."""
    found = await connection.scalars(
        select(interaction.c.track_id)
        .distinct()
        .join(track_artist, track_artist.c.track_id == interaction.c.track_id)
        .join(artist_follow, artist_follow.c.artist_id == track_artist.c.artist_id)
        .where(
            artist_follow.c.member_id == member_id,
            interaction.c.member_id == member_id,
            interaction.c.source == source,
            interaction.c.kind != except_kind,
        )
    )
    return list(found)


def _rows(listing: Listing, kind: str, sightings: Mapping[int, Sighting], now: datetime) -> Rows:
    size = len(sightings)
    return {
        "member_id": [listing.member_id] * size,
        "track_id": list(sightings),
        "listing_id": [listing.id] * size,
        "kind": [kind] * size,
        "source": [listing.source] * size,
        "count": [seen.count for seen in sightings.values()],
        "occurred_at": [seen.at for seen in sightings.values()],
        "first_seen": [now] * size,
        "last_seen": [now] * size,
    }


async def count_tracks(connection: AsyncConnection, member_id: int) -> int:
    """Different tracks of a member, from every source."""
    return (
        await connection.scalar(
            select(func.count(interaction.c.track_id.distinct())).where(interaction.c.member_id == member_id)
        )
        or 0
    )
