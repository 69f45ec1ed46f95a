"""Tracks of two genres that sound nothing alike, and members who have some of them, put straight into a database."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from bot.storage.database import Database, upsert
from bot.storage.schema import artist, audio_features, interaction, listing, member, track, track_alias, track_artist
from specrec.features import FEATURES

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CENTRES = {  # in the order of FEATURES
    "doom": (0.05, 0.2, 0.95, 0.8, 0.1, -4.0, 0.05, 0.1, 60.0),
    "disco": (0.2, 0.9, 0.6, 0.05, 0.3, -9.0, 0.05, 0.95, 120.0),
}


async def stock(database: Database, per_genre: int = 40, per_artist: int = 4, prefix: str = "") -> dict[str, list[str]]:
    """Tracks named `doom 1` … with Spotify ids and features. Returns their keys by genre. `prefix` makes others."""
    chance = random.Random(f"shelf {prefix}")
    keys: dict[str, list[str]] = {}
    async with database.write() as connection:
        for genre, centre in CENTRES.items():
            names = [f"{prefix} {genre} band {number}".strip() for number in range(per_genre // per_artist)]
            bands = await connection.scalars(
                insert(artist).returning(artist.c.id, sort_by_parameter_order=True), [{"name": name} for name in names]
            )
            band_ids = list(bands)
            rows = [
                {
                    "title": f"{prefix} {genre} {number}".strip(),
                    "spotify_id": f"{genre[:4]}{prefix}{number:0{18 - len(prefix)}}",
                    "source": "spotify",
                    "updated_at": NOW,
                }
                for number in range(per_genre)
            ]
            ids = list(
                await connection.scalars(insert(track).returning(track.c.id, sort_by_parameter_order=True), rows)
            )
            await connection.execute(
                insert(track_artist),
                [
                    {"track_id": key, "position": 0, "artist_id": band_ids[number // per_artist]}
                    for number, key in enumerate(ids)
                ],
            )
            measured = [
                {name: value * chance.uniform(0.95, 1.05) for name, value in zip(FEATURES, centre, strict=True)}
                for _ in ids
            ]
            await connection.execute(
                insert(audio_features),
                [
                    {"track_id": key, "source": "reccobeats", "known": True, "fetched_at": NOW, **numbers}
                    for key, numbers in zip(ids, measured, strict=True)
                ],
            )
            keys[genre] = [str(key) for key in ids]
    return keys


async def give(database: Database, discord_id: str, track_ids: Iterable[str], kind: str = "saved") -> None:
    """Let a member have these tracks, as if a sync had brought them."""
    async with database.write() as connection:
        await upsert(connection, member, [{"discord_id": discord_id, "created_at": NOW}], key=["discord_id"])
        member_id = await connection.scalar(select(member.c.id).where(member.c.discord_id == discord_id))
        place = {"member_id": member_id, "source": "spotify", "key": kind}
        await upsert(connection, listing, [place], key=["member_id", "source", "key"])
        listing_id = await connection.scalar(select(listing.c.id).filter_by(**place))
        await connection.execute(
            insert(interaction),
            [
                {
                    "member_id": member_id,
                    "track_id": int(track_id),
                    "listing_id": listing_id,
                    "kind": kind,
                    "source": "spotify",
                    "count": 1,
                    "occurred_at": NOW,
                    "first_seen": NOW,
                    "last_seen": NOW,
                }
                for track_id in track_ids
            ],
        )


async def make_local(database: Database, track_id: str, title: str) -> None:
    """As if this track had been found on a member's own disk."""
    async with database.write() as connection:
        await connection.execute(update(track).where(track.c.id == int(track_id)).values(spotify_id=None, title=title))
        await connection.execute(
            insert(track_alias).values(scheme="local", value=f"local {track_id}", track_id=int(track_id))
        )
