"""What Spotify closed stays closed for everybody; the daily budget is kept, and shared out fairly."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.services.progress import Stage
from bot.spotify.kinds import CallKind
from bot.storage.schema import account, interaction, spotify_usage
from tests.bot.collecting import collecting

pytestmark = pytest.mark.timeout(600)  # seconds of work, but many round trips on a busy machine


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


async def member(desk, name, playlists=0, saved=0):
    """One request a playlist."""
    user = desk.spotify.add_user(name, name.title())
    songs = desk.songs(max(playlists, saved, 1), f"{name.title()}'s song", known=False)
    for number in range(playlists):
        user.add_playlist(f"List {number}", songs[number : number + 1])
    user.save(songs[:saved])
    await desk.link(user)
    return user


async def complete(desk):
    query = select(account.c.user_id).where(account.c.last_synced_at.is_not(None), account.c.sync_started_at.is_(None))
    return sorted(row.user_id for row in await desk.rows(query))


@pytest.mark.parametrize(("retry_after", "hours"), [(3 * 3_600, 3), (None, 24)])
async def test_a_used_up_quota_stops_that_kind_of_work_for_everybody(desk, retry_after, hours):
    for name in ("ada", "ben"):
        await member(desk, name, playlists=2, saved=60)
    fault = desk.spotify.quota_exceeded("/me/tracks", retry_after, skip=1)
    ada, ben = await desk.sync("ada"), await desk.sync("ben")
    assert (ada.stage, ben.stage, fault.hits) == (Stage.STOPPED, Stage.STOPPED, 1)
    assert len(await desk.known("playlist")) == 4  # what is not closed went on
    assert len(await desk.known("saved")) == 50  # of Ada's, with her place kept
    until = desk.clock.now + timedelta(hours=hours, minutes=-1)
    assert ada.resumes_at == ben.resumes_at == until
    assert f"wait until {until:%d %B, %H:%M} UTC" in ada.reason
    fault.clear()
    desk.spotify.requests.clear()
    await desk.daily().tick()
    assert desk.spotify.requests == []
    desk.clock.now = until
    await desk.daily().tick()
    assert await complete(desk) == ["ada", "ben"]
    pages = [(one.user, one.query["offset"]) for one in desk.spotify.requests if one.path == "/me/tracks"]
    first = [("ben", "0"), ("ben", "50"), ("ada", "50")]  # whoever had least comes first
    assert list(dict.fromkeys(pages)) == first  # once more each after a 401: the tokens are older than an hour


async def test_a_closed_quota_outlives_a_restart(database):
    async with collecting(database) as desk:
        await member(desk, "ada", saved=3)
        desk.spotify.quota_exceeded("/me/tracks")
        assert (await desk.sync("ada")).stage is Stage.STOPPED
        now = desk.clock.now
    async with collecting(database) as desk:
        desk.clock.now = now + timedelta(hours=23)
        await member(desk, "ben", saved=3)
        assert (await desk.sync("ben")).stage is Stage.STOPPED
        assert desk.spotify.count("/me/tracks") == 0


async def test_the_budget_of_a_day_is_kept_and_its_end_is_told(database):
    async with collecting(database, budgets={CallKind.PLAYLISTS: 10}) as desk:
        await member(desk, "ada", playlists=30, saved=2)
        progress = await desk.sync("ada")
        assert progress.stage is Stage.STOPPED
        assert desk.spotify.count("/playlists/*") + desk.spotify.count("/me/playlists") == 10
        assert len(await desk.known("saved")) == 2
        assert "the next part begins at 25 November, 13:00 UTC" in progress.reason
        assert progress.resumes_at == desk.clock.now.replace(hour=13, minute=0) + timedelta(days=1)
        for _ in range(4):
            desk.clock.now = (await desk.account()).sync_resumes_at or desk.clock.now
            await desk.daily().tick()
        assert await complete(desk) == ["ada"]
        assert len(await desk.known("playlist")) == 30


async def test_what_was_asked_is_remembered_over_a_restart(database):
    async with collecting(database, budgets={CallKind.PLAYLISTS: 10}) as desk:
        await member(desk, "ada", playlists=30)
        await desk.sync("ada")
        now = desk.clock.now
    async with collecting(database, budgets={CallKind.PLAYLISTS: 10}) as desk:
        desk.clock.now = now + timedelta(hours=1)
        await member(desk, "ben", playlists=1)
        await desk.sync("ben")
        assert desk.spotify.count("/me/playlists") == 0
        (used,) = await desk.rows(select(func.sum(spotify_usage.c.requests)).where(spotify_usage.c.kind == "playlists"))
        assert used[0] == 10


async def test_one_large_library_does_not_keep_the_others_waiting(database):
    """Twelve a day for three: each may have four, and what the small ones leave over goes to the large one."""
    async with collecting(database, budgets={CallKind.PLAYLISTS: 12}) as desk:
        await member(desk, "ada", playlists=40)
        await member(desk, "ben", playlists=2)
        await member(desk, "cid", playlists=3)
        await desk.daily().tick()
        assert await complete(desk) == ["ben", "cid"]
        playlists = [one.user for one in desk.spotify.requests if "playlists" in one.path]
        assert (playlists.count("ada"), playlists.count("ben"), playlists.count("cid")) == (4, 3, 4)
        reason = next(row.sync_note for row in await desk.rows(select(account)) if row.user_id == "ada")
        assert "each member gets a part of it" in reason
        desk.clock.turn(hours=3)
        await desk.daily().tick()
        playlists = [one.user for one in desk.spotify.requests if "playlists" in one.path]
        assert (playlists.count("ada"), len(playlists)) == (5, 12)


async def test_whoever_had_least_comes_first(database):
    async with collecting(database, budgets={CallKind.PLAYLISTS: 6}) as desk:
        for name in ("ada", "ben", "cid"):
            await member(desk, name, playlists=5)
        for _ in range(7):
            await desk.daily().tick()
            desk.clock.turn(hours=25)
        assert await complete(desk) == ["ada", "ben", "cid"]
        counts = [len([one for one in desk.spotify.requests if one.user == name]) for name in ("ada", "ben", "cid")]
        assert max(counts) - min(counts) <= 8
        assert len(await desk.rows(select(interaction).where(interaction.c.kind == "playlist"))) == 15


async def test_linking_is_never_held_back_by_the_budget(database):
    async with collecting(database, budgets={CallKind.OTHER: 1}) as desk:
        ada = await member(desk, "ada")
        await desk.sync("ada")
        token = desk.spotify.token(ada)
        for _ in range(3):
            assert (await desk.gateway.me(token)).id == "ada"
