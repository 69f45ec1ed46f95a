"""What stops a sync, what it keeps, and how it goes on."""

import asyncio
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.errors import NeedsReconnectError, NotLinkedError
from bot.services.progress import Stage
from bot.storage.schema import account, audio_features, interaction, listing
from tests.bot.collecting import collecting


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


async def linked(desk, saved=120, name="ada"):
    user = desk.spotify.add_user(name, name.title())
    user.save(desk.songs(saved, f"{name.title()}'s song"))
    await desk.link(user)
    return user


async def test_stopped_between_two_pages_and_gone_on_with(desk):
    await linked(desk)
    hold = desk.spotify.hold("/me/tracks", skip=1)
    run = await desk.begin("ada")
    await hold.arrived.wait()
    await desk.restart()
    assert run.progress.stage is Stage.STOPPED
    assert len(await desk.known("saved")) == 50
    assert (await desk.listing("saved")).cursor["offset"] == 50
    desk.spotify.clear_faults()
    desk.spotify.requests.clear()
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    assert set((await desk.known("saved")).values()) == {1}
    assert len(await desk.known("saved")) == 120
    assert [request.query["offset"] for request in desk.spotify.requests if request.path == "/me/tracks"] == [
        "50",
        "100",
    ]
    assert desk.spotify.count("/me/top/tracks") == 0  # read before the stop
    assert (await desk.listing("saved")).cursor is None


async def test_a_playlist_that_changed_meanwhile_is_read_anew(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(120)
    playlist = ada.add_playlist("Mine", songs)
    await desk.link(ada)
    hold = desk.spotify.hold(f"/playlists/{playlist.id}/items", skip=1)
    await desk.begin("ada")
    await hold.arrived.wait()
    await desk.restart()
    desk.spotify.clear_faults()
    del playlist.entries[:30]
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    assert set(await desk.known("playlist")) == {f"Song {number}" for number in range(30, 120)}
    assert set((await desk.known("playlist")).values()) == {1}


async def test_a_sync_that_stopped_long_ago_begins_anew(desk):
    ada = await linked(desk)
    hold = desk.spotify.hold("/me/tracks")
    await desk.begin("ada")
    await hold.arrived.wait()
    await desk.restart()
    desk.spotify.clear_faults()
    ada.set_top("short_term", desk.songs(1, "New favourite"))
    desk.clock.turn(days=8)
    await desk.sync("ada")
    assert await desk.known("top") == {"New favourite 0": 1}


async def test_a_short_429_is_waited_for(desk):
    await linked(desk)
    fault = desk.spotify.fail_next("/me/tracks", 429, retry_after=1)
    began = time.monotonic()
    progress = await desk.sync("ada")
    assert time.monotonic() - began >= 0.9
    assert (progress.stage, fault.hits) == (Stage.COMPLETE, 1)


async def test_a_long_429_stops_with_a_time_and_goes_on_by_itself(desk):
    await linked(desk)
    fault = desk.spotify.fail_next("/me/tracks", 429, times=None, skip=1, retry_after=3_600)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.STOPPED
    assert progress.resumes_at == desk.clock.now + timedelta(hours=1)
    assert "Spotify asks this bot to wait until 24 November, 13:01 UTC" in progress.reason
    assert len(await desk.known("saved")) == 50
    assert fault.hits == 1
    again = await desk.sync("ada")
    assert again.resumes_at == progress.resumes_at
    assert fault.hits == 1  # before that time, Spotify is not even asked
    fault.clear()
    await desk.daily().tick()
    assert len(await desk.known("saved")) == 50
    desk.clock.turn(hours=1)
    await desk.daily().tick()
    assert len(await desk.known("saved")) == 120
    assert ((await desk.account()).sync_note, (await desk.account()).sync_resumes_at) == (None, None)


async def test_a_short_429_that_does_not_end_is_left_alone_for_an_hour(desk):
    """As seen on saved tracks: a day long, and each time as if it were over in seconds."""
    await linked(desk)
    fault = desk.spotify.fail_next("/me/tracks", 429, times=None, retry_after=0)
    progress = await desk.sync("ada")
    assert (progress.stage, fault.hits) == (Stage.STOPPED, 4)
    assert progress.resumes_at == desk.clock.now + timedelta(hours=1)
    await desk.daily().tick()
    await desk.sync("ada")
    assert fault.hits == 4


@pytest.mark.parametrize(("retry_after", "hours"), [(None, 24), (48_925, 48_925 / 3_600), (float("nan"), 24), (-5, 24)])
async def test_a_used_up_quota_stops_for_a_day(desk, retry_after, hours):
    await linked(desk)
    fault = desk.spotify.quota_exceeded("/me/tracks", retry_after)
    progress = await desk.sync("ada")
    assert (progress.stage, fault.hits) == (Stage.STOPPED, 1)
    assert progress.resumes_at == desk.clock.now + timedelta(hours=hours)


async def test_an_expired_token_is_renewed_once(desk):
    await linked(desk)
    desk.spotify.expire_access_tokens()
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    assert desk.spotify.accounts.count("/api/token") == 1


async def test_a_revoked_consent_needs_a_new_one_and_deletes_nothing(desk):
    ada = await linked(desk)
    await desk.sync("ada")
    ada.revoke()
    progress = await desk.sync("ada")
    assert progress.stage is Stage.STOPPED
    assert "Type /link to connect again" in progress.reason
    assert progress.resumes_at is None
    row = await desk.account()
    assert row.status == "needs_reconnect"
    assert len(await desk.known("saved")) == 120
    with pytest.raises(NeedsReconnectError):
        await desk.begin("ada")
    desk.spotify.requests.clear()
    desk.clock.turn(days=2)
    await desk.daily().tick()
    assert desk.spotify.requests == []
    await desk.link(ada)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE


async def test_a_second_401_renews_no_second_time(desk):
    """It is Spotify's trouble: a consent that ended would have given no new token."""
    await linked(desk)
    desk.spotify.fail_next("/me/tracks", 401, times=None)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.STOPPED
    assert (await desk.account()).status == "linked"
    assert desk.spotify.accounts.count("/api/token") == 1


@pytest.mark.parametrize(
    "trouble",
    [
        lambda spotify: spotify.fail_next("*", 503, times=None),
        lambda spotify: spotify.fail_next("*", 502, times=None, body="<html>Bad gateway</html>"),
        lambda spotify: spotify.disconnect("*"),
        lambda spotify: spotify.fail_next("*", 200, times=None, body="<html>maintenance</html>"),
        lambda spotify: spotify.fail_next("*", 200, times=None, body={}),
        lambda spotify: spotify.fail_next("*", 200, times=None, body={"items": None}),
        lambda spotify: spotify.fail_next("*", 500, times=None, body={"error": "text"}),
    ],
)
async def test_an_outage_deletes_nothing(desk, trouble):
    ada = await linked(desk, saved=3)
    ada.add_playlist("Mine", desk.songs(3))
    ada.followed_artists.extend(desk.songs(1, "By")[0].artists)
    await desk.sync("ada")
    before = await desk.known()
    trouble(desk.spotify)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.STOPPED
    assert progress.resumes_at == desk.clock.now + timedelta(minutes=30)
    assert "Nothing was lost" in progress.reason
    assert await desk.known() == before
    desk.spotify.clear_faults()
    desk.clock.turn(minutes=30)
    await desk.daily().tick()
    assert (await desk.account()).last_synced_at == desk.clock.now


async def test_a_moment_of_trouble_is_outlasted(desk):
    await linked(desk)
    desk.spotify.fail_next("/me/tracks", 500, times=2)
    desk.spotify.disconnect("/me/playlists", times=1)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE


async def test_an_answer_that_does_not_come_is_asked_for_again(database):
    async with collecting(database, timeout_seconds=0.5) as desk:
        await linked(desk, saved=3)
        desk.spotify.delay("/me/following", 60, times=1)
        await desk.sync("ada")
        assert desk.spotify.count("/me/following") > 1


async def test_odd_error_bodies_keep_their_meaning(desk):
    await linked(desk)
    desk.spotify.fail_next("/me/following", 403, body={"error": "Forbidden"})
    desk.spotify.fail_next("/me/top/tracks", 404, body="<html>nothing here</html>")
    progress = await desk.sync("ada")
    assert (progress.stage, progress.refused) == (Stage.COMPLETE, 2)


async def test_unlinked_in_the_middle(desk):
    await linked(desk)
    hold = desk.spotify.hold("/me/tracks", skip=1)
    run = await desk.begin("ada")
    await hold.arrived.wait()
    await desk.unlink("ada")
    hold.release()
    await run.wait()
    assert run.progress.stage is Stage.UNLINKED
    for table in (account, interaction, listing):
        assert await desk.rows(select(table)) == []
    with pytest.raises(NotLinkedError, match="Type /link"):
        await desk.begin("ada")


async def test_unlinked_and_linked_anew_in_the_middle(desk):
    ada = await linked(desk)
    hold = desk.spotify.hold("/me/tracks", skip=1)
    run = await desk.begin("ada")
    await hold.arrived.wait()
    await desk.unlink("ada")
    await desk.link(ada)
    hold.release()
    await run.wait()
    assert run.progress.stage is Stage.UNLINKED
    assert await desk.rows(select(interaction)) == []


async def test_two_syncs_at_once_are_one(desk):
    await linked(desk)
    hold = desk.spotify.hold("/me/tracks")
    (one, first), (two, second) = await asyncio.gather(desk.syncs.start("ada"), desk.syncs.start("ada"))
    assert one is two
    assert {first, second} == {True, False}
    await hold.arrived.wait()
    assert desk.syncs.under_way(one.account.id).stage is Stage.SAVED
    hold.release()
    await one.wait()
    assert desk.spotify.count("/me/tracks") == 3
    assert desk.syncs.under_way(one.account.id) is None


async def test_the_event_loop_is_never_blocked(desk):
    """The far ends answer on this very loop, and only when it has gone round again: a call that held it would wait for
    itself until it gives up."""
    ada = await linked(desk, saved=3)
    playlist = ada.add_playlist("Mine", desk.songs(3))
    ada.followed_artists.extend(playlist.entries[0].item.artists)
    sites = (desk.spotify, desk.reccobeats)
    for site in sites:
        site.delay("*", 0.01)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    seen = {request.path for site in sites for request in site.requests}
    assert len(seen) == 7, seen  # every listing was read, and the features were asked for


async def test_daily_syncs_everybody_and_a_failing_member_stops_nobody(desk):
    for name in ("ada", "ben", "cid"):
        await linked(desk, saved=3, name=name)
    desk.spotify.users["ben"].revoke()
    await desk.daily().tick()
    rows = await desk.rows(select(account.c.user_id, account.c.last_synced_at, account.c.status))
    assert {row.user_id: row.last_synced_at is not None for row in rows} == {"ada": True, "ben": False, "cid": True}
    assert {row.user_id: row.status for row in rows}["ben"] == "needs_reconnect"
    desk.spotify.requests.clear()
    desk.clock.turn(hours=23)
    await desk.daily().tick()
    assert desk.spotify.requests == []
    desk.clock.turn(hours=1)
    await desk.daily().tick()
    assert {request.user for request in desk.spotify.requests} == {"ada", "cid"}


async def test_daily_goes_on_with_what_a_restart_stopped(desk):
    await linked(desk)
    hold = desk.spotify.hold("/me/tracks", skip=1)
    await desk.begin("ada")
    await hold.arrived.wait()
    await desk.restart()
    desk.spotify.clear_faults()
    await desk.daily().tick()
    assert len(await desk.known("saved")) == 120


async def test_daily_asks_again_for_features_that_a_sync_did_not_get(desk):
    await linked(desk, saved=3)
    task = desk.daily()
    fault = desk.reccobeats.fail_next("*", 500, times=None)
    await task.tick()
    assert await desk.rows(select(audio_features)) == []
    fault.clear()
    await task.tick()
    assert fault.hits == 3
    desk.clock.turn(minutes=30)
    await task.tick()
    assert len(await desk.rows(select(audio_features))) == 3
    desk.reccobeats.requests.clear()
    desk.clock.turn(minutes=30)
    await task.tick()
    assert desk.reccobeats.requests == []


async def test_the_daily_task_begins_and_ends(desk):
    await linked(desk, saved=3)
    task = desk.daily()
    task.start()
    while (await desk.account()).last_synced_at is None:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await task.close()


async def test_a_sync_can_be_followed(desk):
    await linked(desk)
    hold = desk.spotify.hold("/me/tracks", skip=1)
    run = await desk.begin("ada")
    seen = []
    async for progress in run.follow(every_s=0.02):
        seen.append((progress.stage, progress.entries))
        if progress.entries == 50:
            hold.release()
    assert seen[-1] == (Stage.COMPLETE, 120)
    assert (Stage.SAVED, 50) in seen
    hold = desk.spotify.hold("/me/tracks")
    run = await desk.begin("ada")
    await hold.arrived.wait()
    stages = [progress.stage async for progress in run.follow(every_s=0.02, at_most_s=0.1)]
    assert stages[-1] is Stage.SAVED  # fourteen minutes later it still goes on, and the last word says so
    hold.release()
    await run.wait()
