"""Development Mode and Extended Quota are told apart by asking; what is closed to this application is remembered."""

import pytest
from sqlalchemy import select

from bot.services.progress import Stage
from bot.storage.schema import interaction, spotify_endpoint
from tests.bot.collecting import collecting

pytestmark = pytest.mark.timeout(600)  # seconds of work, but many round trips on a busy machine


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


async def member(desk, name="ada", tracks=130):
    user = desk.spotify.add_user(name, name.title())
    songs = desk.songs(tracks, f"{name.title()}'s song")
    user.add_playlist("Mine", songs)
    user.save(songs[:5])
    user.set_top("short_term", songs[:3])
    user.followed_artists.extend(songs[0].artists)
    user.play(songs[0], desk.clock())
    await desk.link(user)
    return user


async def closed(desk):
    query = select(spotify_endpoint.c.endpoint).where(spotify_endpoint.c.closed_at.is_not(None))
    return {row.endpoint for row in await desk.rows(query)}


async def test_a_whole_library_in_development_mode(desk):
    await member(desk)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    assert len(await desk.known("playlist")) == 130
    assert desk.spotify.count("/playlists/*/items") == 3
    assert desk.spotify.count("/playlists/*/tracks") == 0
    assert await closed(desk) == set()


async def test_a_whole_library_with_extended_quota(desk):
    """The old path, found out once for everybody; a hundred tracks a page."""
    desk.spotify.extended_quota = True
    await member(desk)
    progress = await desk.sync("ada")
    assert (progress.stage, progress.refused) == (Stage.COMPLETE, 0)
    assert len(await desk.known("playlist")) == 130
    assert len(await desk.known("saved")) == 5
    assert desk.spotify.count("/playlists/*/items") == 1
    assert desk.spotify.count("/playlists/*/tracks") == 2
    assert await closed(desk) == {"playlist"}
    await member(desk, "ben")
    assert (await desk.sync("ben")).stage is Stage.COMPLETE
    assert desk.spotify.count("/playlists/*/items") == 1  # known from the first member on
    assert desk.spotify.count("/playlists/*/tracks") == 4


async def test_an_application_that_changes_its_mode_is_found_out_again(desk):
    ada = await member(desk, tracks=3)
    await desk.sync("ada")
    desk.spotify.extended_quota = True
    desk.clock.turn(days=8)
    ada.playlists[0].add(desk.songs(1, "New"))
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    assert len(await desk.known("playlist")) == 4


async def test_in_extended_quota_a_playlist_that_is_gone_is_gone(desk):
    desk.spotify.extended_quota = True
    ada = await member(desk, tracks=3)
    other = ada.add_playlist("Other", desk.songs(2, "Other"))
    await desk.sync("ada")
    other.add(desk.songs(1, "More"))
    desk.spotify.fail_next(f"/playlists/{other.id}/tracks", 404)
    await desk.sync("ada")
    assert len(await desk.known("playlist")) == 3


async def test_a_refusal_under_both_paths_deletes_nothing_and_closes_nothing(desk):
    """Before anything is known of the application, one playlist is refused, as those of others are."""
    ada = await member(desk, tracks=3)
    refused = ada.playlists[0]
    fault = desk.spotify.fail_next(f"/playlists/{refused.id}/*", 403, times=None)
    progress = await desk.sync("ada")
    assert (progress.stage, progress.refused, fault.hits) == (Stage.COMPLETE, 1, 2)
    assert await closed(desk) == set()
    fault.clear()
    assert (await desk.sync("ada")).refused == 0


async def test_a_closed_endpoint_is_asked_once_a_week_for_everybody(desk):
    for name in ("ada", "ben"):
        await member(desk, name, tracks=2)
    fault = desk.spotify.fail_next("/me/top/tracks", 403, times=None)
    task = desk.daily()
    for _ in range(7):
        await task.tick()
        desk.clock.turn(days=1)
    assert fault.hits == 1
    assert await closed(desk) == {"top"}
    fault.clear()
    desk.clock.turn(hours=1)
    await task.tick()
    assert await closed(desk) == set()  # Spotify opened it again
    assert await desk.known("top") != {}


async def test_one_account_that_is_refused_everywhere_closes_nothing_for_the_others(desk):
    for name in ("ada", "ben"):
        await member(desk, name, tracks=2)
    fault = desk.spotify.fail_next("*", 403, times=None)
    assert (await desk.sync("ada")).stage is Stage.STOPPED
    fault.clear()
    assert (await desk.sync("ben")).refused == 0
    assert await closed(desk) == set()


async def test_an_endpoint_that_answers_others_stays_open(desk):
    for name in ("ada", "ben"):
        await member(desk, name, tracks=2)
    await desk.sync("ada")
    desk.spotify.fail_next("/me/top/tracks", 403)
    assert (await desk.sync("ben")).refused == 1  # one of three, and no more
    assert await closed(desk) == set()


async def test_the_second_sync_of_an_unchanged_library_is_a_handful_of_requests(desk):
    """A hundred playlists of 120 tracks and 3,000 saved tracks."""
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(3_000, known=False)
    for number in range(100):
        ada.add_playlist(f"List {number}", songs[number * 29 : number * 29 + 120])
    ada.save(songs)
    await desk.link(ada)
    desk.reccobeats.fail_next("*", 500, times=None)  # not about audio features
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    first = desk.spotify.count()
    assert first == 2 + 100 * 3 + 60 + 1 + 1 + 3
    desk.spotify.requests.clear()
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    assert desk.spotify.count() <= 12
    assert progress.unchanged == 100 + 1 + 3
    oldest = await desk.rows(select(interaction.c.last_seen).order_by(interaction.c.last_seen).limit(1))
    assert oldest[0].last_seen >= desk.clock.now
    assert len(await desk.known("saved")) == 3_000
