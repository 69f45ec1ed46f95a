"""/unlink's deletion: all that came from Spotify, nothing else, and not readable on the disk afterwards."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from bot.errors import NotLinkedError
from bot.services.unlink import UnlinkService
from bot.sources import Source
from bot.storage.accounts import fresh_tokens, put_account
from bot.storage.link_requests import add_request
from bot.storage.members import ensure_member
from bot.storage.schema import (
    account,
    artist,
    artist_follow,
    interaction,
    link_request,
    listing,
    member,
    track,
    track_alias,
)
from tests.bot.linking import everything_on_disk

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TABLES = (member, account, listing, interaction, artist_follow, link_request, track, artist)


async def counts(database):
    async with database.read() as connection:
        return {table.name: await connection.scalar(select(func.count()).select_from(table)) for table in TABLES}


async def add_interaction(connection, member_id, track_id, listing_id, kind, source):
    seen = {"count": 1, "first_seen": NOW, "last_seen": NOW}
    await connection.execute(
        insert(interaction).values(
            member_id=member_id, track_id=track_id, listing_id=listing_id, kind=kind, source=source, **seen
        )
    )


async def stock(database, discord_id):
    """Three tracks, one of them a local file, in two lists; one followed artist; one like."""
    async with database.write() as connection:
        key = await ensure_member(connection, discord_id, NOW)
        await put_account(
            connection,
            key,
            Source.SPOTIFY,
            external_id=f"external-{discord_id}",
            user_id=f"user-{discord_id}",
            display_name="A Name",
            tokens=fresh_tokens(f"sealed-access-{discord_id}", f"sealed-refresh-{discord_id}", NOW),
            scope="",
            now=NOW,
        )
        await add_request(
            connection, token_hash=discord_id, discord_id=discord_id, discord_name="A", guild_name=None, now=NOW
        )
        lists = {}
        for source, name in (
            (Source.SPOTIFY, "saved"),
            (Source.SPOTIFY, f"playlist:of-{discord_id}"),
            (Source.DISCORD, "feedback"),
        ):
            added = await connection.execute(insert(listing).values(member_id=key, source=source, key=name))
            lists[name.split(":")[0]] = added.inserted_primary_key[0]
        tracks = []
        for number in range(3):
            added = await connection.execute(
                insert(track).values(
                    title=f"title {number} of {discord_id}",
                    spotify_id=None if number == 2 else f"{discord_id}x{number}",
                    source=Source.SPOTIFY,
                    updated_at=NOW,
                )
            )
            tracks.append(added.inserted_primary_key[0])
        await connection.execute(
            insert(track_alias).values(scheme="local", value=f"local-{discord_id}", track_id=tracks[2])
        )
        for track_id in tracks:
            await add_interaction(connection, key, track_id, lists["playlist"], "playlist", Source.SPOTIFY)
        await add_interaction(connection, key, tracks[0], lists["saved"], "saved", Source.SPOTIFY)
        await add_interaction(connection, key, tracks[0], lists["feedback"], "liked", Source.DISCORD)
        added = await connection.execute(insert(artist).values(name=f"artist of {discord_id}"))
        await connection.execute(
            insert(artist_follow).values(
                listing_id=lists["saved"],
                artist_id=added.inserted_primary_key[0],
                member_id=key,
                first_seen=NOW,
                last_seen=NOW,
            )
        )
    return tracks


async def test_everything_of_this_member_and_nothing_of_others(database):
    await stock(database, "100")
    await stock(database, "200")
    unlinked = await UnlinkService(database, timedelta(days=5), lambda: NOW).unlink("100")
    erased = unlinked.erased
    assert unlinked.models_by is None
    assert (erased.accounts, erased.listings, erased.interactions, erased.tracks, erased.follows) == (1, 2, 4, 3, 1)
    after = await counts(database)
    assert after == {
        "member": 2,
        "account": 1,
        "listing": 4,  # the other's three and this one's likes
        "interaction": 6,  # the other's five and this one's like
        "artist_follow": 1,
        "link_request": 1,
        "track": 5,  # all but this one's local file
        "artist": 2,
    }
    async with database.read() as connection:
        left = (await connection.execute(select(interaction.c.kind).where(interaction.c.member_id == 1))).all()
    assert left == [("liked",)]


async def test_what_was_deleted_is_not_readable_on_the_disk(database):
    await stock(database, "100")
    secrets = (b"sealed-access-100", b"sealed-refresh-100", b"external-100", b"playlist:of-100", b"title 2 of 100")
    assert all(secret in everything_on_disk(database) for secret in secrets)
    await UnlinkService(database, timedelta(days=5), lambda: NOW).unlink("100")
    assert [secret for secret in secrets if secret in everything_on_disk(database)] == []
    assert database.path.with_name(f"{database.path.name}-wal").stat().st_size == 0


async def test_a_local_file_that_somebody_else_has_too_stays(database):
    tracks = await stock(database, "100")
    await stock(database, "200")
    async with database.write() as connection:
        place = select(listing.c.id).where(listing.c.member_id == 2, listing.c.key == "saved")
        await add_interaction(connection, 2, tracks[2], await connection.scalar(place), "saved", Source.SPOTIFY)
    await UnlinkService(database, timedelta(days=5), lambda: NOW).unlink("100")
    async with database.read() as connection:
        assert await connection.scalar(select(track.c.title).where(track.c.id == tracks[2])) == "title 2 of 100"


async def test_nothing_linked(database):
    service = UnlinkService(database, timedelta(days=5), lambda: NOW)
    with pytest.raises(NotLinkedError):
        await service.unlink("100")
    async with database.write() as connection:
        await ensure_member(connection, "100", NOW)
    with pytest.raises(NotLinkedError):
        await service.unlink("100")
    await stock(database, "200")
    await service.unlink("200")
    with pytest.raises(NotLinkedError):
        await service.unlink("200")


async def test_a_key_is_never_given_to_a_second_account(database):
    await stock(database, "100")
    await UnlinkService(database, timedelta(days=5), lambda: NOW).unlink("100")
    await stock(database, "200")
    async with database.read() as connection:
        assert await connection.scalar(select(account.c.id)) == 2
