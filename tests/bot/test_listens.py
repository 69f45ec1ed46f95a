"""Single plays and kept tracks in the database: once each, however often they come, and matched when it can be."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.imports.base import Kept, Listen, Skip, Song
from bot.spotify.records import ArtistRecord, TrackRecord
from bot.storage.accounts import erase_source
from bot.storage.history import history_of
from bot.storage.listens import count_waiting, match_waiting, plays_of, store_kept, store_listens
from bot.storage.members import ensure_member
from bot.storage.names import name_key
from bot.storage.schema import track, track_alias, unmatched_track
from bot.storage.tracks import store_tracks
from specrec.interactions import Kind

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON = datetime(2024, 1, 5, 12, 0, 17, tzinfo=UTC)


def song(number=1, *, carried=True, **changes):
    values = {
        "title": f"Title {number}",
        "artist": f"Artist {number}",
        "spotify_id": f"id{number}" if carried else None,
    }
    return Song(**values | changes)


def play(number=1, at=NOON, *, ms=200_000, carried=True, rounded=False):
    moment = at.replace(second=0) if rounded else at
    return Listen(song(number, carried=carried), moment, ms_played=ms, to_the_minute=rounded)


@pytest.fixture
async def member(database):
    async with database.write() as connection:
        return await ensure_member(connection, "100", NOW)


async def store(database, member, *listens, source="export"):
    async with database.write() as connection:
        return await store_listens(connection, member, source, listens, NOW)


async def counted(database):
    async with database.read() as connection:
        return {row.track_id: (row.count, row.occurred_at) for row in await history_of(connection, "100")}


async def test_plays_are_counted_by_track_and_the_same_again_adds_nothing(database, member):
    batch = [play(1), play(1, NOON + timedelta(hours=1)), play(2)]
    first = await store(database, member, *batch)
    assert (first.new, first.already_there, first.unmatched) == (3, 0, 0)
    before = await counted(database)
    assert sorted(before.values()) == [(1, NOON), (2, NOON + timedelta(hours=1))]
    again = await store(database, member, *reversed(batch))
    assert (again.new, again.already_there) == (0, 3)
    assert await counted(database) == before


async def test_a_play_twice_in_one_batch_is_one(database, member):
    counts = await store(database, member, play(1), play(1), play(1, ms=31_000))
    assert (counts.new, counts.already_there) == (2, 1)


@pytest.mark.parametrize("exact_first", [True, False])
async def test_a_play_from_both_kinds_of_export_is_one(database, member, exact_first):
    exact, rounded = play(1), play(1, carried=False, rounded=True)
    first, second = (exact, rounded) if exact_first else (rounded, exact)
    assert (await store(database, member, first)).new == 1
    later = await store(database, member, second)
    assert (later.new, later.already_there) == (0, 1)
    assert list((await counted(database)).values()) == [(1, NOON)]
    async with database.read() as connection:
        [one] = [one async for one in plays_of(connection, member)]
    assert (one.at, one.ms_played, one.title) == (NOON, 200_000, None)


async def test_a_rounded_play_that_was_counted_is_not_counted_again(database, member):
    await store(database, member, play(1, NOON - timedelta(days=1)))  # makes the name known
    await store(database, member, play(1, carried=False, rounded=True))
    assert (await store(database, member, play(1))).already_there == 1
    assert [count for count, _ in (await counted(database)).values()] == [2]


async def test_unmatched_plays_wait_and_count_when_their_track_appears(database, member):
    plays = [play(1, NOON + timedelta(days=day), carried=False) for day in range(3)]
    counts = await store(database, member, *plays, play(7, carried=False), source="lastfm")
    assert (counts.new, counts.unmatched) == (4, 4)
    assert await counted(database) == {}
    async with database.write() as connection:
        assert await count_waiting(connection, member) == 4
        assert await match_waiting(connection, NOW) == 0
    known = TrackRecord("id1", None, None, "TITLE 1 (feat. Somebody)", (ArtistRecord("a1", "Ártist 1"),))
    async with database.write() as connection:
        [key] = await store_tracks(connection, [known], "spotify", NOW)
        assert await match_waiting(connection, NOW) == 3
        assert await match_waiting(connection, NOW) == 0
        assert await count_waiting(connection, member) == 1
    assert {track: count for track, (count, _) in (await counted(database)).items()} == {str(key): 3}
    assert (await store(database, member, *plays, source="lastfm")).already_there == 3


async def test_an_isrc_matches_before_a_name(database, member):
    async with database.write() as connection:
        records = [
            TrackRecord("id1", None, None, "Title 1", (ArtistRecord(None, "Artist 1"),)),
            TrackRecord("id2", "USABC1234567", None, "Other", (ArtistRecord(None, "Else"),)),
        ]
        keys = await store_tracks(connection, records, "spotify", NOW)
    await store(database, member, Listen(song(1, carried=False, isrc="USABC1234567"), NOON))
    assert list(await counted(database)) == [str(keys[1])]


async def test_a_known_track_keeps_what_spotify_said_of_it(database, member):
    async with database.write() as connection:
        record = TrackRecord("id1", None, None, "The title", (ArtistRecord("a1", "The artist"),), "Album", 1000)
        await store_tracks(connection, [record], "spotify", NOW)
    await store(database, member, play(1))
    async with database.read() as connection:
        row = (await connection.execute(select(track.c.title, track.c.album, track.c.source))).one()
    assert tuple(row) == ("The title", "Album", "spotify")


async def test_lists_count_as_they_stand_in_the_newest_file(database, member):
    once = [Kept(song(1), Kind.SAVED, "saved"), Kept(song(2), Kind.PLAYLIST, "playlist:x")]
    async with database.write() as connection:
        first = await store_kept(connection, member, "export", [*once, Kept(song(2), Kind.PLAYLIST, "playlist:x")], NOW)
        again = await store_kept(connection, member, "export", once, NOW)
    assert (first.new, again.new, again.already_there) == (2, 0, 2)
    assert [count for count, _ in (await counted(database)).values()] == [1, 1]


async def test_what_is_erased_leaves_no_names_behind(database, member):
    await store(database, member, play(1, carried=False), play(2))
    async with database.write() as connection:
        await erase_source(connection, member, "export")
        assert [one async for one in plays_of(connection, member)] == []
        assert (await connection.execute(select(unmatched_track))).all() == []


async def test_local_files_have_no_name_that_others_could_meet(database):
    async with database.write() as connection:
        local = TrackRecord(None, None, "a" * 40, "My demo", (ArtistRecord(None, "Me"),))
        await store_tracks(connection, [local], "spotify", NOW)
        assert list(await connection.scalars(select(track_alias.c.scheme))) == ["local"]


async def test_any_order_and_any_cut_into_batches_gives_the_same(database, member):
    rng = random.Random(3)
    plays = [play(rng.randrange(9), NOON + timedelta(seconds=rng.randrange(900)), ms=rng.choice((31_000, 99_000)))
             for _ in range(400)]  # fmt: skip
    distinct = {(one.song, one.at, one.ms_played) for one in plays}
    new = 0
    for _ in range(3):
        rng.shuffle(plays)
        for start in range(0, len(plays), 37):
            new += (await store(database, member, *plays[start : start + 37])).new
    assert new == len(distinct)
    assert sum(count for count, _ in (await counted(database)).values()) == len(distinct)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Heroes - 2017 Remaster", "“Heroes” (Remastered)"),
        ("Crazy in Love (feat. JAY-Z)", "Crazy In Love ft. Jay Z"),
        ("Café del Mar", "Cafe Del Mar"),
    ],
)
def test_names_that_are_the_same(one, other):
    assert name_key(one, "Simon & Garfunkel") == name_key(other, "simon and garfunkel")


@pytest.mark.parametrize(("one", "other"), [("Song (Live)", "Song"), ("Song", "Song (Remix)"), ("!!!", "???")])
def test_names_that_are_not(one, other):
    assert name_key(one, "A") != name_key(other, "A")


@given(st.text(max_size=60), st.text(max_size=30))
def test_spaces_around_a_name_do_not_matter_and_any_name_has_a_key(title, artist):
    assert name_key(f" {title}  ", f"\t{artist}") == name_key(title, artist)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ms_played": 29_999, "ended": False}, Skip.SHORT),
        ({"ms_played": 30_000, "ended": False}, None),
        ({"ms_played": 5_000, "ended": True}, None),
        ({"ms_played": 99_000, "private": True}, Skip.PRIVATE),
        ({"ms_played": None, "ended": False}, Skip.SHORT),
    ],
)
def test_what_counts_as_a_play(changes, why):
    assert Listen(song(), NOON, **changes).left_out() is why
    assert Listen(song(), NOON, **changes).left_out(with_private=True) is (None if why is Skip.PRIVATE else why)
