"""Audio features by Spotify id, over real sockets."""

import aiohttp
import pytest

from sandbox.reccobeats_server import ReccoBeatsServer
from specrec.features import FEATURES


def some_features(count):
    return {f"track{number:03d}": dict.fromkeys(FEATURES, number / 100) for number in range(count)}


@pytest.fixture
async def reccobeats():
    async with ReccoBeatsServer() as server:
        server.add(some_features(60), isrcs={"track001": "QZSBX2600001", "track002": "QZSBX2600001"})
        yield server


async def get(server, path, headers=None, **params):
    """`(status, body, headers)`; the body as JSON where it is JSON."""
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "specrec-tests"} if headers is None else headers) as session,
        session.get(f"{server.url}{path}", params=params) as response,
    ):
        body = await (response.json() if response.content_type == "application/json" else response.text())
        return response.status, body, response.headers


def spotify_ids(body):
    return {row["href"].rpartition("/")[2] for row in body["content"]}


async def test_rows_lead_back_to_spotify_by_their_address_alone(reccobeats):
    assert reccobeats.url.endswith("/v1")
    status, body, _ = await get(reccobeats, "/audio-features", ids="track010,track020")
    assert status == 200
    rows = {row["href"]: row for row in body["content"]}
    row = rows["https://open.spotify.com/track/track010"]
    assert {name: row[name] for name in FEATURES} == dict.fromkeys(FEATURES, 0.1)
    assert row["id"] not in ("track010", "track020")
    assert set(row) == {*FEATURES, "id", "href", "isrc", "key", "mode"}


async def test_what_it_does_not_know_is_left_out(reccobeats):
    _, body, _ = await get(reccobeats, "/audio-features", ids="nobody,track001,noone")
    assert spotify_ids(body) == {"track001"}
    assert (await get(reccobeats, "/audio-features", ids="nobody"))[:2] == (200, {"content": []})


async def test_an_isrc_may_stand_for_several_releases_and_a_uuid_for_one(reccobeats):
    _, body, _ = await get(reccobeats, "/audio-features", ids="QZSBX2600001")
    assert spotify_ids(body) == {"track001", "track002"}
    uuid = body["content"][0]["id"]
    _, again, _ = await get(reccobeats, "/audio-features", ids=uuid)
    assert again["content"] == body["content"][:1]
    assert (await get(reccobeats, f"/track/{uuid}/audio-features"))[1] == body["content"][0]
    status, refused, _ = await get(reccobeats, "/track/track001/audio-features")
    assert (status, refused["status"]) == (404, 4041)


async def test_forty_ids_and_no_more(reccobeats):
    ids = [f"track{number:03d}" for number in range(60)]
    _, body, _ = await get(reccobeats, "/audio-features", ids=",".join(ids[:40]))
    assert len(body["content"]) == 40
    error = {"path": "getAudioFeatures.ids", "message": "size must be between 1 and 40"}
    for wrong in (ids[:41], []):
        answer = await get(reccobeats, "/audio-features", ids=",".join(wrong))
        assert answer[:2] == (400, {"status": 4004, "errors": [error]})
    assert (await get(reccobeats, "/audio-features"))[1]["status"] == 4001


async def test_ids_may_be_repeated_parameters(reccobeats):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{reccobeats.url}/audio-features?ids=track001&ids=track002") as response,
    ):
        assert spotify_ids(await response.json()) == {"track001", "track002"}


@pytest.mark.parametrize("agent", ["", "Python-urllib/3.11"])
async def test_clients_that_do_not_say_who_they_are_meet_cloudflare(reccobeats, agent):
    status, body, _ = await get(reccobeats, "/audio-features", {"User-Agent": agent}, ids="track001")
    assert (status, body) == (403, "error code: 1010")


async def test_too_many_requests_and_outages(reccobeats):
    reccobeats.fail_next("/audio-features", 429, retry_after=2)
    status, body, headers = await get(reccobeats, "/audio-features", ids="track001")
    assert (status, body["status"], headers["Retry-After"]) == (429, 4291, "2")
    reccobeats.fail_next("/audio-features", 500, 2)
    reccobeats.fail_next("/audio-features", 502, body="<html>nginx</html>")
    statuses = [(await get(reccobeats, "/audio-features", ids="track001"))[0] for _ in range(4)]
    assert statuses == [500, 500, 502, 200]
    assert reccobeats.count("/audio-features") == 5


def test_coverage_leaves_out_about_its_share_and_always_the_same_ones():
    features = some_features(1000)
    servers = [ReccoBeatsServer(features, coverage=0.85) for _ in range(2)]
    known = [{id for id in features if server.knows(id)} for server in servers]
    assert known[0] == known[1]
    assert 800 <= len(known[0]) <= 900


def test_a_track_without_all_nine_features_is_refused():
    with pytest.raises(ValueError, match="track7"):
        ReccoBeatsServer({"track7": {"tempo": 120.0}})
