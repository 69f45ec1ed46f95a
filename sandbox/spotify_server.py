"""A local Spotify: the Web API as an application in Development Mode sees it, or one with Extended Quota, and the
accounts service beside it.

async with SpotifyServer() as spotify:
    ada = spotify.add_user("ada", "Ada")
    ...  # SPOTIFY_API_URL=spotify.api_url, SPOTIFY_ACCOUNTS_URL=spotify.accounts_url
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.clock import Clock, utc_now
from sandbox.accounts_server import APPLICATION, SCOPES, AccountsServer
from sandbox.faults import Fault
from sandbox.site import Site
from sandbox.spotify import extended, lookups, me, playlists
from sandbox.spotify.call import Call, Endpoint
from sandbox.spotify.catalogue import Catalogue
from sandbox.spotify.errors import FORBIDDEN, NO_PREMIUM, NOT_REGISTERED, ApiError, error_object
from sandbox.spotify.library import SpotifyUser
from sandbox.spotify.quota import Quota

DEVELOPMENT_MODE_USERS = 5

_SERVED: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/me", me.profile),
    ("GET", "/me/playlists", me.playlists),
    ("POST", "/me/playlists", playlists.create),
    ("GET", "/me/tracks", me.saved_tracks),
    ("GET", "/me/player/recently-played", me.recently_played),
    ("GET", "/me/following", me.followed_artists),
    ("GET", "/me/top/tracks", me.top_tracks),
    ("GET", "/me/top/artists", me.top_artists),
    ("GET", "/playlists/{id}", playlists.playlist),
    ("GET", "/tracks/{id}", lookups.track),
    ("GET", "/artists/{id}", lookups.artist),
    ("GET", "/artists/{id}/albums", lookups.artist_albums),
    ("GET", "/albums/{id}", lookups.album),
    ("GET", "/albums/{id}/tracks", lookups.album_tracks),
    ("GET", "/search", lookups.search),
)

# What each of the two modes has in the place of the other's; the wrong one is not there at all, or forbidden.
_OF_DEVELOPMENT_MODE: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/playlists/{id}/items", playlists.items),
    ("POST", "/playlists/{id}/items", playlists.add_items),
)
_OF_EXTENDED_QUOTA: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/playlists/{id}/tracks", extended.playlist_tracks),
    ("POST", "/playlists/{id}/tracks", playlists.add_items),
    ("GET", "/tracks", extended.several_tracks),
    ("GET", "/artists/{id}/top-tracks", extended.artist_top_tracks),
)
_AUDIO_FEATURES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/audio-features", extended.audio_features),
    ("GET", "/audio-features/{id}", extended.audio_features_of_one),
)

# Taken from new applications in November 2024 and from Development Mode in February 2026: 403, whatever is asked.
_REMOVED: tuple[tuple[str, str], ...] = (
    ("GET", "/audio-analysis/{id}"),
    ("GET", "/recommendations"),
    ("GET", "/recommendations/available-genre-seeds"),
    ("GET", "/artists/{id}/related-artists"),
    ("GET", "/browse/featured-playlists"),
    ("GET", "/browse/categories/{id}/playlists"),
    ("POST", "/users/{id}/playlists"),
    ("GET", "/markets"),
    ("GET", "/browse/new-releases"),
    ("GET", "/browse/categories"),
    ("GET", "/browse/categories/{id}"),
    *(("GET", f"/{kind}") for kind in ("albums", "artists", "audiobooks", "chapters", "episodes", "shows")),
    ("GET", "/users/{id}"),
    ("GET", "/users/{id}/playlists"),
    *(
        (method, f"/me/{kind}")
        for kind in ("tracks", "albums", "episodes", "shows", "audiobooks", "following")
        for method in ("PUT", "DELETE")
    ),
    *(("GET", f"/me/{kind}/contains") for kind in ("tracks", "albums", "episodes", "shows", "audiobooks", "following")),
    ("PUT", "/playlists/{id}/followers"),
    ("DELETE", "/playlists/{id}/followers"),
    ("GET", "/playlists/{id}/followers/contains"),
    *((method, "/playlists/{id}/tracks") for method in ("PUT", "DELETE")),
)


class SpotifyServer(Site):
    """The Web API; `accounts` is the accounts service, with faults and a log of its own.

    Both start and stop together on two ports. `middlewares` are given to both; `request.app[sandbox.site.SERVER]` says
    which one a request is for.
    """

    def __init__(
        self,
        *,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",
        redirect_uris: Collection[str] | None = None,
        middlewares: Sequence[Middleware] = (),
        clock: Clock = utc_now,
    ) -> None:
        super().__init__("spotify", "/v1", middlewares)
        self.client_id = client_id
        self.client_secret = client_secret
        self.users: dict[str, SpotifyUser] = {}
        self.catalogue = Catalogue()
        self.owner_has_premium = True
        """False: every call of every member is refused with 403."""
        self.accounts = AccountsServer(
            self.users,
            client_id=client_id,
            client_secret=client_secret,
            redirect_uris=redirect_uris,
            middlewares=middlewares,
            clock=clock,
        )
        self.extended_quota = False
        """True: the other mode, with its paths, shapes and limits, and as many users as there are."""
        self.sends_account_ids = True
        """False: `/me` as it was before May 2026."""
        self.quota: Quota | None = None
        """The day's quota, where there is to be one."""
        self._features: Mapping[str, Mapping[str, float]] | None = None
        self._clock = clock
        self._allowed: Collection[str] | None = None
        self._refused_in_plain_text = False
        self._repeating: list[str] = []
        for method, path, endpoint in _SERVED:
            self._route(method, path, self._handler(endpoint))
        for method, path, endpoint in _OF_DEVELOPMENT_MODE:
            self._route(method, path, self._handler(endpoint, of_extended=False))
        for method, path, endpoint in _OF_EXTENDED_QUOTA:
            self._route(method, path, self._handler(endpoint, of_extended=True))
        for method, path, endpoint in _AUDIO_FEATURES:
            self._route(method, path, self._handler(self._if_old(endpoint), needs_user=False))
        for method, path in _REMOVED:
            self._route(method, path, self._handler(_removed))

    async def start(self, host: str = "127.0.0.1", port: int = 0, accounts_port: int = 0) -> Self:
        await self.accounts.start(host, accounts_port)
        return await super().start(host, port)

    async def stop(self) -> None:
        await super().stop()
        await self.accounts.stop()

    @property
    def api_url(self) -> str:
        """SPOTIFY_API_URL."""
        return self.url

    @property
    def accounts_url(self) -> str:
        """SPOTIFY_ACCOUNTS_URL."""
        return self.accounts.url

    # What there is

    def add_user(self, user_id: str, display_name: str | None) -> SpotifyUser:
        """A new user with nothing in their library yet.

        :raises ValueError: when the id is taken.
        """
        user = SpotifyUser(user_id, display_name)
        self.load(users=[user])
        return user

    def load(self, catalogue: Catalogue | None = None, users: Iterable[SpotifyUser] = ()) -> None:
        """Take over a catalogue and users that were made elsewhere.

        :raises ValueError: when a user's id is taken.
        """
        if catalogue is not None:
            self.catalogue.add(catalogue)
        for user in users:
            if user.id in self.users:
                raise ValueError(f"There is a Spotify user {user.id!r} already.")
            self.users[user.id] = user

    def token(self, user: SpotifyUser, scopes: Collection[str] = SCOPES) -> str:
        """An access token without the consent page, for tests that are about something else."""
        return str(self.accounts.issue(user, scopes)["access_token"])

    # Going wrong

    def expire_access_tokens(self, user_id: str | None = None) -> None:
        """End the access tokens of one user, or of all; their refresh tokens live on."""
        self.accounts.expire_access_tokens(user_id)

    def quota_exceeded(self, path: str = "*", retry_after: float | None = 86_400, *, skip: int = 0) -> Fault:
        """The day's quota for these paths is used up, until `clear`; None: nobody says for how long."""
        body = error_object(429, "Too many requests", "QUOTA_EXCEEDED")
        return self.fail_next(path, 429, None, skip=skip, body=body, retry_after=retry_after)

    def open_audio_features(self, features: Mapping[str, Mapping[str, float]]) -> None:
        """This application had extended access before November 2024: it may ask for audio features, and these are
        known (track id -> the nine)."""
        self._features = features

    def allow_list(self, *user_ids: str, plain_text: bool = False) -> None:
        """Only these users are registered with the application; the others may consent, but every call answers 403.

        Not called, there is no such list. Spotify sends the refusal as JSON or as plain text.

        :raises ValueError: for more than the five of Development Mode.
        """
        if len(user_ids) > DEVELOPMENT_MODE_USERS and not self.extended_quota:
            raise ValueError(f"An application in Development Mode has at most {DEVELOPMENT_MODE_USERS} users.")
        self._allowed = frozenset(user_ids)
        self._refused_in_plain_text = plain_text

    def repeat_next(self, path: str) -> None:
        """Pages of listings like `path` name themselves as the next page, until `clear_faults`."""
        self._repeating.append(path)

    def clear_faults(self) -> None:
        super().clear_faults()
        self._repeating.clear()

    # Answering

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        return error_object(status, message)

    def identify(self, request: web.Request) -> str | None:
        token = self.accounts.access_token(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return None if token is None or token.grant.user is APPLICATION else token.grant.user.id

    def _route(self, method: str, path: str, handler: Handler) -> None:
        """With and without a slash at the end: spotipy asks for /me/."""
        for address in (path, f"{path}/"):
            self.app.router.add_route(method, self.base_path + address, handler)

    def _handler(self, endpoint: Endpoint, *, of_extended: bool | None = None, needs_user: bool = True) -> Handler:
        """`of_extended`: which mode the endpoint belongs to; None: to both."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                call = self._authorised(request, needs_user=needs_user)
                if of_extended is not None and of_extended is not self.extended_quota:
                    raise ApiError(403, FORBIDDEN) if of_extended else ApiError(404, "Service not found")
                answer = await endpoint(call)
            except ApiError as refusal:
                if refusal.message == NOT_REGISTERED and self._refused_in_plain_text:
                    return web.Response(status=refusal.status, text=refusal.message)
                return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)
            if not self.sends_account_ids:
                answer.pop("account_id", None)
            if self.extended_quota:
                answer = extended.extended(answer)
            return web.json_response(answer, status=201 if request.method == "POST" else 200)

        return handle

    def _if_old(self, endpoint: Endpoint) -> Endpoint:
        async def answer(call: Call) -> dict[str, Any]:
            if self._features is None:
                raise ApiError(403, FORBIDDEN)
            return await endpoint(call)

        return answer

    def _authorised(self, request: web.Request, *, needs_user: bool) -> Call:
        """
        :raises ApiError: 401 without a good token, 403 for a stranger, 429 beyond the quota.
        """
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if not text:
            raise ApiError(401, "No token provided")
        token = self.accounts.access_token(text)
        if scheme.lower() != "bearer" or token is None or token.grant.revoked or token.grant.is_turned_away:
            raise ApiError(401, "Invalid access token")
        if self._clock() >= token.expires_at:
            raise ApiError(401, "The access token expired")
        if not self.owner_has_premium:
            raise ApiError(403, NO_PREMIUM)
        user = token.grant.user
        if needs_user and user is APPLICATION:
            raise ApiError(401, "Valid user authentication required")
        if self._allowed is not None and user is not APPLICATION and user.id not in self._allowed:
            raise ApiError(403, NOT_REGISTERED)
        path = self.path_of(request)
        if self.quota is not None and (wait := self.quota.refuses(path, self._clock())) is not None:
            headers = {"Retry-After": str(math.ceil(wait.total_seconds()))} if self.quota.names_time else {}
            raise ApiError(429, "Too many requests", reason="QUOTA_EXCEEDED", headers=headers)
        return Call(
            request,
            path,
            user,
            frozenset(token.grant.scopes),
            f"{request.url.origin()}{self.base_path}",
            self.catalogue,
            self.users,
            self._clock(),
            any(fnmatchcase(path, pattern) for pattern in self._repeating),
            self.extended_quota,
            self._features or {},
        )


async def _removed(call: Call) -> dict[str, object]:
    raise ApiError(403, FORBIDDEN)
