"""spotipy as the bot uses it: a plain session, a ready token, another address; each call in a thread."""

import asyncio
import base64
import hashlib
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import aiohttp
import requests
import spotipy

REDIRECT_URI = "http://127.0.0.1:4711/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters~1234"


@contextmanager
def client(server, token):
    with requests.Session() as session:
        spotify = spotipy.Spotify(auth=token, requests_session=session)
        spotify.prefix = f"{server.api_url}/"
        yield spotify


async def ask(server, token, question):
    """The answer to `question(spotify)`, from a thread."""

    def in_thread():
        with client(server, token) as spotify:
            return question(spotify)

    return await asyncio.to_thread(in_thread)


async def refusal(server, token, question):
    """The error that spotipy raises."""
    try:
        answer = await ask(server, token, question)
    except spotipy.SpotifyException as error:
        return error
    raise AssertionError(f"No refusal but {answer!r}")


def every_page(spotify, page):
    """The items of this page and all that follow."""
    items = []
    while page:
        items += page["items"]
        page = spotify.next(page)
    return items


def challenge(verifier=VERIFIER):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def consent_query(server, **changes):
    """What the bot asks for; a change to None leaves that parameter out."""
    query = {
        "client_id": server.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": "user-library-read playlist-read-private",
        "state": "the-state",
        "code_challenge_method": "S256",
        "code_challenge": challenge(),
    }
    return {name: value for name, value in {**query, **changes}.items() if value is not None}


async def decide(server, user="ada", decision="agree", **changes):
    """The consent form sent without a browser; returns what comes back to the redirect URI, as a dictionary."""
    form = {**consent_query(server, **changes), "user": user, "decision": decision}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.accounts_url}/authorize", data=form, allow_redirects=False) as response,
    ):
        assert response.status == 303, await response.text()
        location = urlsplit(response.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT_URI
    return {name: values[0] for name, values in parse_qs(location.query).items()}


async def token_call(server, *, secret=None, basic=True, **form):
    """`(status, body)` of the token endpoint."""
    credentials = base64.b64encode(f"{server.client_id}:{secret or server.client_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"} if basic else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.accounts_url}/api/token", data=form, headers=headers) as response,
    ):
        return response.status, await response.json()


async def redeem(server, code, **changes):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    return await token_call(server, **{name: value for name, value in {**form, **changes}.items() if value is not None})


async def refresh(server, refresh_token):
    return await token_call(server, grant_type="refresh_token", refresh_token=refresh_token)
