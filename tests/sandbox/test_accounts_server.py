"""The consent page and the token endpoint, as a client and as a browser meet them."""

import asyncio
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.accounts_server import six_months_after
from sandbox.spotify_server import SpotifyServer
from tests.sandbox.spotify_client import (
    REDIRECT_URI,
    ask,
    consent_query,
    decide,
    redeem,
    refresh,
    refusal,
    token_call,
)


class Clock:
    """Stands still until it is turned."""

    def __init__(self):
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def spotify(clock):
    async with SpotifyServer(clock=clock) as server:
        server.add_user("ada", "Ada")
        server.add_user("bruno", None)
        yield server


async def linked(spotify):
    """The token answer after Ada agreed."""
    status, tokens = await redeem(spotify, (await decide(spotify))["code"])
    assert status == 200
    return tokens


class Form(HTMLParser):
    """The fields of a page's only form, by name and value."""

    def __init__(self, page):
        super().__init__()
        self.action = None
        self.hidden, self.users, self.decisions = {}, [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action = attrs["action"]
        elif attrs.get("type") == "hidden":
            self.hidden[attrs["name"]] = attrs["value"]
        elif attrs.get("name") == "user":
            self.users.append(attrs["value"])
        elif attrs.get("name") == "decision":
            self.decisions.append(attrs["value"])


async def test_the_page_lets_a_person_choose_who_they_are_and_goes_back_with_code_and_state(spotify):
    async with aiohttp.ClientSession() as browser:
        async with browser.get(f"{spotify.accounts_url}/authorize", params=consent_query(spotify)) as response:
            assert response.content_type == "text/html"
            page = await response.text()
        form = Form(page)
        assert form.users == ["ada", "bruno"]
        assert form.decisions == ["agree", "cancel"]
        assert "user-library-read" in page
        fields = {**form.hidden, "user": "ada", "decision": "agree"}
        address = spotify.accounts_url + form.action
        async with browser.post(address, data=fields, allow_redirects=False) as response:
            assert response.status == 303
            location = response.headers["Location"]
    assert location.startswith(f"{REDIRECT_URI}?code=")
    assert location.endswith("&state=the-state")


async def test_names_and_parameters_are_escaped_on_the_page(spotify):
    spotify.add_user("eve", "<script>alert(1)</script>")
    query = consent_query(spotify, state='"><script>alert(2)</script>')
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(f"{spotify.accounts_url}/authorize", params=query) as response,
    ):
        assert "<script>" not in await response.text()


async def test_a_code_becomes_tokens_that_the_web_api_takes(spotify):
    tokens = await linked(spotify)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "playlist-read-private user-library-read"
    assert (await ask(spotify, tokens["access_token"], lambda sp: sp.me()))["id"] == "ada"


async def test_cancelling_comes_back_as_access_denied_with_the_state(spotify):
    assert await decide(spotify, decision="cancel") == {"error": "access_denied", "state": "the-state"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "too-short"}, "invalid_request"),
        ({"scope": "user-library-read user-read-diary"}, "invalid_scope"),
    ],
)
async def test_what_the_application_asks_wrongly_it_is_told(spotify, changes, error):
    assert await decide(spotify, **changes) == {"error": error, "state": "the-state"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"client_id": "somebody-else"}, "INVALID_CLIENT: Invalid client"),
        ({"redirect_uri": "http://localhost:4711/callback"}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"redirect_uri": "http://example.org/callback"}, "INVALID_CLIENT: Insecure redirect URI"),
        ({"redirect_uri": None}, "INVALID_CLIENT: Insecure redirect URI"),
    ],
)
async def test_nobody_is_sent_to_an_address_that_may_be_an_attackers(spotify, changes, text):
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(
            f"{spotify.accounts_url}/authorize", params=consent_query(spotify, **changes), allow_redirects=False
        ) as response,
    ):
        assert response.status == 400
        assert await response.text() == text


@pytest.mark.parametrize("near_miss", [f"{REDIRECT_URI}/", "http://127.0.0.1:4712/callback"])
async def test_registered_redirect_uris_are_compared_exactly(near_miss):
    async with SpotifyServer(redirect_uris=[REDIRECT_URI]) as spotify, aiohttp.ClientSession() as browser:
        for uri, status in ((REDIRECT_URI, 200), (near_miss, 400)):
            query = consent_query(spotify, redirect_uri=uri)
            async with browser.get(f"{spotify.accounts_url}/authorize", params=query) as response:
                assert response.status == status


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant", "code_verifier was incorrect"),
        ({"code_verifier": None}, "invalid_request", "code_verifier required"),
        ({"code_verifier": "short"}, "invalid_request", "code_verifier required"),
        ({"redirect_uri": f"{REDIRECT_URI}?x=1"}, "invalid_grant", "Invalid redirect URI"),
        ({"secret": "wrong"}, "invalid_client", "Invalid client secret"),
        ({"basic": False}, "invalid_client", "Invalid client"),
        ({"client_id": "somebody-else"}, "invalid_client", "Invalid client"),
        ({"grant_type": "password"}, "unsupported_grant_type", None),
    ],
)
async def test_a_code_is_worth_nothing_without_everything_that_belongs_to_it(spotify, changes, error, description):
    code = (await decide(spotify))["code"]
    status, body = await redeem(spotify, code, **changes)
    assert (status, body["error"]) == (400, error)
    assert description in (None, body["error_description"])
    assert "access_token" not in body


async def test_a_verifier_without_a_challenge_is_refused(spotify):
    code = (await decide(spotify, code_challenge=None, code_challenge_method=None))["code"]
    assert (await redeem(spotify, code))[1]["error"] == "invalid_grant"


async def test_without_a_challenge_the_secret_is_enough(spotify):
    code = (await decide(spotify, code_challenge=None, code_challenge_method=None))["code"]
    assert (await redeem(spotify, code, code_verifier=None))[0] == 200


async def test_a_code_works_once(spotify):
    code = (await decide(spotify))["code"]
    assert (await redeem(spotify, code))[0] == 200
    status, body = await redeem(spotify, code)
    assert (status, body) == (400, {"error": "invalid_grant", "error_description": "Invalid authorization code"})


async def test_of_two_at_once_one_gets_the_tokens(spotify):
    code = (await decide(spotify))["code"]
    answers = await asyncio.gather(redeem(spotify, code), redeem(spotify, code))
    assert sorted(status for status, _ in answers) == [200, 400]


async def test_a_guess_at_the_verifier_uses_up_the_code(spotify):
    code = (await decide(spotify))["code"]
    await redeem(spotify, code, code_verifier="x" * 43)
    assert (await redeem(spotify, code))[1]["error"] == "invalid_grant"


async def test_a_code_is_short_lived(spotify, clock):
    code = (await decide(spotify))["code"]
    clock.now += timedelta(minutes=10)
    assert (await redeem(spotify, code))[1]["error_description"] == "Authorization code expired"


async def test_refreshing_keeps_the_refresh_token_unless_rotation_is_on(spotify):
    tokens = await linked(spotify)
    status, renewed = await refresh(spotify, tokens["refresh_token"])
    assert status == 200
    assert "refresh_token" not in renewed
    assert renewed["access_token"] != tokens["access_token"]
    assert (await ask(spotify, renewed["access_token"], lambda sp: sp.me()))["id"] == "ada"


async def test_a_rotated_refresh_token_is_dead(spotify):
    tokens = await linked(spotify)
    spotify.accounts.rotate_refresh_tokens = True
    _, renewed = await refresh(spotify, tokens["refresh_token"])
    assert (await refresh(spotify, tokens["refresh_token"]))[1]["error_description"] == "Refresh token revoked"
    assert (await refresh(spotify, renewed["refresh_token"]))[0] == 200


async def test_access_tokens_live_for_an_hour(spotify, clock):
    tokens = await linked(spotify)
    clock.now += timedelta(minutes=59)
    await ask(spotify, tokens["access_token"], lambda sp: sp.me())
    clock.now += timedelta(minutes=1)
    error = await refusal(spotify, tokens["access_token"], lambda sp: sp.me())
    assert (error.http_status, error.msg.split("\n ")[1]) == (401, "The access token expired")


async def test_access_tokens_can_be_expired_at_once(spotify):
    ada, bruno = (spotify.token(spotify.users[name]) for name in ("ada", "bruno"))
    spotify.expire_access_tokens("ada")
    assert (await refusal(spotify, ada, lambda sp: sp.me())).http_status == 401
    assert (await ask(spotify, bruno, lambda sp: sp.me()))["id"] == "bruno"


async def test_refreshing_does_not_prolong_the_six_months(spotify, clock):
    tokens = await linked(spotify)
    clock.now = datetime(2026, 7, 31, 11, 59, tzinfo=UTC)
    assert (await refresh(spotify, tokens["refresh_token"]))[0] == 200
    clock.now += timedelta(minutes=1)
    status, body = await refresh(spotify, tokens["refresh_token"])
    assert (status, body["error"]) == (400, "invalid_grant")


async def test_revoking_ends_every_token_of_that_user_only(spotify):
    tokens = await linked(spotify)
    bruno = spotify.token(spotify.users["bruno"])
    spotify.users["ada"].revoke()
    assert (await refusal(spotify, tokens["access_token"], lambda sp: sp.me())).http_status == 401
    status, body = await refresh(spotify, tokens["refresh_token"])
    assert (status, body) == (400, {"error": "invalid_grant", "error_description": "Refresh token revoked"})
    assert (await ask(spotify, bruno, lambda sp: sp.me()))["id"] == "bruno"
    again = await linked(spotify)
    assert (await ask(spotify, again["access_token"], lambda sp: sp.me()))["id"] == "ada"


async def test_only_forms_are_read(spotify):
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{spotify.accounts_url}/api/token", json={"grant_type": "refresh_token"}) as response,
    ):
        assert (await response.json())["error"] == "invalid_request"


async def test_the_accounts_service_can_be_down_while_the_web_api_works(spotify):
    token = spotify.token(spotify.users["ada"])
    outage = spotify.accounts.fail_next("/api/token", 503, None, body="<h1>upstream connect error</h1>")
    async with aiohttp.ClientSession() as session, session.post(f"{spotify.accounts_url}/api/token") as response:
        assert (response.status, response.content_type) == (503, "text/html")
    outage.clear()
    dead = spotify.accounts.disconnect()
    with pytest.raises(aiohttp.ClientConnectionError):
        await refresh(spotify, "anything")
    dead.clear()
    assert (await ask(spotify, token, lambda sp: sp.me()))["id"] == "ada"
    assert (await token_call(spotify, grant_type="refresh_token"))[0] == 400


@given(st.datetimes().filter(lambda moment: moment.year < 9999))
def test_six_months_are_the_same_day_or_the_last_of_the_month(moment):
    later = six_months_after(moment)
    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == 6
    assert later.day == moment.day or (later.day < moment.day and (later + timedelta(days=1)).day == 1)
    assert later.time() == moment.time()
