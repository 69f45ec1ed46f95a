"""The only user of spotipy: one bounded thread pool, one call a page, every failure in our own words."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol, TypeVar

import requests
import spotipy

from bot.clock import Clock
from bot.errors import (
    ForbiddenError,
    GoneError,
    NeedsReconnectError,
    NoPremiumError,
    NotRegisteredError,
    QuotaError,
    RateLimitError,
    SpotifyError,
    TurnedAwayError,
    UnavailableError,
)
from bot.spotify import records
from bot.spotify.kinds import KIND_OF, CallKind
from bot.spotify.records import AlbumRecord, ArtistRecord, Entry, Json, Page, PlaylistRecord, Profile
from bot.spotify.refusals import UnauthorisedError, as_error

log = logging.getLogger(__name__)

PAGE = 50  # the most that every listing allows in Development Mode
OLD_PAGE = 100  # of a playlist's tracks, with Extended Quota
ALBUM_PAGE = 10  # artists/{id}/albums allows no more
TIMEOUT_SECONDS = (2.05, 5.0)  # connect, read; together below the ten seconds that a stop may take
PATIENCE = timedelta(seconds=30)  # a 429 that asks for no more is waited for; longer ones stop the job
SHORT_WAITS = 3  # after that many in a row it was not a short one,
STUBBORN_PAUSE = timedelta(hours=1)  # and this long it is left alone: some last a day without saying so
RETRY_DELAYS = (0.5, 1.0, 2.0)  # seconds, after 5xx and time-outs

T = TypeVar("T")
Call = Callable[[spotipy.Spotify], Json]


class Tokens(Protocol):
    """Gives access tokens for linked accounts; renews them one at a time per account."""

    async def token(self, account_id: int) -> str:
        """A token that should work now. Raises `NeedsReconnectError` when there is none to be had."""
        ...

    async def renewed(self, account_id: int, refused: str) -> str:
        """Another token than `refused`, which Spotify answered with 401."""
        ...

    async def app_token(self, refused: str | None = None) -> str:
        """A token of the application itself; another one than `refused`."""
        ...


class Allowance(Protocol):
    """Says whether one more request may go out, before it does; `bot.services.allowance`."""

    async def take(self, kind: CallKind, account_id: int | None) -> None:
        """Counts it. Raises `QuotaError` and `BudgetError`."""
        ...

    async def leave_alone(self, kind: CallKind, error: RateLimitError) -> None:
        """Spotify wants this kind of call to stop, for everybody."""
        ...


class Endpoints(Protocol):
    """Remembers what Spotify lets this application ask; `bot.services.endpoints`."""

    def is_closed(self, name: str) -> bool: ...

    def answers(self, name: str) -> bool: ...

    async def answered(self, name: str, account_id: int | None) -> None: ...

    async def refused(self, name: str, account_id: int | None) -> None: ...


class Gateway:
    """Errors, from every method: `NeedsReconnectError`, `ForbiddenError`, `GoneError`, `RateLimitError` (`QuotaError`,
    `BudgetError`), `UnavailableError`. Only reads, so everything may be tried again."""

    def __init__(
        self,
        api_url: str,
        tokens: Tokens,
        allowance: Allowance,
        endpoints: Endpoints,
        clock: Clock,
        *,
        threads: int = 4,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        logging.getLogger("spotipy").setLevel(logging.CRITICAL)  # at DEBUG it prints tokens; errors are translated here
        self._prefix = api_url.rstrip("/") + "/"
        self._tokens = tokens
        self._allowance = allowance
        self._endpoints = endpoints
        self._clock = clock
        self._retry_delays = retry_delays
        self._timeout = timeout_seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="spotify")
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    async def close(self) -> None:
        """Waits for the calls on their way, at most one time-out long."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()

    async def me(self, access_token: str) -> Profile:
        """Whose token this is. Nothing is renewed here: the token is a moment old."""
        try:
            body = await self._persist("me", None, access_token, lambda spotify: spotify.me())
        except UnauthorisedError as error:
            raise NeedsReconnectError("me: the fresh token was refused") from error
        return _read("me", records.profile(body))

    async def whose(self, account_id: int) -> Profile:
        """Whose linked account this is: what Spotify gives to every token that it takes."""
        return _read("me", records.profile(await self._asked("me", account_id, lambda spotify: spotify.me())))

    async def playlists(self, account_id: int, offset: int) -> Page[PlaylistRecord]:
        body = await self._asked("playlists", account_id, lambda s: s.current_user_playlists(limit=PAGE, offset=offset))
        return _read("playlists", records.playlists(body))

    async def playlist(self, account_id: int, playlist_id: str, offset: int) -> Page[Entry]:
        """Under the path that this application's mode has. Which one that is, is found out: a playlist that neither
        path gives is refused, or gone, for itself; but where one of them answers, the other is closed."""
        ways: dict[str, Call] = {
            "playlist": lambda s: s.playlist_items(
                playlist_id, limit=PAGE, offset=offset, additional_types=("track", "episode")
            ),
            "playlist_tracks": lambda s: s._get(
                f"playlists/{playlist_id}/tracks", limit=OLD_PAGE, offset=offset, additional_types="track,episode"
            ),
        }
        open_ways = [name for name in ways if not self._endpoints.is_closed(name)] or list(ways)
        open_ways.sort(key=self._endpoints.answers, reverse=True)
        refusals: dict[str, ForbiddenError | GoneError] = {}
        for name in open_ways:
            try:
                body = await self._as(name, account_id, ways[name])
            except (ForbiddenError, GoneError) as error:
                if isinstance(error, NotRegisteredError | NoPremiumError):
                    raise
                refusals[name] = error
                if self._endpoints.answers(name):
                    break
            else:
                await self._endpoints.answered(name, account_id)
                for refused in refusals:
                    await self._endpoints.refused(refused, account_id)
                return _read(name, records.entries(body))
        every = list(refusals.values())
        raise next((one for one in every if isinstance(one, ForbiddenError)), every[0])

    async def saved(self, account_id: int, offset: int) -> Page[Entry]:
        body = await self._asked("saved", account_id, lambda s: s.current_user_saved_tracks(limit=PAGE, offset=offset))
        return _read("saved", records.entries(body))

    async def recent(self, account_id: int) -> Page[Entry]:
        """The latest plays; Spotify keeps about fifty, however one pages."""
        body = await self._asked("recent", account_id, lambda s: s.current_user_recently_played(limit=PAGE))
        return _read("recent", records.entries(body))

    async def top(self, account_id: int, time_range: str, offset: int) -> Page[Entry]:
        """`time_range`: short_term (four weeks), medium_term (half a year), long_term (a year)."""
        body = await self._asked(
            "top",
            account_id,
            lambda s: s.current_user_top_tracks(limit=PAGE, offset=offset, time_range=time_range),
        )
        return _read("top", records.tracks(body))

    async def followed(self, account_id: int, after: str | None) -> Page[ArtistRecord]:
        body = await self._asked("followed", account_id, lambda s: s.current_user_followed_artists(PAGE, after))
        return _read("followed", records.artists(body))

    async def albums(self, account_id: int, artist_id: str) -> Page[AlbumRecord]:
        """The artist's own albums and singles, newest first, one page of them."""
        body = await self._asked(
            "albums",
            account_id,
            lambda s: s.artist_albums(artist_id, include_groups="album,single", limit=ALBUM_PAGE),
        )
        return _read("albums", records.albums(body))

    async def album(self, account_id: int, album: AlbumRecord) -> Page[Entry]:
        """An album's first fifty tracks; without ISRC, as Spotify sends them here."""
        body = await self._asked("album", account_id, lambda s: s.album_tracks(album.id, limit=PAGE))
        return _read("album", records.album_tracks(body, album.name))

    async def audio_features(self, spotify_ids: Sequence[str]) -> list[Json]:
        """At most a hundred; in their order, None for each that Spotify does not know. `ForbiddenError` for nearly
        every application: only those with extended access from before November 2024 may ask."""

        def call(spotify: spotipy.Spotify) -> Json:
            return spotify._get("audio-features", ids=",".join(spotify_ids))

        name = "audio_features"
        token = await self._tokens.app_token()
        try:
            body = await self._noted(name, None, lambda: self._persist(name, None, token, call))
        except UnauthorisedError:
            token = await self._tokens.app_token(refused=token)
            try:
                body = await self._noted(name, None, lambda: self._persist(name, None, token, call))
            except UnauthorisedError as error:
                raise UnavailableError(f"{name}: a new token of the application was refused too") from error
        return _read(name, records.features(body, len(spotify_ids)))

    async def _asked(self, name: str, account_id: int, call: Call) -> Json:
        return await self._noted(name, account_id, lambda: self._as(name, account_id, call))

    async def _noted(self, name: str, account_id: int | None, ask: Callable[[], Awaitable[Json]]) -> Json:
        """Not asked at all where the endpoint is known to be closed; otherwise what becomes of it is remembered."""
        if self._endpoints.is_closed(name):
            raise ForbiddenError(f"{name}: closed to this application, as far as is known")
        try:
            body = await ask()
        except (NotRegisteredError, NoPremiumError):
            raise
        except ForbiddenError:
            await self._endpoints.refused(name, account_id)
            raise
        await self._endpoints.answered(name, account_id)
        return body

    async def _as(self, name: str, account_id: int, call: Call) -> Json:
        """401: renewed once, tried once more. A token that Spotify gave a moment ago and refuses all the same may be
        Spotify's own trouble, as a consent that ended gives no token: `TurnedAwayError`."""
        token = await self._tokens.token(account_id)
        try:
            return await self._persist(name, account_id, token, call)
        except UnauthorisedError:
            token = await self._tokens.renewed(account_id, token)
        try:
            return await self._persist(name, account_id, token, call)
        except UnauthorisedError as error:
            raise TurnedAwayError(f"{name}: a renewed token was refused too") from error

    async def _persist(self, name: str, account_id: int | None, token: str, call: Call) -> Json:
        """Outlast short troubles here, in asyncio; no thread of the pool ever sleeps."""
        kind = KIND_OF[name]
        failures = waits = 0
        while True:
            await self._allowance.take(kind, account_id)
            try:
                return await self._in_thread(name, token, call)
            except UnavailableError:
                if failures == len(self._retry_delays):
                    raise
                delay = self._retry_delays[failures]
                failures += 1
            except RateLimitError as error:
                delay = (error.retry_at - self._clock()).total_seconds()
                if isinstance(error, QuotaError) or delay > PATIENCE.total_seconds():
                    await self._allowance.leave_alone(kind, error)
                    raise
                if waits == SHORT_WAITS:
                    stubborn = type(error)(str(error), self._clock() + STUBBORN_PAUSE)
                    await self._allowance.leave_alone(kind, stubborn)
                    raise stubborn from error
                waits += 1
            await asyncio.sleep(max(0.0, delay))

    async def _in_thread(self, name: str, token: str, call: Call) -> Json:
        def work() -> Json:
            spotify = self._spotify(token)
            try:
                return call(spotify)
            except (spotipy.SpotifyException, requests.RequestException, AttributeError) as error:
                raise as_error(name, error, self._clock()) from error

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except SpotifyError as error:
            log.info("%s", error)
            raise

    def _spotify(self, token: str) -> spotipy.Spotify:
        """One object and one connection pool per thread: neither spotipy nor requests locks anything.

        The session is a plain one. spotipy's own sleeps through Retry-After, for hours, and hides the reason.
        """
        spotify: spotipy.Spotify | None = getattr(self._local, "spotify", None)
        if spotify is None:
            session = requests.Session()
            session.trust_env = False  # a .netrc would replace the token
            self._sessions.append(session)
            spotify = spotipy.Spotify(auth=token, requests_session=session, requests_timeout=self._timeout)
            spotify.prefix = self._prefix
            self._local.spotify = spotify
        spotify.set_auth(token)
        return spotify


def _read(name: str, record: T | None) -> T:
    if record is None:
        raise UnavailableError(f"{name}: the answer was none of what Spotify describes")
    return record
