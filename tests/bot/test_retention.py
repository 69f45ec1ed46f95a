"""What came from Spotify's API and no listing confirms any more is removed; plays stay, and all of it can come back."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.imports.base import Listen, Song
from bot.services.feedback import FeedbackService
from bot.services.progress import Stage
from bot.services.retention import RetentionService
from bot.sources import Source
from bot.storage import catalogue
from bot.storage.listens import store_listens
from bot.storage.members import ensure_member
from bot.storage.schema import artist, artist_follow, audio_features, track, track_alias
from tests.bot.collecting import collecting


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


@pytest.fixture
async def ada(desk):
    """A playlist of two, two saved tracks, one play, one followed artist."""
    user = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(5)
    user.add_playlist("Mine", songs[:2])
    user.save(songs[2:4])
    user.play(songs[4], desk.clock())
    user.followed_artists.append(desk.spotify.catalogue.add_artist("Followed"))
    await desk.link(user)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    return user


def retention(desk, days=30):
    return RetentionService(desk.database, timedelta(days=days), desk.clock)


async def tracks(desk):
    return {row.spotify_id: row for row in await desk.rows(select(track))}


async def test_what_is_confirmed_stays_for_ever(desk, ada):
    for _ in range(4):
        desk.clock.turn(days=20)
        assert (await desk.sync("ada")).stage is Stage.COMPLETE
        assert not await retention(desk).sweep()
    assert len(await desk.known()) == 5


async def test_what_nobody_confirms_is_removed_after_its_time_and_plays_stay(desk, ada):
    desk.clock.turn(days=29)
    assert not await retention(desk).sweep()
    desk.clock.turn(days=2)
    removed = await retention(desk).sweep()
    assert (removed.interactions, removed.follows) == (4, 1)
    assert await desk.known() == {"Song 4": 1}
    assert await desk.rows(select(artist_follow)) == []


async def test_a_listing_that_lost_rows_is_read_again_although_it_did_not_change(desk, ada):
    desk.clock.turn(days=31)
    await retention(desk).sweep()
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    assert len(await desk.known()) == 5
    assert len(await desk.rows(select(artist_follow))) == 1


async def test_one_playlist_that_is_refused_for_long_goes_alone(desk, ada):
    other = ada.add_playlist("Other", desk.songs(1, "Other"))
    await desk.sync("ada")
    desk.spotify.fail_next(f"/playlists/{other.id}/*", 403, times=None)
    other.add(desk.songs(1, "More"))
    for _ in range(4):
        desk.clock.turn(days=10)
        await desk.sync("ada")
        await retention(desk).sweep()
    assert "Other 0" not in await desk.known()
    assert len(await desk.known()) == 5


async def test_tracks_that_nobody_has_lose_what_spotify_said(desk, ada):
    gone = ada.playlists[0].entries[0].item
    ada.playlists[0].entries.clear()
    desk.clock.turn(days=31)
    await desk.sync("ada")
    removed = await retention(desk).sweep()
    assert removed.tracks == 2
    row = (await tracks(desk))[gone.id]
    assert (row.title, row.album, row.duration_ms) == ("", None, None)
    schemes = await desk.rows(select(track_alias.c.scheme).where(track_alias.c.track_id == row.id))
    assert [one.scheme for one in schemes] == ["spotify"]
    assert {one.source for one in await desk.rows(select(audio_features))} == {"reccobeats"}  # not Spotify's
    async with desk.database.read() as connection:
        shown = await catalogue.tracks(connection)
    assert len(shown) == 3  # what has no title is neither shown nor recommended
    assert not await retention(desk).sweep()


async def test_artists_of_nobody_go_too_and_followed_ones_stay(desk, ada):
    ada.playlists[0].entries.clear()
    ada.saved.clear()
    desk.clock.turn(days=31)
    ada.recently_played.clear()
    await desk.sync("ada")
    await desk.unlink("ada")
    desk.clock.turn(days=31)
    await retention(desk).sweep()
    assert await desk.rows(select(artist)) == []
    assert {row.title for row in (await tracks(desk)).values()} == {""}


async def test_a_track_that_comes_back_is_the_same_track_with_its_title(desk, ada):
    item = ada.playlists[0].entries[0].item
    before = (await tracks(desk))[item.id]
    ada.playlists[0].entries.clear()
    desk.clock.turn(days=31)
    await desk.sync("ada")
    await retention(desk).sweep()
    ada.playlists[0].add([item])
    await desk.sync("ada")
    after = (await tracks(desk))[item.id]
    assert (after.id, after.title, after.album) == (before.id, before.title, before.album)
    async with desk.database.read() as connection:
        (row,) = (await catalogue.tracks_by_id(connection, [str(after.id)])).values()
    assert row.artists == ("The Band",)


async def test_a_track_that_comes_back_through_an_export_gets_its_title_from_there(desk, ada):
    item = ada.playlists[0].entries[0].item
    ada.playlists[0].entries.clear()
    desk.clock.turn(days=31)
    await desk.sync("ada")
    await retention(desk).sweep()
    listen = Listen(Song("As the export says", "The Band", item.id), desk.clock(), 100_000)
    async with desk.database.write() as connection:
        member = await ensure_member(connection, "100", desk.clock())
        await store_listens(connection, member, Source.EXPORT, [listen], desk.clock())
    assert (await tracks(desk))[item.id].title == "As the export says"


async def test_what_somebody_liked_here_is_held(desk, ada):
    item = ada.playlists[0].entries[0].item
    key = (await tracks(desk))[item.id].id
    await FeedbackService(desk.database, desk.clock).toggle("100", str(key), "liked")
    await desk.unlink("ada")
    desk.clock.turn(days=60)
    await retention(desk).sweep()
    titles = {row.title for row in (await tracks(desk)).values()}
    assert titles == {item.name, ""}
