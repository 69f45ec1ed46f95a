"""Only what changed is read again: new saved tracks in front of known ones, plays that come late, heads of listings."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot.services.head import Head
from bot.services.progress import Stage
from bot.services.recent_plays import REMEMBERED, RecentPlays
from bot.spotify.records import Entry, Page, TrackRecord
from bot.storage.schema import interaction
from tests.bot.collecting import collecting

pytestmark = pytest.mark.timeout(600)  # seconds of work, but many round trips on a busy machine


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


@pytest.fixture
async def ada(desk):
    """220 saved tracks, read."""
    user = desk.spotify.add_user("ada", "Ada")
    user.save(desk.songs(220, "Old"))
    await desk.link(user)
    await desk.sync("ada")
    desk.spotify.requests.clear()
    return user


def pages(desk):
    return desk.spotify.count("/me/tracks")


async def oldest_sighting(desk):
    ((oldest,),) = await desk.rows(select(func.min(interaction.c.last_seen)).where(interaction.c.kind == "saved"))
    return oldest


@pytest.mark.parametrize(("new", "expected"), [(0, 1), (1, 1), (49, 1), (50, 2), (70, 2), (120, 3)])
async def test_reading_stops_at_what_is_known(desk, ada, new, expected):
    ada.save(desk.songs(new, "New"))
    progress = await desk.sync("ada")
    assert pages(desk) == expected
    assert (progress.added, progress.removed) == (new, 0)
    assert len(await desk.known("saved")) == 220 + new
    assert set((await desk.known("saved")).values()) == {1}
    assert await oldest_sighting(desk) >= desk.clock.now  # the rest is confirmed without being read
    desk.spotify.requests.clear()
    await desk.sync("ada")
    assert pages(desk) == 1


async def test_one_gone_from_the_middle_is_noticed_although_others_came(desk, ada):
    del ada.saved[150]
    ada.save(desk.songs(3, "New"))
    progress = await desk.sync("ada")
    assert (progress.added, progress.removed) == (3, 1)
    assert len(await desk.known("saved")) == 222


async def test_one_gone_and_one_new_leave_the_same_total_and_are_noticed(desk, ada):
    del ada.saved[150]
    ada.save(desk.songs(1, "New"))
    progress = await desk.sync("ada")
    assert (progress.added, progress.removed) == (1, 1)


async def test_one_that_was_saved_anew_moves_to_the_front(desk, ada):
    again = ada.saved.pop(100)
    ada.save([again.track], added_at=desk.clock())
    progress = await desk.sync("ada")
    assert (progress.added, progress.removed) == (0, 0)
    assert len(await desk.known("saved")) == 220


async def test_a_stop_while_new_ones_are_read_loses_nothing(desk, ada):
    ada.save(desk.songs(70, "New"))
    hold = desk.spotify.hold("/me/tracks", skip=1)
    await desk.begin("ada")
    await hold.arrived.wait()
    await desk.restart()
    desk.spotify.clear_faults()
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    assert len(await desk.known("saved")) == 290


async def test_a_play_that_comes_late_counts_once(desk):
    """A phone was offline: its plays lie before one that was counted already."""
    ada = desk.spotify.add_user("ada", "Ada")
    one, two = desk.songs(2)
    ada.play(one, desk.clock())
    await desk.link(ada)
    await desk.sync("ada")
    ada.play(two, desk.clock() - timedelta(hours=3))
    ada.play(two, desk.clock() - timedelta(minutes=1))  # at the very time of the first, on another device
    for _ in range(3):
        await desk.sync("ada")
        assert await desk.known("recently_played") == {"Song 0": 1, "Song 1": 2}


async def test_a_relinked_play_is_the_same_play(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    (song,) = desk.songs(1)
    ada.play(song, desk.clock())
    await desk.link(ada)
    await desk.sync("ada")
    desk.spotify.catalogue.relink(song)
    await desk.sync("ada")
    assert await desk.known("recently_played") == {"Song 0": 1}


PLAYS = st.lists(st.tuples(st.integers(1, 10**13), st.integers(1, 50)), max_size=30, unique=True)


@given(batches=st.lists(PLAYS, max_size=12))
def test_no_play_counts_twice_however_lists_overlap(batches):
    counted, plays = [], RecentPlays()
    for batch in batches:
        new = [play for play in batch if plays.is_new(play)]
        counted += new
        plays = RecentPlays.read(plays.and_also(new).cursor)
    assert len(counted) == len(set(counted))
    assert len(plays.counted) <= REMEMBERED
    if sum(map(len, batches)) <= REMEMBERED:
        assert set(counted) == {play for batch in batches for play in batch}


def test_a_place_of_an_earlier_version_goes_on():
    plays = RecentPlays.read({"played_at_ms": 1_000})
    assert not plays.is_new((1_000, 1))
    assert plays.is_new((1_001, 1))


def listing(numbers, total=None, size=50):
    records = [Entry(TrackRecord(f"id{number}", None, None, "T", ())) for number in numbers[:size]]
    return Page(tuple(records), len(records), len(numbers) if total is None else total, last=len(numbers) <= size)


@given(
    old=st.lists(st.integers(0, 999), unique=True, max_size=120),
    new=st.lists(st.integers(1_000, 1_999), unique=True, max_size=49),
    gone=st.sets(st.integers(0, 119), max_size=3),
)
def test_a_head_never_mistakes_a_change_for_growth(old, new, gone):
    kept = [one for place, one in enumerate(old) if place not in gone]
    head = Head.of(listing(old))
    assert Head.read(head.text) == head
    first = listing([*new, *kept])
    added = head.added(first)
    grew = added is not None and head.continues([first], added)
    assert grew == (kept == old and (bool(old) or not new or added == len(new)))


@pytest.mark.parametrize("text", [None, "", "12", "a:b:c", "-1:5:x", "a0b1c2d3", "1:2"])
def test_what_is_no_head(text):
    assert Head.read(text) is None
