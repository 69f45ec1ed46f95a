"""Likes, dislikes and "I know it", given on the bot's own buttons: interactions in a listing of their own."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.sources import Source
from bot.storage.database import upsert
from bot.storage.listings import open_listing
from bot.storage.members import ensure_member
from bot.storage.schema import interaction, listing, member, track

LISTING = "feedback"


async def title_of(connection: AsyncConnection, track_id: str) -> str | None:
    """None for a track that is gone."""
    title: str | None = await connection.scalar(select(track.c.title).where(track.c.id == int(track_id)))
    return title


async def feedback_of(
    connection: AsyncConnection, discord_id: str, track_ids: Sequence[str]
) -> dict[str, frozenset[str]]:
    """The kinds given to each of these tracks; tracks without any are left out."""
    given = (
        select(interaction.c.track_id, interaction.c.kind)
        .join(listing, listing.c.id == interaction.c.listing_id)
        .join(member, member.c.id == listing.c.member_id)
        .where(
            member.c.discord_id == discord_id,
            listing.c.source == Source.DISCORD,
            listing.c.key == LISTING,
            interaction.c.track_id.in_([int(track_id) for track_id in track_ids]),
        )
    )
    kinds: dict[str, set[str]] = {}
    for key, kind in await connection.execute(given):
        kinds.setdefault(str(key), set()).add(kind)
    return {track_id: frozenset(found) for track_id, found in kinds.items()}


async def put_feedback(
    connection: AsyncConnection, discord_id: str, track_id: str, kinds: Iterable[str], now: datetime
) -> None:
    """Let exactly `kinds` stand for this track. Somebody unknown becomes a member; what stood before keeps its date."""
    member_id = await ensure_member(connection, discord_id, now)
    listing_id = (await open_listing(connection, member_id, Source.DISCORD, LISTING)).id
    wanted = sorted(kinds)
    await connection.execute(
        delete(interaction).where(
            interaction.c.listing_id == listing_id,
            interaction.c.track_id == int(track_id),
            interaction.c.kind.not_in(wanted),
        )
    )
    given = {
        "member_id": member_id,
        "track_id": int(track_id),
        "listing_id": listing_id,
        "source": Source.DISCORD,
        "count": 1,
        "occurred_at": now,
        "first_seen": now,
        "last_seen": now,
    }
    await upsert(
        connection,
        interaction,
        [{**given, "kind": kind} for kind in wanted],
        key=["listing_id", "track_id", "kind"],
    )
