"""Audio features of several sources: Spotify's own for old applications, each with source and date, on one scale."""

import random
import statistics
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.audio_features.chain import Chain
from bot.audio_features.reccobeats import ReccoBeats
from bot.audio_features.spotify import SpotifyFeatures
from bot.errors import RateLimitError
from bot.services.feature_scales import FEW, FeatureScaleService, lines_to_reference
from bot.services.features import FeaturesService
from bot.services.progress import Stage
from bot.storage import catalogue, snapshots
from bot.storage.audio_features import store_features
from bot.storage.catalogue import moved
from bot.storage.schema import audio_features, feature_scale
from specrec.features import FEATURES
from tests.bot.collecting import MIDDLE, collecting
from tests.bot.shelf import NOW, give, stock


@pytest.fixture
async def desk(database):
    """Spotify is asked first, ReccoBeats for the rest."""
    async with collecting(database) as desk:
        gateway = desk.gateway
        first = SpotifyFeatures(gateway.audio_features, lambda: gateway._endpoints.is_closed("audio_features"))
        second = ReccoBeats(desk.reccobeats.url, desk.http, desk.clock, retry_delays=())
        desk.features = FeaturesService(desk.database, Chain([first, second]), desk.clock)
        await desk.restart()
        yield desk


async def linked(desk, tracks):
    user = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(tracks)
    user.save(songs)
    await desk.link(user)
    return songs


async def test_spotify_s_own_features_in_batches_of_a_hundred_nulls_by_position(desk):
    songs = await linked(desk, 130)
    known = {song.id: {**MIDDLE, "tempo": 100.0 + place} for place, song in enumerate(songs) if place % 2}
    desk.spotify.open_audio_features(known)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.COMPLETE
    sizes = [len(one.query["ids"].split(",")) for one in desk.spotify.requests if one.path == "/audio-features"]
    assert sizes == [100, 30]
    rows = await desk.rows(select(audio_features).where(audio_features.c.known))
    assert {(row.source, row.fetched_at) for row in rows} == {
        ("spotify", desk.clock.now),
        ("reccobeats", desk.clock.now),
    }
    assert sorted(row.tempo for row in rows if row.source == "spotify") == sorted(
        one["tempo"] for one in known.values()
    )
    assert len(rows) == 130


async def test_an_application_that_is_not_old_enough_asks_once_a_week(desk):
    await linked(desk, 3)
    assert (await desk.sync("ada")).features_found == 3
    assert desk.spotify.count("/audio-features") == 1
    rows = await desk.rows(select(audio_features.c.source))
    assert {row.source for row in rows} == {"reccobeats"}  # a refusal is no miss
    desk.spotify.users["ada"].save(desk.songs(2, "New"))
    desk.clock.turn(days=3)
    await desk.sync("ada")
    assert desk.spotify.count("/audio-features") == 1
    assert len(await desk.rows(select(audio_features))) == 5
    desk.spotify.users["ada"].save(desk.songs(1, "Newer"))
    desk.clock.turn(days=5)
    await desk.sync("ada")
    assert desk.spotify.count("/audio-features") == 2


async def test_an_expired_token_of_the_application_is_renewed(desk):
    songs = await linked(desk, 2)
    desk.spotify.open_audio_features({song.id: MIDDLE for song in songs})
    await desk.gateway.audio_features([songs[0].id])
    desk.spotify.expire_access_tokens()
    assert len(await desk.gateway.audio_features([songs[0].id, songs[1].id])) == 2


async def test_a_used_up_quota_is_no_miss_and_the_next_source_answers(desk):
    songs = await linked(desk, 2)
    desk.spotify.open_audio_features({song.id: MIDDLE for song in songs})
    fault = desk.spotify.quota_exceeded("/audio-features")
    await desk.sync("ada")
    assert fault.hits == 1
    assert {row.source for row in await desk.rows(select(audio_features))} == {"reccobeats"}
    with pytest.raises(RateLimitError):
        await desk.gateway.audio_features([songs[0].id])
    assert fault.hits == 1


def shifted(values):
    """The same tracks as a source would measure them that hears everything duller, louder and slower."""
    return {
        **values,
        "energy": 0.5 * values["energy"],
        "loudness": values["loudness"] + 6,
        "tempo": 0.5 * values["tempo"],
    }


def invented(number):
    dice = random.Random(number)
    values = {name: dice.betavariate(4, 4) for name in FEATURES}
    return {**values, "loudness": dice.gauss(-8, 3), "tempo": dice.uniform(80, 160)}


def test_each_source_is_standardised_apart():
    ours = [invented(number) for number in range(400)]
    theirs = [shifted(invented(number)) for number in range(400, 800)]
    measured = {"a": [tuple(one.values()) for one in ours], "b": [tuple(one.values()) for one in theirs]}
    lines = lines_to_reference(measured, ["a", "b"])
    assert set(lines) == {"b"}
    back = [moved(one, lines["b"]) for one in measured["b"]]
    for place, name in enumerate(FEATURES):
        own, other = [one[place] for one in measured["a"]], [one[place] for one in back]
        spread = statistics.pstdev(own)
        assert abs(statistics.median(own) - statistics.median(other)) < 0.25 * spread, name
        assert 0.75 < statistics.pstdev(other) / spread < 1.33, name


def test_unknown_stays_unknown_and_nothing_leaves_its_range():
    lines = ((3.0, 0.5),) * len(FEATURES)
    assert moved((None,) * len(FEATURES), lines) == (None,) * len(FEATURES)
    values = moved((0.9,) * len(FEATURES), lines)
    assert values[FEATURES.index("energy")] == 1.0
    assert values[FEATURES.index("tempo")] == pytest.approx(3.2)


def test_a_source_of_few_tracks_is_taken_as_it_is():
    few = [tuple(shifted(invented(number)).values()) for number in range(FEW - 1)]
    many = [tuple(invented(number).values()) for number in range(FEW)]
    assert lines_to_reference({"a": many, "b": few}, ["a", "b"]) == {}
    assert lines_to_reference({"b": few}, ["a", "b"]) == {}
    assert lines_to_reference({}, ["a"]) == {}


async def test_the_catalogue_reads_all_sources_on_one_scale(desk):
    songs = await linked(desk, 2 * FEW)
    numbers = {song.id: invented(place) for place, song in enumerate(songs)}
    desk.spotify.open_audio_features({song.id: numbers[song.id] for song in songs[:FEW]})
    desk.reccobeats.add({song.id: shifted(numbers[song.id]) for song in songs[FEW:]})
    await desk.sync("ada")
    service = FeatureScaleService(desk.database, ["spotify", "reccobeats"], desk.clock)
    async with desk.database.read() as connection:
        before = await catalogue.state(connection)
        raw = {row.spotify_id: row for row in await catalogue.tracks(connection)}
    await service.measure()
    async with desk.database.read() as connection:
        assert await catalogue.state(connection) != before  # whoever keeps the catalogue in memory reads it again
        read = {row.spotify_id: row for row in await catalogue.tracks(connection)}
    tempo = FEATURES.index("tempo")
    own = [read[song.id].features[tempo] for song in songs[:FEW]]
    other = [read[song.id].features[tempo] for song in songs[FEW:]]
    assert abs(statistics.median(own) - statistics.median(other)) < 15
    assert statistics.median([raw[song.id].features[tempo] for song in songs[FEW:]]) < 75  # as ReccoBeats said it
    assert {read[song.id].feature_source for song in songs[FEW:]} == {"reccobeats"}
    (row,) = await desk.rows(select(feature_scale))
    assert (row.source, row.measured_at) == ("reccobeats", desk.clock.now)
    desk.clock.turn(hours=6)
    await service.measure()  # nothing changed, so nothing is written
    assert (await desk.rows(select(feature_scale)))[0].measured_at == desk.clock.now - timedelta(hours=6)


async def test_features_of_a_source_that_may_not_train_stay_out_of_the_snapshot(database):
    keys = await stock(database)
    await give(database, "1001", keys["doom"][:3])
    mine = int(keys["doom"][0])
    async with database.write() as connection:
        await store_features(connection, "spotify", [mine], {mine: dict(MIDDLE)}, NOW + timedelta(days=1))
    async with database.read() as connection:
        allowed = [row async for row in snapshots.tracks_of(connection, ["spotify"])]
        without = [row async for row in snapshots.tracks_of(connection, ["discord"])]
    assert {row.feature_source for row in allowed} == {"spotify", "reccobeats"}
    assert without == []
    async with database.read() as connection:
        rows = await catalogue.tracks(connection, not_measured_by=["spotify"])
    assert {row.feature_source for row in rows} == {"reccobeats"}
