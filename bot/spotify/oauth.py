"""Spotify's accounts service: where consent is asked for, and the two token calls.

Client secret and PKCE (S256) together: the secret shows that it is this host's app, the verifier that whoever redeems
the code is whoever asked for it. spotipy cannot send both.
"""

import base64
import calendar
import hashlib
import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.clock import Clock
from bot.errors import NeedsReconnectError, SpotifyError, UnavailableError

log = logging.getLogger(__name__)

SCOPES = (
    "playlist-read-private",
    "playlist-read-collaborative",
    "user-library-read",
    "user-read-recently-played",
    "user-top-read",
    "user-follow-read",
)
CONSENT_MONTHS = 6
TIMEOUT_SECONDS = 8.0  # below the ten seconds that a stop may take


@dataclass(frozen=True)
class TokenAnswer:
    """What a token call gave. The tokens never show in a log, not even through `repr`."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)  # None: the one that was sent stays good
    scope: str
    expires_at: datetime


def new_verifier() -> str:
    """86 characters out of those that RFC 7636 allows (43–128)."""
    return secrets.token_urlsafe(64)


def consent_ends(authorised_at: datetime) -> datetime:
    """Six months after it was given, whatever was renewed since: the same day, or the last one of that month."""
    years, month = divmod(authorised_at.month - 1 + CONSENT_MONTHS, 12)
    year = authorised_at.year + years
    day = min(authorised_at.day, calendar.monthrange(year, month + 1)[1])
    return authorised_at.replace(year=year, month=month + 1, day=day)


class OAuth:
    """Errors of both calls: `NeedsReconnectError` (the code or refresh token is no good), `UnavailableError` (no
    answer, 5xx, 429), `SpotifyError` (the app's id or secret is refused: a matter for the host)."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        accounts_url: str,
        http: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        self._client_id = client_id
        self._basic = "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._redirect_uri = redirect_uri
        self._accounts_url = accounts_url
        self._http = http
        self._clock = clock

    def authorize_url(self, state: str, verifier: str) -> str:
        """Where the member says yes or no. `show_dialog`: they always see whose Spotify account it is."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": self._client_id,
            "response_type": "code",
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(SCOPES),
            "state": state,
            "code_challenge_method": "S256",
            "code_challenge": challenge,
            "show_dialog": "true",
        }
        return f"{self._accounts_url}/authorize?{urlencode(query)}"

    async def exchange(self, code: str, verifier: str) -> TokenAnswer:
        """Redeem the code of a consent; it works once. The answer always holds a refresh token."""
        answer = await self._ask(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "client_id": self._client_id,
                "code_verifier": verifier,
            }
        )
        if answer.refresh_token is None:
            raise UnavailableError("token: a consent without a refresh token")
        return answer

    async def refresh(self, refresh_token: str) -> TokenAnswer:
        """A new access token, and a new refresh token if Spotify rotates it."""
        return await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def app_token(self) -> TokenAnswer:
        """A token of the application itself, for what is nobody's: audio features."""
        return await self._ask({"grant_type": "client_credentials"})

    async def _ask(self, form: dict[str, str]) -> TokenAnswer:
        try:
            async with self._http.post(
                f"{self._accounts_url}/api/token",
                data=form,
                headers={"Authorization": self._basic},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                allow_redirects=False,
            ) as response:
                status = response.status
                body = await _json(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(
                f"token: no answer ({type(error).__name__})"
            ) from None  # the cause may hold the form
        if status == 200:
            return self._read(body)
        reason = body.get("error")
        if status >= 500 or status == 429:
            raise UnavailableError(f"token: {status}")
        if reason == "invalid_grant":
            raise NeedsReconnectError("token: invalid_grant")
        if reason in ("invalid_client", "unauthorized_client"):
            log.error("Spotify refuses SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET: nobody can be linked or refreshed")
        raise SpotifyError(f"token: {status}")

    def _read(self, body: dict[str, Any]) -> TokenAnswer:
        access, refresh, seconds = body.get("access_token"), body.get("refresh_token"), body.get("expires_in")
        if not isinstance(access, str) or not access or not isinstance(seconds, int) or isinstance(seconds, bool):
            raise UnavailableError("token: the answer was none of what Spotify describes")
        scope = body.get("scope")
        return TokenAnswer(
            access_token=access,
            refresh_token=refresh if isinstance(refresh, str) and refresh else None,
            scope=scope if isinstance(scope, str) else "",
            expires_at=self._clock() + timedelta(seconds=seconds),
        )


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The body if it is a JSON object, whatever the content type says; an empty one otherwise."""
    try:
        body = await response.json(content_type=None)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
