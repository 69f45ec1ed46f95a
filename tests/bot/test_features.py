"""Audio features: asked for in batches, joined by href; misses remembered, failures never taken for misses."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.audio_features.base import NAMES, AudioFeatures, Wanted, read_features
from bot.audio_features.chain import Chain
from bot.audio_features.reccobeats import ReccoBeats
from bot.errors import AudioFeaturesError
from bot.services.features import FeaturesService
from bot.services.progress import Stage
from bot.storage.schema import audio_features, track
from sandbox.spotify.catalogue import LocalFile
from tests.bot.collecting import MIDDLE, collecting


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


async def linked(desk, known, unknown=0):
    user = desk.spotify.add_user("ada", "Ada")
    user.save([*desk.songs(known), *desk.songs(unknown, "Unknown", known=False)])
    await desk.link(user)
    return user


async def rows(desk):
    return await desk.rows(select(audio_features).order_by(audio_features.c.track_id))


def asked(desk):
    return [len(request.query["ids"].split(",")) for request in desk.reccobeats.requests]


async def test_batches_of_forty(desk):
    await linked(desk, known=95)
    progress = await desk.sync("ada")
    assert (progress.stage, progress.features_found, progress.features_missing) == (Stage.COMPLETE, 95, 0)
    assert asked(desk) == [40, 40, 15]
    stored = await rows(desk)
    assert len(stored) == 95
    assert {name: getattr(stored[0], name) for name in NAMES} == MIDDLE
    assert {(row.source, row.known, row.fetched_at) for row in stored} == {("reccobeats", True, desk.clock.now)}


async def test_each_row_goes_to_the_track_that_its_href_names(desk):
    user = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(10, known=False)
    desk.reccobeats.add({one.id: {**MIDDLE, "tempo": 100.0 + place} for place, one in enumerate(reversed(songs))})
    user.save(songs)
    await desk.link(user)
    await desk.sync("ada")
    joined = select(track.c.title, audio_features.c.tempo).join(audio_features)
    assert {row.title: row.tempo for row in await desk.rows(joined)} == {
        one.name: 100.0 + place for place, one in enumerate(reversed(songs))
    }


async def test_misses_are_remembered_for_a_day(desk):
    await linked(desk, known=2, unknown=3)
    progress = await desk.sync("ada")
    assert (progress.features_found, progress.features_missing) == (2, 3)
    misses = [row for row in await rows(desk) if not row.known]
    assert len(misses) == 3
    assert {getattr(row, name) for row in misses for name in NAMES} == {None}
    await desk.features.look_up(None)
    assert asked(desk) == [5]
    desk.clock.turn(hours=24)
    for song in desk.spotify.catalogue.tracks.values():
        desk.reccobeats.add({song.id: MIDDLE})
    await desk.features.look_up(None)
    assert asked(desk) == [5, 3]
    assert all(row.known for row in await rows(desk))
    desk.clock.turn(days=400)
    await desk.features.look_up(None)
    assert asked(desk) == [5, 3]  # what is known is known for good


async def test_local_files_are_not_asked_for(desk):
    user = desk.spotify.add_user("ada", "Ada")
    user.add_playlist("Mine", [LocalFile("Band", "", "Demo", 60)])
    await desk.link(user)
    await desk.sync("ada")
    assert desk.reccobeats.requests == []


async def test_a_failure_is_no_miss_and_the_sync_is_complete_without(desk):
    await linked(desk, known=3)
    desk.reccobeats.fail_next("*", 503, times=None)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    assert await rows(desk) == []
    assert (await desk.account()).last_synced_at is not None
    with pytest.raises(AudioFeaturesError, match="left alone"):
        await desk.features.look_up(None)
    assert len(desk.reccobeats.requests) == 3  # then the breaker is open
    desk.reccobeats.clear_faults()
    desk.clock.turn(minutes=10)
    await desk.features.look_up(None)
    assert len(await rows(desk)) == 3


@pytest.mark.parametrize("body", ["<html>", {}, {"content": None}, [], {"content": {}}])
async def test_an_answer_that_is_none_is_a_failure(desk, body):
    await linked(desk, known=1)
    desk.reccobeats.fail_next("*", 200, times=None, body=body)
    await desk.sync("ada")
    assert await rows(desk) == []


async def test_stopped_halfway_and_gone_on_with(desk):
    await linked(desk, known=90)
    fault = desk.reccobeats.fail_next("*", 500, times=None, skip=1)
    await desk.sync("ada")
    assert len(await rows(desk)) == 40
    fault.clear()
    desk.clock.turn(minutes=10)
    await desk.features.look_up(None)
    assert len(await rows(desk)) == 90
    assert asked(desk) == [40, 40, 40, 40, 40, 10]


async def test_short_troubles_are_outlasted(desk):
    await linked(desk, known=1)
    desk.reccobeats.fail_next("*", 429, retry_after=0)
    desk.reccobeats.disconnect("*", times=1)
    await desk.sync("ada")
    assert len(await rows(desk)) == 1


async def test_a_long_429_leaves_the_source_alone_until_then(desk):
    await linked(desk, known=1)
    fault = desk.reccobeats.fail_next("*", 429, times=None, retry_after=7_200)
    await desk.sync("ada")
    assert fault.hits == 1
    fault.clear()
    desk.clock.turn(hours=1)
    with pytest.raises(AudioFeaturesError):
        await desk.features.look_up(None)
    desk.clock.turn(hours=1)
    await desk.features.look_up(None)
    assert len(await rows(desk)) == 1


async def test_one_question_at_a_time(desk):
    source = ReccoBeats(desk.reccobeats.url, desk.http, desk.clock)
    hold = desk.reccobeats.hold("*")
    (song,) = desk.songs(1)
    questions = [asyncio.create_task(source.look_up([Wanted(1, song.id)])) for _ in range(3)]
    await hold.arrived.wait()
    await asyncio.sleep(0.05)
    assert len(desk.reccobeats.requests) == 1
    hold.release()
    assert [list(found) for found in await asyncio.gather(*questions)] == [[1], [1], [1]]


class Second:
    """Another source, which knows everything with a certain tempo."""

    name, batch, is_open = "second", 2, True

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def look_up(self, wanted):
        self.asked.append([one.track_id for one in wanted])
        return {one.track_id: AudioFeatures(tempo=99.0) for one in wanted}


async def test_the_next_source_is_asked_only_for_what_the_first_does_not_know(desk):
    await linked(desk, known=2, unknown=3)
    second = Second()
    first = ReccoBeats(desk.reccobeats.url, desk.http, desk.clock, retry_delays=())
    features = FeaturesService(desk.database, Chain([first, second]), desk.clock)
    desk.syncs._features = features
    await desk.sync("ada")
    assert [len(one) for one in second.asked] == [2, 1]
    found = [(row.source, row.known) for row in await rows(desk)]
    assert sorted(found) == [
        *[("reccobeats", False)] * 3,
        *[("reccobeats", True)] * 2,
        *[("second", True)] * 3,
    ]
    assert all(row.tempo == 99.0 for row in await rows(desk) if row.source == "second")


async def test_a_source_that_fails_is_passed_over(desk):
    await linked(desk, known=3)
    second = Second()
    first = ReccoBeats(desk.reccobeats.url, desk.http, desk.clock, retry_delays=())
    desk.syncs._features = FeaturesService(desk.database, Chain([first, second]), desk.clock)
    desk.reccobeats.fail_next("*", 500, times=None)
    await desk.sync("ada")
    assert {row.source for row in await rows(desk)} == {"second"}


async def test_a_track_that_vanished_meanwhile_is_passed_over(desk):
    await linked(desk, known=2)
    hold = desk.reccobeats.hold("*")
    run = await desk.begin("ada")
    await hold.arrived.wait()
    async with desk.database.write() as connection:
        await connection.execute(track.delete().where(track.c.title == "Song 0"))
    hold.release()
    await run.wait()
    assert run.progress.stage is Stage.COMPLETE
    assert len(await rows(desk)) == 1


NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(values=st.dictionaries(st.sampled_from([*NAMES, "key"]), NUMBERS))
def test_only_possible_numbers_are_believed(values):
    features = read_features(values)
    for name in NAMES:
        number = getattr(features, name)
        assert number is None or number == values[name]
        if number is not None and name not in ("loudness", "tempo"):
            assert 0 <= number <= 1


def test_a_tempo_of_zero_is_not_known_and_a_loudness_of_zero_is():
    features = read_features({"tempo": 0, "loudness": 0, "energy": 0})
    assert (features.tempo, features.loudness, features.energy) == (None, 0.0, 0.0)
    assert read_features({"tempo": 0}).is_empty
