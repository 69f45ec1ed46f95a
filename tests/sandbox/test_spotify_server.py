"""The Web API in Development Mode, asked by spotipy."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import requests
from aiohttp import web

from sandbox.site import BASE_PATH, SERVER
from sandbox.spotify_server import SpotifyServer
from tests.sandbox.spotify_client import ask, every_page, refusal


@pytest.fixture
async def spotify():
    """Ada with 120 saved tracks by two artists, and Bruno with nothing."""
    async with SpotifyServer() as server:
        catalogue = server.catalogue
        ada = server.add_user("ada", "Ada")
        server.add_user("bruno", "Bruno")
        for name in ("Nettle Parade", "Nettle Parade Tribute"):
            artist = catalogue.add_artist(name)
            for number in range(6):
                album = catalogue.add_album(f"Volume {number}", [artist], release_date=f"200{number}")
                ada.save(catalogue.add_track(f"Song {number}-{track}", album) for track in range(10))
        yield server


@pytest.fixture
def ada(spotify):
    return spotify.users["ada"]


@pytest.fixture
def token(spotify, ada):
    return spotify.token(ada)


def said(error):
    """Spotify's message in spotipy's error."""
    return error.msg.split("\n ", 1)[1]


async def test_me_has_an_unchanging_account_id_and_none_of_the_removed_fields(spotify, ada, token):
    before = await ask(spotify, token, lambda sp: sp.me())
    ada.display_name = None
    after = await ask(spotify, token, lambda sp: sp.me())
    assert before["account_id"] == after["account_id"] != before["id"] == "ada"
    assert (before["display_name"], after["display_name"]) == ("Ada", None)
    assert not before.keys() & {"country", "email", "explicit_content", "followers", "product"}


async def test_saved_tracks_page_by_page_over_absolute_addresses(spotify, ada, token):
    def read(sp):
        first = sp.current_user_saved_tracks(limit=50)
        assert first["next"].startswith(f"{spotify.api_url}/me/tracks?")
        assert first["previous"] is None
        return first["total"], every_page(sp, first)

    total, items = await ask(spotify, token, read)
    assert total == 120
    assert [item["track"]["id"] for item in items] == [saved.track.id for saved in ada.saved]
    assert spotify.count("/me/tracks", user="ada") == 3


@pytest.mark.parametrize(
    "question",
    [
        lambda sp: sp.current_user_saved_tracks(limit=51),
        lambda sp: sp.current_user_saved_tracks(limit=0),
        lambda sp: sp.current_user_playlists(limit=51),
        lambda sp: sp.current_user_recently_played(limit=51),
        lambda sp: sp.current_user_followed_artists(limit=51),
        lambda sp: sp.current_user_top_tracks(limit=51),
        lambda sp: sp.search("song", limit=11),
        lambda sp: sp.artist_albums(next(iter(sp.search("nettle", type="artist")["artists"]["items"]))["id"]),
    ],
)
async def test_limits_of_development_mode(spotify, token, question):
    error = await refusal(spotify, token, question)
    assert (error.http_status, said(error)) == (400, "Invalid limit")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "question",
    [
        lambda sp: sp.audio_features(["a"]),
        lambda sp: sp.audio_analysis("a"),
        lambda sp: sp.recommendations(seed_genres=["folk"]),
        lambda sp: sp.tracks(["a"]),
        lambda sp: sp.artists(["a"]),
        lambda sp: sp.albums(["a"]),
        lambda sp: sp.artist_top_tracks("a"),
        lambda sp: sp.artist_related_artists("a"),
        lambda sp: sp.user("ada"),
        lambda sp: sp.user_playlists("ada"),
        lambda sp: sp.user_playlist_create("ada", "x"),
        lambda sp: sp.new_releases(),
        lambda sp: sp.categories(),
        lambda sp: sp.available_markets(),
        lambda sp: sp._get("playlists/a/tracks"),
        lambda sp: sp._put("me/tracks"),
        lambda sp: sp._get("me/following/contains"),
    ],
)
async def test_removed_endpoints_are_forbidden(spotify, token, question):
    error = await refusal(spotify, token, question)
    assert (error.http_status, said(error)) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("question", "scope"),
    [
        (lambda sp: sp.current_user_playlists(), "playlist-read-private"),
        (lambda sp: sp.current_user_saved_tracks(), "user-library-read"),
        (lambda sp: sp.current_user_recently_played(), "user-read-recently-played"),
        (lambda sp: sp.current_user_followed_artists(), "user-follow-read"),
        (lambda sp: sp.current_user_top_tracks(), "user-top-read"),
        (lambda sp: sp.current_user_top_artists(), "user-top-read"),
        (lambda sp: sp.current_user_playlist_create("x", public=False), "playlist-modify-private"),
    ],
)
async def test_each_endpoint_needs_its_scope(spotify, ada, question, scope):
    error = await refusal(spotify, spotify.token(ada, ()), question)
    assert (error.http_status, said(error)) == (403, "Insufficient client scope")
    assert await ask(spotify, spotify.token(ada, [scope]), question)


async def test_playlists_of_others_show_no_contents_unless_they_collaborate(spotify, ada, token):
    bruno = spotify.users["bruno"]
    tracks = [saved.track for saved in ada.saved[:3]]
    followed, shared = bruno.add_playlist("His", tracks), bruno.add_playlist("Ours", tracks, collaborative=True)
    ada.playlists += [followed, None, shared]
    listing = await ask(spotify, token, lambda sp: sp.current_user_playlists())
    assert [entry and entry["name"] for entry in listing["items"]] == ["His", None, "Ours"]
    assert listing["total"] == 3
    assert listing["items"][0]["items"]["total"] == 3
    assert (await refusal(spotify, token, lambda sp: sp.playlist_items(followed.id))).http_status == 403
    assert "items" not in await ask(spotify, token, lambda sp: sp.playlist(followed.id))
    assert len((await ask(spotify, token, lambda sp: sp.playlist_items(shared.id)))["items"]) == 3
    assert len((await ask(spotify, token, lambda sp: sp.playlist(shared.id)))["items"]["items"]) == 3
    alone = spotify.token(ada, ["playlist-read-private"])
    assert shared.id not in {
        entry and entry["id"] for entry in (await ask(spotify, alone, lambda sp: sp.current_user_playlists()))["items"]
    }


async def test_a_snapshot_changes_with_the_playlist_and_not_without(spotify, ada, token):
    playlist = ada.add_playlist("Mine", [ada.saved[0].track])

    async def snapshot():
        return (await ask(spotify, token, lambda sp: sp.current_user_playlists()))["items"][0]["snapshot_id"]

    first = await snapshot()
    assert await snapshot() == first
    playlist.add([ada.saved[1].track])
    second = await snapshot()
    playlist.entries.reverse()
    assert len({first, second, await snapshot()}) == 3


async def test_fields_pick_what_is_sent(spotify, ada, token):
    playlist = ada.add_playlist("Mine", [ada.saved[0].track, None])
    track = ada.saved[0].track

    async def fields(text):
        return await ask(spotify, token, lambda sp: sp.playlist_items(playlist.id, fields=text))

    assert await fields("total,items(item(id,artists.name))") == {
        "total": 2,
        "items": [{"item": {"id": track.id, "artists": [{"name": track.artists[0].name}]}}, {"item": None}],
    }
    whole = await ask(spotify, token, lambda sp: sp.playlist_items(playlist.id))
    without = await fields("items.item(!album,external_urls)")
    assert without["items"][0]["item"] == {"external_urls": whole["items"][0]["item"]["external_urls"]}
    for wrong in ("items(", "items)", ",", "a..b", "items(item", "a b c", "äöü"):
        error = await refusal(spotify, token, lambda sp, wrong=wrong: sp.playlist_items(playlist.id, fields=wrong))
        assert error.http_status == 400


async def test_recently_played_holds_fifty_plays_newest_first(spotify, ada, token):
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for number in range(60):
        ada.play(ada.saved[number % 7].track, start + timedelta(minutes=5 * number, milliseconds=number))

    def read(sp):
        page = sp.current_user_recently_played(limit=20)
        assert page["cursors"]["before"] == str(round((start.timestamp() + 300 * 40) * 1000) + 40)
        return every_page(sp, page)

    plays = await ask(spotify, token, read)
    moments = [play["played_at"] for play in plays]
    assert len(moments) == 50
    assert moments == sorted(moments, reverse=True)
    assert moments[0] == "2026-11-01T04:55:00.059Z"
    latest = await ask(spotify, token, lambda sp: sp.current_user_recently_played())
    news = await ask(spotify, token, lambda sp: sp.current_user_recently_played(after=latest["cursors"]["after"]))
    assert (news["items"], news["next"], news["cursors"]) == ([], None, None)
    ada.play(ada.saved[0].track, start + timedelta(days=1))
    news = await ask(spotify, token, lambda sp: sp.current_user_recently_played(after=latest["cursors"]["after"]))
    assert [play["played_at"] for play in news["items"]] == ["2026-11-02T00:00:00.000Z"]
    both = await refusal(spotify, token, lambda sp: sp.current_user_recently_played(after=1, before=2))
    assert both.http_status == 400


async def test_followed_artists_go_by_cursor(spotify, ada, token):
    ada.followed_artists = [spotify.catalogue.add_artist(f"Artist {number}") for number in range(45)]

    def read(sp):
        found, after = [], None
        while True:
            page = sp.current_user_followed_artists(limit=20, after=after)["artists"]
            assert page["total"] == 45
            found += [artist["id"] for artist in page["items"]]
            after = page["cursors"]["after"]
            assert (after is None) == (page["next"] is None)
            if after is None:
                return found

    assert await ask(spotify, token, read) == [artist.id for artist in ada.followed_artists]


async def test_top_lists_by_time_range(spotify, ada, token):
    tracks = [saved.track for saved in ada.saved]
    ada.set_top("short_term", tracks[:3], tracks[0].artists)
    short = await ask(spotify, token, lambda sp: sp.current_user_top_tracks(time_range="short_term"))
    assert [track["id"] for track in short["items"]] == [track.id for track in tracks[:3]]
    assert (await ask(spotify, token, lambda sp: sp.current_user_top_tracks()))["items"] == []
    artists = await ask(spotify, token, lambda sp: sp.current_user_top_artists(time_range="short_term"))
    assert [artist["name"] for artist in artists["items"]] == [tracks[0].artists[0].name]
    error = await refusal(spotify, token, lambda sp: sp.current_user_top_tracks(time_range="for_ever"))
    assert error.http_status == 400


async def test_artists_albums_and_search(spotify, token):
    def read(sp):
        hits = sp.search('artist:"nettle parade" track:"Song 1-1"', type="track,artist,show")
        assert len(hits["shows"]["items"]) == 0
        return hits["tracks"]["items"], hits["artists"]["items"]

    tracks, artists = await ask(spotify, token, read)
    # Names lie: the tribute is found too.
    assert {track["artists"][0]["name"] for track in tracks} == {"Nettle Parade", "Nettle Parade Tribute"}
    assert artists == []
    artist = tracks[0]["artists"][0]["id"]
    albums = await ask(spotify, token, lambda sp: sp.artist_albums(artist, limit=10))
    assert [album["release_date"] for album in albums["items"]] == [f"200{year}" for year in (5, 4, 3, 2, 1, 0)]
    assert {album["release_date_precision"] for album in albums["items"]} == {"year"}
    simplified = (await ask(spotify, token, lambda sp: sp.album_tracks(albums["items"][0]["id"])))["items"][0]
    assert not simplified.keys() & {"album", "external_ids", "popularity"}
    by_isrc = await ask(spotify, token, lambda sp: sp.search(f"isrc:{tracks[0]['external_ids']['isrc']}"))
    assert [track["id"] for track in by_isrc["tracks"]["items"]] == [tracks[0]["id"]]


async def test_unknown_and_impossible_ids(spotify, token):
    assert (await refusal(spotify, token, lambda sp: sp.track("0" * 22))).http_status == 404
    assert (await refusal(spotify, token, lambda sp: sp.playlist_items("0" * 22))).http_status == 404
    assert (await refusal(spotify, token, lambda sp: sp.track("abc"))).http_status == 400
    assert said(await refusal(spotify, token, lambda sp: sp._get("no/such/thing"))) == "Service not found"


async def test_playlists_are_made_and_filled(spotify, ada, token):
    uris = [saved.track.uri for saved in ada.saved[:2]]

    def write(sp):
        playlist = sp.current_user_playlist_create("Ten for you", public=False, description="From the bot")
        snapshot = sp.playlist_add_items(playlist["id"], uris)["snapshot_id"]
        sp.playlist_add_items(playlist["id"], [ada.saved[2].track.uri], position=0)
        items = sp.playlist_items(playlist["id"])["items"]
        return playlist, snapshot, [entry["item"]["uri"] for entry in items]

    playlist, snapshot, found = await ask(spotify, token, write)
    assert snapshot != playlist["snapshot_id"]
    assert found == [ada.saved[2].track.uri, *uris]
    for wrong in (["spotify:local:a:b:c:1"], [], uris * 51):
        error = await refusal(
            spotify,
            token,
            lambda sp, wrong=wrong: sp._post(f"playlists/{playlist['id']}/items", payload={"uris": wrong}),
        )
        assert error.http_status == 400


@pytest.mark.parametrize(
    ("header", "message"),
    [(None, "No token provided"), ("Bearer nonsense", "Invalid access token"), ("Basic abc", "Invalid access token")],
)
async def test_without_a_good_token(spotify, header, message):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{spotify.api_url}/me", headers={"Authorization": header} if header else {}) as response,
    ):
        assert response.status == 401
        assert await response.json() == {"error": {"status": 401, "message": message}}


@pytest.mark.parametrize("plain_text", [False, True])
async def test_strangers_may_consent_but_not_ask(spotify, ada, token, plain_text):
    spotify.allow_list("bruno", plain_text=plain_text)
    error = await refusal(spotify, token, lambda sp: sp.me())
    assert (error.http_status, said(error)) == (403, "User not registered in the Developer Dashboard")
    assert await ask(spotify, spotify.token(spotify.users["bruno"]), lambda sp: sp.me())
    with pytest.raises(ValueError, match="at most 5"):
        spotify.allow_list(*"abcdef")


async def test_without_the_owners_premium_everything_stops(spotify, token):
    spotify.owner_has_premium = False
    assert (await refusal(spotify, token, lambda sp: sp.me())).http_status == 403


async def test_a_burst_is_told_from_a_used_up_quota(spotify, token):
    spotify.fail_next("/me/tracks", 429, retry_after=3)
    burst = await refusal(spotify, token, lambda sp: sp.current_user_saved_tracks())
    assert (burst.http_status, burst.headers["Retry-After"], burst.reason) == (429, "3", None)
    await ask(spotify, token, lambda sp: sp.current_user_saved_tracks())
    quota = spotify.quota_exceeded("/me/tracks", retry_after=48_925, skip=1)
    await ask(spotify, token, lambda sp: sp.current_user_saved_tracks())
    for _ in range(2):
        error = await refusal(spotify, token, lambda sp: sp.current_user_saved_tracks())
        assert (error.http_status, error.headers["Retry-After"], error.reason) == (429, "48925", "QUOTA_EXCEEDED")
    await ask(spotify, token, lambda sp: sp.me())
    assert quota.hits == 2
    quota.clear()
    await ask(spotify, token, lambda sp: sp.current_user_saved_tracks())
    spotify.quota_exceeded(retry_after=None)
    assert "Retry-After" not in (await refusal(spotify, token, lambda sp: sp.me())).headers


async def test_errors_that_are_no_json(spotify, token):
    spotify.fail_next("/me", 502, body="<html>Bad gateway</html>")
    assert said(await refusal(spotify, token, lambda sp: sp.me())) == "<html>Bad gateway</html>"
    spotify.fail_next("/me", 503, body={"error": "text"})
    with pytest.raises(AttributeError):  # spotipy stumbles over it; whoever uses spotipy must know
        await ask(spotify, token, lambda sp: sp.me())
    spotify.disconnect("/me", times=1)
    with pytest.raises(requests.ConnectionError):
        await ask(spotify, token, lambda sp: sp.me())
    assert await ask(spotify, token, lambda sp: sp.me())


async def test_late_answers_and_held_ones(spotify, token):
    spotify.delay("/me", 0.2, times=1)
    started = time.monotonic()
    await ask(spotify, token, lambda sp: sp.me())
    assert time.monotonic() - started >= 0.2
    hold = spotify.hold("/me/tracks", skip=1)
    await ask(spotify, token, lambda sp: sp.current_user_saved_tracks())
    waiting = asyncio.create_task(ask(spotify, token, lambda sp: sp.current_user_saved_tracks()))
    await hold.arrived.wait()
    assert not waiting.done()
    hold.release()
    assert (await waiting)["total"] == 120


async def test_a_next_that_repeats_itself(spotify, token):
    spotify.repeat_next("/me/tracks")

    def read(sp):
        first = sp.current_user_saved_tracks(limit=50)
        second = sp.next(first)
        return first, second

    first, second = await ask(spotify, token, read)
    assert first["next"] == second["next"] == second["href"]
    spotify.clear_faults()
    assert len(await ask(spotify, token, lambda sp: every_page(sp, sp.current_user_saved_tracks()))) == 120


async def test_a_stopped_server_refuses_and_can_start_again(spotify, token):
    port = int(spotify.api_url.split(":")[2].split("/")[0])
    await spotify.stop()
    with pytest.raises(requests.ConnectionError):
        await ask(spotify, token, lambda sp: sp.me())
    again = SpotifyServer()
    again.load(spotify.catalogue, spotify.users.values())
    async with await again.start(port=port):
        assert again.api_url == spotify.api_url


async def test_what_came_in_is_counted_and_outer_middlewares_see_which_server_and_every_refusal():
    seen = []

    @web.middleware
    async def recorder(request, handler):
        response = await handler(request)
        seen.append((request.app[SERVER], request.app[BASE_PATH], request.path, response.status))
        return response

    async with SpotifyServer(middlewares=[recorder]) as spotify:
        token = spotify.token(spotify.add_user("ada", "Ada"))
        await ask(spotify, token, lambda sp: sp.me())
        spotify.fail_next("/me", 500)
        await refusal(spotify, token, lambda sp: sp.me())
        async with aiohttp.ClientSession() as session:
            await session.post(f"{spotify.accounts_url}/api/token")
        assert spotify.count("/me", "GET", "ada") == 2
        assert spotify.accounts.count("/api/token", "POST") == 1
    assert seen == [
        ("spotify", "/v1", "/v1/me/", 200),
        ("spotify", "/v1", "/v1/me/", 500),
        ("accounts", "", "/api/token", 400),
    ]


async def test_two_users_cannot_share_an_id(spotify):
    with pytest.raises(ValueError, match="'ada'"):
        spotify.add_user("ada", "Another Ada")
