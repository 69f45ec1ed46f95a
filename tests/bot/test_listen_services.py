"""The clients of ListenBrainz, its labs and Last.fm over sockets: pace, limits, errors; their parsers with odd JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import HostKeyError, NoSuchUserError, PrivateUserError, ServiceBusyError, ServiceDownError
from bot.imports import lastfm, listenbrainz
from bot.imports.base import Kept, Listen, Skip, Song
from bot.imports.lastfm import LastFm
from bot.imports.listen_service import user_name
from bot.imports.listenbrainz import ListenBrainz, ListenBrainzLabs, song_of
from bot.imports.polite import seconds
from tests.bot.connecting import SPRING, connecting


@pytest.fixture
async def office(database):
    async with connecting(database) as office:
        office.listenbrainz.add_user("Rob").listen(SPRING, "Song", "Artist")
        office.lastfm.add_user("Rita").scrobble(SPRING, "Song", "Artist")
        yield office


def lb(office, **options):
    return ListenBrainz(office.listenbrainz.url, office.http, office.clock, pace=office.seconds.pace(1.0), **options)


def fm(office, key=None):
    return LastFm(office.lastfm.url, key or office.lastfm.key, office.http, office.clock, pace=office.seconds.pace(0.5))


async def test_one_request_a_second_and_the_rate_headers_are_heeded(office):
    client = lb(office)
    began = office.seconds.now
    for _ in range(5):
        await client.count("rob")
    assert office.seconds.now - began == 4.0
    office.listenbrainz.limit, office.listenbrainz.window_s = 5, 60.0
    for _ in range(12):
        await client.count("rob")
    assert office.listenbrainz.count() == 17  # none was refused: it waited for the next window each time
    assert max(office.seconds.slept) > 10


async def test_last_fm_stays_below_five_a_second_and_waits_when_it_is_told_to(office):
    client = fm(office)
    began = office.seconds.now
    for _ in range(11):
        await client.count("rita")
    assert office.seconds.now - began == 5.0
    office.lastfm.fail_next("/", 200, body={"error": 29, "message": "Rate Limit Exceeded"})
    assert await client.count("rita") == 1
    assert 10.0 in office.seconds.slept


@pytest.mark.parametrize("status", [429, 200])
async def test_a_long_wait_is_told_and_nobody_asks_before(office, status):
    body = {"error": 29, "message": "Rate Limit Exceeded"}
    office.lastfm.fail_next("/", status, body=body, retry_after=3_600)
    client = fm(office)
    for _ in range(2):
        with pytest.raises(ServiceBusyError) as busy:
            await client.count("rita")
        assert busy.value.retry_at - office.clock() == timedelta(hours=1)
    assert "Last.fm asks this bot to wait until 24 November, 13:00 UTC" in busy.value.told
    assert office.lastfm.count() == 1
    office.seconds.now += 3_600
    assert await client.count("rita") == 1


async def test_a_service_that_is_busy_again_and_again_is_left_alone(office):
    office.listenbrainz.fail_next("*", 429, 99, retry_after=5)
    with pytest.raises(ServiceBusyError):
        await lb(office).count("rob")
    assert office.listenbrainz.count() == 4


async def test_short_outages_are_sat_out_and_long_ones_told(office):
    office.listenbrainz.fail_next("*", 503, 1)
    office.listenbrainz.disconnect(times=1)
    assert await lb(office).count("rob") == 1
    office.listenbrainz.fail_next("*", 502, 9, body="<html>Bad gateway</html>")
    with pytest.raises(ServiceDownError, match="status 502"):
        await lb(office).count("rob")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "<html>nginx knows nothing here</html>"),
        (404, ["no", "object"]),
        (200, "<html>Welcome</html>"),
        (200, ["a", "list"]),
        (200, {"payload": []}),
        (301, {"payload": {"count": 1}}),
        (418, {"code": 418, "error": "a teapot"}),
    ],
)
async def test_odd_answers_of_listenbrainz_are_outages_and_nobody_is_said_to_be_gone(office, status, body):
    text = body if isinstance(body, str) else json.dumps(body)
    office.listenbrainz.fail_next("*", status, 9, body=text)
    with pytest.raises(ServiceDownError):
        await lb(office).identify("rob")


@pytest.mark.parametrize("status", [200, 400, 403, 404])
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (6, NoSuchUserError),
        (17, PrivateUserError),
        (10, HostKeyError),
        (26, HostKeyError),
        (8, ServiceDownError),
        (11, ServiceDownError),
        (16, ServiceDownError),
        (3, ServiceDownError),
    ],
)
async def test_last_fm_tells_errors_in_the_body_whatever_the_status(office, status, number, error):
    office.lastfm.fail_next("/", status, 9, body={"error": number, "message": "…"})
    with pytest.raises(error) as caught:
        await fm(office).identify("rita")
    assert "Last.fm" in caught.value.told
    assert office.lastfm.key not in str(caught.value)


async def test_a_wrong_key_and_a_hidden_user_as_the_server_tells_them(office):
    with pytest.raises(HostKeyError):
        await fm(office, "wrong").identify("rita")
    office.lastfm.users["rita"].hidden = True
    with pytest.raises(PrivateUserError):
        await fm(office).identify("rita")
    with pytest.raises(NoSuchUserError):
        await fm(office).identify("nobody")


async def test_names_in_addresses_stay_names(office):
    office.listenbrainz.add_user("a?b#c&d=e é")
    assert await lb(office).identify("A?B#C&D=E É") == "a?b#c&d=e é"
    office.lastfm.add_user("x&api_key=y")
    assert await fm(office).identify("x&api_key=y") == "x&api_key=y"


async def test_the_labs_answers_are_joined_by_what_they_echo(office):
    labs = ListenBrainzLabs(office.labs.url, office.http, office.clock, pace=office.seconds.pace(0.0))
    mbids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(3)]
    office.labs.add("a" * 22, "One", "Band", "Album", mbid=mbids[0])
    office.labs.add("b" * 22, "Two", "Band")
    songs = [
        Song("Two", "Band", mbid=mbids[1]),  # not known by its id, but by its name
        Song("Never heard", "Band"),
        Song("Uno", "Banda", mbid=mbids[0]),
    ]
    assert await labs.look_up(songs) == {2: "a" * 22, 0: "b" * 22}
    assert await labs.look_up([]) == {}
    rows = [
        {"artist_name": "Band", "track_name": "Two", "spotify_track_ids": ["b/../c"]},
        None,
        {"spotify_track_ids": 1},
    ]
    office.labs.fail_next("*", 200, 1, body=json.dumps(rows), content_type="application/json")
    assert await labs.look_up([Song("Two", "Band")]) == {}


def test_what_a_listen_carries():
    def read(**extra):
        return song_of({"track_name": " T ", "artist_name": "A feat. B", "release_name": "R", "additional_info": extra})

    assert read() == Song("T", "A", None, None, "R")
    one = "1" * 22
    for said in (one, f"spotify:track:{one}", f"https://open.spotify.com/track/{one}?si=x",
                 f"https://open.spotify.com/intl-de/track/{one}"):  # fmt: skip
        assert read(spotify_id=said).spotify_id == one
    assert read(origin_url=f"https://open.spotify.com/track/{one}").spotify_id == one
    for odd in ("", "https://www.youtube.com/watch?v=x", "spotify:episode:" + one, 7, None, one + "/..", "é" * 22):
        assert read(spotify_id=odd, origin_url=odd).spotify_id is None
    assert read(isrc="qz-sbx-26-00001").isrc == "QZSBX2600001"
    assert read(artist_names=["A", "B"]).artist == "A"
    assert read(artist_names=[None]).artist == "A"
    assert song_of({"track_name": "T"}) is None
    assert song_of({"track_name": "T", "artist_name": "Feat. Nobody"}) == Song("T", "Feat. Nobody")


def test_a_listen_looks_the_same_after_it_was_mapped():
    plain = {"track_name": "T", "artist_name": "A & B", "additional_info": {}}
    mapping = {"recording_mbid": "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae", "artists": [{"artist_credit_name": "A"}]}
    mapped = plain | {"mbid_mapping": mapping}
    before, after = song_of(plain), song_of(mapped)
    assert (before.title, before.artist, before.album) == (after.title, after.artist, after.album)
    assert after.mbid is not None


def test_one_scrobble_is_no_list_and_what_plays_now_is_none():
    def page(track):
        return lastfm.scrobbles_page({"recenttracks": {"track": track, "@attr": {"totalPages": "1"}}})

    row = {"name": "T", "artist": {"#text": "A"}, "date": {"uts": str(SPRING)}, "mbid": "", "album": {"#text": ""}}
    assert page(row) == page([row])
    assert page(row).dated[0].item == Listen(Song("T", "A"), datetime.fromtimestamp(SPRING, UTC))
    playing = {"name": "T", "artist": {"#text": "A"}, "@attr": {"nowplaying": "true"}}
    assert page([playing, row]) == page([row])
    assert page([]).last
    assert page([row | {"date": {"uts": "0"}}]).dated[0].item is Skip.UNREADABLE
    assert page([row | {"name": ""}]).dated[0].item is Skip.NAMELESS
    assert page([row | {"date": None}]).unreadable == 1


def test_hates_are_no_loves():
    metadata = {"track_name": "T", "artist_name": "A"}
    rows = [{"score": -1, "track_metadata": metadata}, {"score": 1, "created": SPRING, "track_metadata": metadata}]
    page = listenbrainz.loved_page({"feedback": rows}, 1000)
    assert [type(one) for one in page.items] == [Kept]
    assert listenbrainz.loved_page({"feedback": [{"score": 1, "track_metadata": None}]}, 9).items == (Skip.NAMELESS,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = """
payload listens listened_at track_metadata artist_name track_name additional_info spotify_id origin_url isrc
mbid_mapping recording_mbid artist_names feedback score created total_count recenttracks lovedtracks track @attr
totalPages page total date uts name artist #text album mbid nowplaying oldest_listen_ts
"""
KEYS = st.sampled_from(WORDS.split())
SHAPED = st.recursive(
    JSON | st.just("true") | st.just(str(SPRING)) | st.just(SPRING),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
PARSERS: dict[str, Callable[[Any], Any]] = {
    "listens": lambda body: listenbrainz.listens_page(body, 1000),
    "loves": lambda body: listenbrainz.loved_page(body, 1000),
    "scrobbles": lastfm.scrobbles_page,
    "loved tracks": lastfm.loved_page,
}


def wrapped(name, rows):
    attributes = {"page": "1", "totalPages": "1", "total": "1"}
    return {
        "listens": {"payload": {"listens": rows}},
        "loves": {"feedback": rows},
        "scrobbles": {"recenttracks": {"track": rows, "@attr": attributes}},
        "loved tracks": {"lovedtracks": {"track": rows, "@attr": attributes}},
    }[name]


@pytest.mark.parametrize("name", list(PARSERS))
@given(body=SHAPED)
def test_no_json_crashes_a_parser_and_what_is_no_page_is_none(name, body):
    page = PARSERS[name](body)
    if not isinstance(body, dict):
        assert page is None


@pytest.mark.parametrize("name", list(PARSERS))
@given(rows=st.lists(SHAPED, max_size=5))
def test_of_a_page_everything_that_is_read_can_be_stored(name, rows):
    page = PARSERS[name](wrapped(name, rows))
    assert page is not None
    items = [one.item for one in page.dated] if name in ("listens", "scrobbles") else page.items
    for item in items:
        if isinstance(item, Skip):
            continue
        assert isinstance(item, Listen | Kept)
        assert item.song.title
        assert item.song.artist
        for text in (item.song.title, item.song.artist, item.song.album or ""):
            text.encode()
            assert "\0" not in text
            assert len(text) <= 500
        assert item.at is None or 2002 <= item.at.year < 2100
    if name in ("listens", "scrobbles"):
        assert len(page.dated) + page.unreadable <= len(rows)
        assert page.last or page.dated


@given(st.text())
def test_any_text_may_be_typed_as_a_name(typed):
    name = user_name(typed)
    assert name is None or (name == name.strip() and name.isprintable() and "/" not in name and len(name) <= 64)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" rob ", "rob"),
        ("@rob", "rob"),
        ("https://listenbrainz.org/user/rob/", "rob"),
        ("https://www.last.fm/user/Rob%20B/library?page=2", "Rob B"),
        ("https://www.last.fm/user", None),
        ("https://www.last.fm/user/..", None),
        ("http://[", None),
    ],
)
def test_names_as_they_are_typed(typed, name):
    assert user_name(typed) == name


@given(st.text())
def test_any_header_may_say_how_long_to_wait(text):
    said = seconds(text)
    assert said is None or 0 <= said <= 86_400
