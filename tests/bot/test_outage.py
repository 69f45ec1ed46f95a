"""Spotify refuses to renew: one link, for good, is told from many at once, which are an outage."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.errors import ConsentDoubtError, NeedsReconnectError
from bot.services.progress import Stage
from bot.storage.schema import account
from tests.bot.collecting import collecting

pytestmark = pytest.mark.timeout(600)  # seconds of work, but many round trips on a busy machine


@pytest.fixture
async def desk(database):
    """Four members, whose tokens have to be renewed."""
    async with collecting(database) as desk:
        for name in ("ada", "ben", "cid", "dot"):
            user = desk.spotify.add_user(name, name.title())
            user.save(desk.songs(2, f"{name}'s song", known=False))
            await desk.link(user)
        desk.spotify.expire_access_tokens()
        yield desk


async def states(desk):
    return {row.user_id: row.status for row in await desk.rows(select(account))}


async def test_one_link_that_is_gone_is_known_at_once(desk):
    desk.spotify.users["ada"].revoke()
    progress = await desk.sync("ada")
    assert "Type /link to connect again" in progress.reason
    assert await states(desk) == {"ada": "needs_reconnect", "ben": "linked", "cid": "linked", "dot": "linked"}
    assert desk.spotify.accounts.count("/api/token") == 2  # hers, and another's to compare


async def test_many_at_once_are_spotifys_trouble(desk):
    outage = desk.spotify.accounts.refuse_refreshes()
    before = await desk.rows(select(account.c.refresh_token))
    for name in ("ada", "ben", "cid", "dot"):
        progress = await desk.sync(name)
        assert progress.stage is Stage.STOPPED
        assert "there is nothing for you to do" in progress.reason
        assert progress.resumes_at == desk.clock.now + timedelta(minutes=30)
    assert set((await states(desk)).values()) == {"linked"}
    assert await desk.rows(select(account.c.refresh_token)) == before
    for _ in range(8):  # four hours
        desk.clock.turn(minutes=30)
        await desk.daily().tick()
    assert set((await states(desk)).values()) == {"linked"}
    assert outage.hits <= 4 + 8  # in an outage one account tries for all
    outage.clear()
    desk.clock.turn(minutes=30)
    await desk.daily().tick()
    rows = await desk.rows(select(account))
    assert all(row.last_synced_at is not None and row.refused_at is None and row.sync_note is None for row in rows)


async def test_whoever_left_during_an_outage_is_found_when_it_is_over(desk):
    outage = desk.spotify.accounts.refuse_refreshes()
    for name in ("ada", "ben", "cid", "dot"):
        await desk.sync(name)
    desk.spotify.users["ben"].revoke()
    outage.clear()
    desk.clock.turn(minutes=30)
    await desk.daily().tick()
    assert await states(desk) == {"ada": "linked", "ben": "needs_reconnect", "cid": "linked", "dot": "linked"}


async def test_what_lasts_a_day_is_no_outage(desk):
    """All links ended together, as when Spotify let every old consent end on one day."""
    for user in desk.spotify.users.values():
        user.revoke()
    for _ in range(50):
        await desk.daily().tick()
        desk.clock.turn(minutes=30)
    assert set((await states(desk)).values()) == {"needs_reconnect"}


async def test_an_outage_of_the_whole_service_is_no_refusal(desk):
    desk.spotify.users["ada"].revoke()
    fault = desk.spotify.accounts.fail_next(
        "/api/token",
        503,
        times=None,
    )
    assert (await desk.sync("ada")).stage is Stage.STOPPED
    fault.clear()
    desk.spotify.accounts.fail_next("/api/token", 400, body={"error": "invalid_grant"})
    desk.spotify.accounts.fail_next("/api/token", 503)
    old = await desk.tokens.token(1)
    with pytest.raises(ConsentDoubtError):  # refused, but the comparison got no answer
        await desk.tokens.renewed(1, old)
    assert (await states(desk))["ada"] == "linked"
    desk.clock.turn(minutes=10)
    with pytest.raises(NeedsReconnectError):
        await desk.tokens.renewed(1, old)


async def test_a_link_that_was_given_up_wrongly_comes_back_by_itself(database):
    """One member alone: there is nobody to compare with."""
    async with collecting(database) as desk:
        user = desk.spotify.add_user("ada", "Ada")
        user.save(desk.songs(2, known=False))
        await desk.link(user)
        desk.spotify.expire_access_tokens()
        outage = desk.spotify.accounts.refuse_refreshes()
        await desk.sync("ada")
        assert await states(desk) == {"ada": "needs_reconnect"}
        await desk.tokens.look_again(desk.gateway)
        assert await states(desk) == {"ada": "needs_reconnect"}
        outage.clear()
        await desk.tokens.look_again(desk.gateway)
        assert (await desk.sync("ada")).stage is Stage.COMPLETE


async def test_reconnecting_keeps_everything(desk):
    ada = desk.spotify.users["ada"]
    await desk.sync("ada")
    known = await desk.known()
    (before,) = [row for row in await desk.rows(select(account)) if row.user_id == "ada"]
    ada.revoke()
    assert (await desk.sync("ada")).stage is Stage.STOPPED
    desk.clock.turn(days=3)
    await desk.link(ada)
    (after,) = [row for row in await desk.rows(select(account)) if row.user_id == "ada"]
    assert await desk.known() == known
    assert (after.id, after.linked_at, after.authorised_at) == (before.id, before.linked_at, desk.clock.now)
    assert (after.status, after.refused_at) == ("linked", None)


async def test_a_new_token_that_is_refused_too_is_spotifys_trouble(desk):
    """Whoever took the consent back gets no new token: nobody is told to connect again."""
    fault = desk.spotify.fail_next("/me/*", 401, times=None)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.STOPPED
    assert "there is nothing for you to do" in progress.reason
    assert (await states(desk))["ada"] == "linked"
    fault.clear()
    desk.clock.turn(minutes=30)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE


async def later_syncs(desk, name, times, minutes=30):
    """The stages and reasons of a member's next syncs, as far apart as the bot itself lets them be."""
    progress = None
    for _ in range(times):
        desk.clock.turn(minutes=minutes)
        progress = await desk.sync(name)
        assert progress.stage is Stage.STOPPED
    return progress.reason


async def test_one_whose_new_tokens_are_turned_away_has_to_connect_again(desk):
    """Spotify renews the link, and its API takes none of the tokens: of ada alone."""
    desk.spotify.users["ada"].turn_away()
    assert "there is nothing for you to do" in await later_syncs(desk, "ada", 2)
    assert (await states(desk))["ada"] == "linked"
    assert "Type /link to connect again" in await later_syncs(desk, "ada", 1)
    assert await states(desk) == {"ada": "needs_reconnect", "ben": "linked", "cid": "linked", "dot": "linked"}
    await desk.tokens.open()  # as at the next start: it is no missing key
    await desk.tokens.look_again(desk.gateway)  # a new token is given, but not taken
    assert (await states(desk))["ada"] == "needs_reconnect"
    desk.spotify.users["ada"].turn_away(turned_away=False)
    await desk.tokens.look_again(desk.gateway)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE


async def test_a_link_made_anew_counts_anew(desk):
    desk.spotify.users["ada"].turn_away()
    await later_syncs(desk, "ada", 3)
    await desk.link(desk.spotify.users["ada"])
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    desk.clock.turn(minutes=1)
    desk.spotify.users["ada"].turn_away()
    await later_syncs(desk, "ada", 2)
    assert (await states(desk))["ada"] == "linked"


async def test_asking_again_and_again_in_a_moment_concludes_nothing(desk):
    desk.spotify.users["ada"].turn_away()
    await later_syncs(desk, "ada", 5, minutes=2)
    assert (await states(desk))["ada"] == "linked"


async def test_many_whose_new_tokens_are_turned_away_are_spotifys_trouble(desk):
    """Also those whose syncs were not due yet, which is found out by asking."""
    for user in desk.spotify.users.values():
        user.turn_away()
    await later_syncs(desk, "ada", 5)
    await later_syncs(desk, "ben", 5)
    await later_syncs(desk, "cid", 5)
    assert set((await states(desk)).values()) == {"linked"}
    for user in desk.spotify.users.values():
        user.turn_away(turned_away=False)
    desk.clock.turn(minutes=30)
    await desk.daily().tick()
    rows = await desk.rows(select(account))
    assert all(row.status == "linked" and row.last_synced_at is not None for row in rows)


async def test_one_thing_that_is_turned_away_is_no_lost_link(desk):
    """Whose account it is, Spotify still says."""
    desk.spotify.fail_next("/me/tracks", 401, times=None)
    await later_syncs(desk, "ada", 4)
    assert (await states(desk))["ada"] == "linked"


async def test_alone_it_has_to_last_a_day(database):
    async with collecting(database) as desk:
        user = desk.spotify.add_user("ada", "Ada")
        await desk.link(user)
        user.turn_away()
        await later_syncs(desk, "ada", 5)
        assert await states(desk) == {"ada": "linked"}
        desk.clock.turn(days=1)
        await later_syncs(desk, "ada", 1)
        assert await states(desk) == {"ada": "needs_reconnect"}
