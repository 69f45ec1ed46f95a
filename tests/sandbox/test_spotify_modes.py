"""The Web API's other faces: Extended Quota, an application old enough for audio features, and the day's quota."""

import base64
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from sandbox.spotify.quota import EVERYTHING, Quota
from sandbox.spotify_server import SpotifyServer
from tests.bot.collecting import MIDDLE
from tests.sandbox.spotify_client import ask, refusal

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return [NOON]


@pytest.fixture
async def spotify(clock):
    async with SpotifyServer(clock=lambda: clock[0]) as server:
        catalogue = server.catalogue
        album = catalogue.add_album("Songs", [catalogue.add_artist("The Band")])
        tracks = [catalogue.add_track(f"Song {number}", album) for number in range(120)]
        ada = server.add_user("ada", "Ada")
        ada.save(tracks[:3])
        ada.add_playlist("Mine", tracks)
        yield server


@pytest.fixture
def token(spotify):
    return spotify.token(spotify.users["ada"])


def basic(spotify):
    secret = base64.b64encode(f"{spotify.client_id}:{spotify.client_secret}".encode()).decode()
    return {"Authorization": f"Basic {secret}"}


async def test_extended_quota_has_the_old_paths_names_and_pages(spotify, token):
    spotify.extended_quota = True
    me = await ask(spotify, token, lambda sp: sp.me())
    (listed,) = (await ask(spotify, token, lambda sp: sp.current_user_playlists()))["items"]
    assert (me["product"], "items" in listed, listed["tracks"]["total"]) == ("premium", False, 120)
    path = f"playlists/{listed['id']}"
    page = await ask(spotify, token, lambda sp: sp._get(f"{path}/tracks", limit=100))
    assert len(page["items"]) == 100
    assert set(page["items"][0]) == {"added_at", "added_by", "is_local", "track"}
    assert page["items"][0]["track"]["popularity"] == 50
    assert page["next"].startswith(f"{spotify.api_url}/{path}/tracks?")
    assert (await refusal(spotify, token, lambda sp: sp._get(f"{path}/items"))).http_status == 404
    saved = await ask(spotify, token, lambda sp: sp.current_user_saved_tracks())
    assert set(saved["items"][0]) == {"added_at", "track"}


async def test_what_only_extended_quota_has_is_forbidden_in_development_mode(spotify, token):
    playlist = spotify.users["ada"].playlists[0]
    for path in (f"playlists/{playlist.id}/tracks", "tracks?ids=a", "audio-features?ids=a"):
        error = await refusal(spotify, token, lambda sp, path=path: sp._get(path))
        assert error.http_status == 403, path


async def test_audio_features_for_old_applications(spotify):
    known = list(spotify.catalogue.tracks)[:2]
    spotify.open_audio_features(dict.fromkeys(known, MIDDLE))
    token = spotify.accounts.app_token()
    asked = [known[0], "0" * 22, known[1]]
    answer = await ask(spotify, token, lambda sp: sp._get("audio-features", ids=",".join(asked)))
    assert [one and one["id"] for one in answer["audio_features"]] == [known[0], None, known[1]]
    assert answer["audio_features"][0]["tempo"] == MIDDLE["tempo"]
    too_many = ",".join(["0" * 22] * 101)
    assert (await refusal(spotify, token, lambda sp: sp._get("audio-features", ids=too_many))).http_status == 400
    assert (await refusal(spotify, token, lambda sp: sp.me())).http_status == 401  # no user stands behind it


async def test_a_token_of_the_application_itself(spotify):
    async with (
        aiohttp.ClientSession(headers=basic(spotify)) as http,
        http.post(f"{spotify.accounts_url}/api/token", data={"grant_type": "client_credentials"}) as response,
    ):
        answer = await response.json()
    assert "refresh_token" not in answer
    error = await refusal(spotify, answer["access_token"], lambda sp: sp.current_user_saved_tracks())
    assert error.http_status == 401


@pytest.mark.parametrize("names_time", [True, False])
async def test_the_quota_is_a_window_of_a_day_for_each_group(spotify, token, clock, names_time):
    spotify.quota = Quota(3, names_time=names_time)
    for _ in range(3):
        await ask(spotify, token, lambda sp: sp.current_user_saved_tracks())
        clock[0] += timedelta(minutes=1)
    error = await refusal(spotify, spotify.token(spotify.users["ada"]), lambda sp: sp.current_user_saved_tracks())
    assert (error.http_status, error.reason) == (429, "QUOTA_EXCEEDED")
    assert error.headers.get("Retry-After") == (str(24 * 3600 - 180) if names_time else None)
    assert (spotify.quota.refused, spotify.quota.wasted) == (1, 0)
    await ask(spotify, token, lambda sp: sp.current_user_playlists())  # another group
    await refusal(spotify, token, lambda sp: sp.current_user_saved_tracks())
    assert (spotify.quota.refused, spotify.quota.wasted) == (2, 1)
    clock[0] = NOON + timedelta(days=1)
    await ask(spotify, spotify.token(spotify.users["ada"]), lambda sp: sp.current_user_saved_tracks())
    spotify.quota = Quota(1, EVERYTHING)
    await ask(spotify, spotify.token(spotify.users["ada"]), lambda sp: sp.me())
    await refusal(spotify, spotify.token(spotify.users["ada"]), lambda sp: sp.current_user_playlists())


async def test_an_outage_that_looks_like_consents_taken_back(spotify):
    refresh = spotify.accounts.issue(spotify.users["ada"])["refresh_token"]
    fault = spotify.accounts.refuse_refreshes()
    async with aiohttp.ClientSession(headers=basic(spotify)) as http:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        async with http.post(f"{spotify.accounts_url}/api/token", data=form) as response:
            assert (response.status, (await response.json())["error"]) == (400, "invalid_grant")
        fault.clear()
        async with http.post(f"{spotify.accounts_url}/api/token", data=form) as response:
            assert response.status == 200
