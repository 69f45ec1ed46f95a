"""A local accounts.spotify.com: the consent page and the token endpoint.

The application is a confidential client: every token call must carry its secret (HTTP Basic), and the code verifier as
well where the consent was asked for with an S256 challenge. Spotify itself accepts a verifier in the secret's place;
the sandbox asks for both, so that neither can be forgotten.
"""

import base64
import binascii
import calendar
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlencode, urlsplit

import jinja2
from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.clock import Clock, utc_now
from sandbox.faults import Fault
from sandbox.site import Site
from sandbox.spotify.library import Grant, SpotifyUser

SCOPES = frozenset(
    {
        "app-remote-control",
        "playlist-modify-private",
        "playlist-modify-public",
        "playlist-read-collaborative",
        "playlist-read-private",
        "streaming",
        "ugc-image-upload",
        "user-follow-modify",
        "user-follow-read",
        "user-library-modify",
        "user-library-read",
        "user-modify-playback-state",
        "user-read-currently-playing",
        "user-read-email",
        "user-read-playback-position",
        "user-read-playback-state",
        "user-read-private",
        "user-read-recently-played",
        "user-top-read",
    }
)
"""Every scope that Spotify knows."""
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")
_ASKED = ("client_id", "response_type", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")

_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("pages")), autoescape=True, undefined=jinja2.StrictUndefined
)


APPLICATION = SpotifyUser("", None)
"""Stands where the user would, in tokens of the application itself (client credentials)."""


@dataclass(frozen=True)
class AccessToken:
    grant: Grant
    expires_at: datetime


@dataclass(frozen=True)
class _Code:
    user: SpotifyUser
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str | None
    expires_at: datetime


class TokenError(Exception):
    """A refusal of the token endpoint: `error` and `description` go into its body."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


class AccountsServer(Site):
    """`/authorize` and `/api/token`.

    Without a browser: POST /authorize with the form fields of the page, which are the query's parameters, `user` (a
    user's id) and `decision` ("agree" or "cancel"); the answer is the redirect to the application.
    """

    def __init__(
        self,
        users: Mapping[str, SpotifyUser],
        *,
        client_id: str,
        client_secret: str,
        redirect_uris: Collection[str] | None = None,
        middlewares: Sequence[Middleware] = (),
        clock: Clock = utc_now,
    ) -> None:
        """`redirect_uris` None: any address on this machine's loopback, and any https one."""
        super().__init__("accounts", middlewares=middlewares)
        self.rotate_refresh_tokens = False
        """Whether each refresh gives a new refresh token and ends the old one."""
        self.access_token_life = timedelta(hours=1)
        self.code_life = timedelta(minutes=10)
        self._users = users
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uris = redirect_uris
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._access_tokens: dict[str, AccessToken] = {}
        self._refresh_tokens: dict[str, Grant] = {}
        self._rotated: set[str] = set()
        self.app.router.add_get("/authorize", self._show_consent)
        self.app.router.add_post("/authorize", self._decide)
        self.app.router.add_post("/api/token", self._token)

    # For the Web API and for tests

    def access_token(self, token: str) -> AccessToken | None:
        """What a token stands for, expired and revoked ones too."""
        return self._access_tokens.get(token)

    def expire_access_tokens(self, user_id: str | None = None) -> None:
        """End the access tokens of one user, or of all; their refresh tokens live on."""
        for text, token in self._access_tokens.items():
            if user_id in (None, token.grant.user.id):
                self._access_tokens[text] = AccessToken(token.grant, self._clock())

    def issue(self, user: SpotifyUser, scopes: Collection[str] = SCOPES) -> dict[str, object]:
        """A token answer without the consent page, for tests that are about something else."""
        grant = Grant(user, tuple(sorted(scopes)), self._clock())
        user.grants.append(grant)
        return self._answer(grant, self._new_refresh_token(grant))

    def app_token(self) -> str:
        """An access token of the application itself, behind which no user stands."""
        return str(self._answer(Grant(APPLICATION, (), self._clock()))["access_token"])

    def refuse_refreshes(self, times: int | None = None) -> Fault:
        """An outage that looks like consents taken back: every token call is answered with invalid_grant."""
        body = {"error": "invalid_grant", "error_description": "Refresh token revoked"}
        return self.fail_next("/api/token", 400, times, body=body)

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        return {"error": "server_error" if status >= 500 else "invalid_request", "error_description": message}

    # The consent page

    async def _show_consent(self, request: web.Request) -> web.Response:
        asked = {name: request.query[name] for name in _ASKED if name in request.query}
        scopes = self._check(asked)
        page = _pages.get_template("consent.html").render(
            parameters=asked, scopes=scopes, users=list(self._users.values())
        )
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _decide(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        scopes = self._check(form)
        decision = form.get("decision")
        if decision == "cancel":
            _back_with_error(form, "access_denied")
        user = self._users.get(form.get("user", ""))
        if decision != "agree" or user is None:
            raise web.HTTPBadRequest(text="Choose who you are, then Agree or Cancel.")
        code = "AQ" + secrets.token_urlsafe(96)
        self._codes[code] = _Code(
            user, scopes, form["redirect_uri"], form.get("code_challenge"), self._clock() + self.code_life
        )
        _back(form, code=code)

    def _check(self, asked: Mapping[str, str]) -> tuple[str, ...]:
        """The scopes asked for. What the application must not be told goes to a page, the rest back to it."""
        if not _same(asked.get("client_id", ""), self._client_id):
            raise web.HTTPBadRequest(text="INVALID_CLIENT: Invalid client")
        refused = self._refused_redirect(asked.get("redirect_uri", ""))
        if refused is not None:
            raise web.HTTPBadRequest(text=f"INVALID_CLIENT: {refused}")
        if asked.get("response_type") != "code":
            _back_with_error(asked, "unsupported_response_type")
        if "code_challenge" in asked and (
            asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked["code_challenge"])
        ):
            _back_with_error(asked, "invalid_request")
        scopes = tuple(sorted(asked.get("scope", "").split()))
        if not SCOPES.issuperset(scopes):
            _back_with_error(asked, "invalid_scope")
        return scopes

    def _refused_redirect(self, uri: str) -> str | None:
        """Spotify's rule since November 2025: https, or http to a loopback address written as numbers."""
        parts = urlsplit(uri)
        loopback = parts.hostname in ("127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            return "Insecure redirect URI"
        if self._redirect_uris is not None and uri not in self._redirect_uris:
            return "Invalid redirect URI"
        return None

    # The token endpoint

    async def _token(self, request: web.Request) -> web.Response:
        try:
            if request.content_type != "application/x-www-form-urlencoded":
                raise TokenError("invalid_request", "The body must be form-encoded")
            form = {name: str(value) for name, value in (await request.post()).items()}
            self._check_client(request.headers.get("Authorization", ""), form)
            match form.get("grant_type"):
                case "authorization_code":
                    answer = self._redeem(form)
                case "refresh_token":
                    answer = self._refresh(form)
                case "client_credentials":
                    answer = self._answer(Grant(APPLICATION, (), self._clock()))
                case _:
                    raise TokenError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
        except TokenError as refusal:
            body = {"error": refusal.error, "error_description": refusal.description}
            return web.json_response(body, status=400)
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    def _check_client(self, authorization: str, form: Mapping[str, str]) -> None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise TokenError("invalid_client", "Invalid client") from None
        if scheme.lower() != "basic" or not _same(unquote(client_id), self._client_id):
            raise TokenError("invalid_client", "Invalid client")
        if not _same(unquote(secret), self._client_secret):
            raise TokenError("invalid_client", "Invalid client secret")
        if form.get("client_id", self._client_id) != self._client_id:
            raise TokenError("invalid_client", "Invalid client")

    def _redeem(self, form: Mapping[str, str]) -> dict[str, object]:
        # Taken out whatever comes next: a code is looked at once.
        code = self._codes.pop(form.get("code", ""), None)
        if code is None:
            raise TokenError("invalid_grant", "Invalid authorization code")
        if self._clock() >= code.expires_at:
            raise TokenError("invalid_grant", "Authorization code expired")
        if form.get("redirect_uri") != code.redirect_uri:
            raise TokenError("invalid_grant", "Invalid redirect URI")
        _check_verifier(code.challenge, form.get("code_verifier"))
        return self.issue(code.user, code.scopes)

    def _refresh(self, form: Mapping[str, str]) -> dict[str, object]:
        text = form.get("refresh_token", "")
        grant = self._refresh_tokens.get(text)
        if grant is None:
            raise TokenError("invalid_grant", "Invalid refresh token")
        if grant.revoked or text in self._rotated:
            raise TokenError("invalid_grant", "Refresh token revoked")
        if self._clock() >= six_months_after(grant.authorised_at):
            raise TokenError("invalid_grant", "Refresh token expired")
        if not self.rotate_refresh_tokens:
            return self._answer(grant)
        self._rotated.add(text)
        return self._answer(grant, self._new_refresh_token(grant))

    def _new_refresh_token(self, grant: Grant) -> str:
        refresh_token = "AQ" + secrets.token_urlsafe(96)
        self._refresh_tokens[refresh_token] = grant
        return refresh_token

    def _answer(self, grant: Grant, refresh_token: str | None = None) -> dict[str, object]:
        access_token = "BQ" + secrets.token_urlsafe(120)
        self._access_tokens[access_token] = AccessToken(grant, self._clock() + self.access_token_life)
        answer: dict[str, object] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "scope": " ".join(grant.scopes),
            "expires_in": int(self.access_token_life.total_seconds()),
        }
        return answer if refresh_token is None else {**answer, "refresh_token": refresh_token}


def six_months_after(moment: datetime) -> datetime:
    """The same day six months on, or the last one of that month."""
    years, month = divmod(moment.month - 1 + 6, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """A verifier must come if and only if a challenge did (RFC 9700, 2.1.1: no downgrade)."""
    if challenge is None:
        if verifier is not None:
            raise TokenError("invalid_grant", "code_verifier was not expected")
        return
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        raise TokenError("invalid_request", "code_verifier required")
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not _same(digest, challenge):
        raise TokenError("invalid_grant", "code_verifier was incorrect")


def _back(asked: Mapping[str, str], **answer: str) -> NoReturn:
    """To the application, with the state that it sent."""
    if "state" in asked:
        answer["state"] = asked["state"]
    uri = asked["redirect_uri"]
    raise web.HTTPSeeOther(f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(answer)}")


def _back_with_error(asked: Mapping[str, str], error: str) -> NoReturn:
    _back(asked, error=error)
