"""What may not be kept for ever: rows from Spotify's API that no listing confirms any more."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage.schema import (
    artist,
    artist_follow,
    audio_features,
    interaction,
    listing,
    track,
    track_alias,
    track_artist,
)

RECENTLY_PLAYED = "recently_played"  # of specrec.interactions.Kind: plays cannot be listed again


@dataclass(frozen=True, slots=True)
class Removed:
    interactions: int
    follows: int
    tracks: int  # that lost what Spotify said of them

    def __bool__(self) -> bool:
        return bool(self.interactions or self.follows or self.tracks)


async def forget_unconfirmed(connection: AsyncConnection, source: str, before: datetime) -> tuple[int, int]:
    """Interactions and follows that were last seen before then. Their listings are read to the end next time, as what
    is missing here would not be read again otherwise."""
    stale = (
        interaction.c.source == source,
        interaction.c.last_seen < before,
        interaction.c.kind != RECENTLY_PLAYED,
    )
    of_source = select(listing.c.id).where(listing.c.source == source)
    stale_follows = artist_follow.c.listing_id.in_(of_source), artist_follow.c.last_seen < before
    affected = or_(
        listing.c.id.in_(select(interaction.c.listing_id).where(*stale)),
        listing.c.id.in_(select(artist_follow.c.listing_id).where(*stale_follows)),
    )
    await connection.execute(
        update(listing).where(affected).values(snapshot=None, cursor=None, reading_since=None, completed_at=None)
    )
    interactions = await connection.execute(delete(interaction).where(*stale))
    follows = await connection.execute(delete(artist_follow).where(*stale_follows))
    return interactions.rowcount, follows.rowcount


async def strip_unheld(connection: AsyncConnection, source: str, before: datetime) -> int:
    """Tracks that nobody has and `source` last described before then lose their title, album, length, artists and
    names, and the audio features that came from there. Row and ids stay: models and later finds go by them."""
    held = select(interaction.c.track_id).where(interaction.c.track_id == track.c.id).exists()
    query = select(track.c.id).where(track.c.source == source, track.c.updated_at < before, track.c.title != "", ~held)
    unheld = list(await connection.scalars(query))
    for start in range(0, len(unheld), 500):
        chunk = unheld[start : start + 500]
        await connection.execute(delete(track_artist).where(track_artist.c.track_id.in_(chunk)))
        await connection.execute(
            delete(track_alias).where(track_alias.c.track_id.in_(chunk), track_alias.c.scheme.in_(("isrc", "name")))
        )
        await connection.execute(
            delete(audio_features).where(audio_features.c.track_id.in_(chunk), audio_features.c.source == source)
        )
        stripped = {"title": "", "album": None, "duration_ms": None}
        await connection.execute(update(track).where(track.c.id.in_(chunk)).values(stripped))
    if unheld:
        played = select(track_artist.c.artist_id).where(track_artist.c.artist_id == artist.c.id).exists()
        followed = select(artist_follow.c.artist_id).where(artist_follow.c.artist_id == artist.c.id).exists()
        await connection.execute(delete(artist).where(artist.c.spotify_id.is_not(None), ~played, ~followed))
    return len(unheld)
