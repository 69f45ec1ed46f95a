"""A local Last.fm: scrobbles and loved tracks by user; numbers are text, and errors stand in the body."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.site import Site

MOST, USUALLY = 200, 50
"""Tracks of one page."""
_STATUS = {6: 404, 8: 500, 10: 403, 11: 503, 16: 503, 17: 403, 26: 403, 29: 429}
_WORDS = {
    3: "Invalid Method - No method with that name in this package",
    6: "User not found",
    10: "Invalid API key - You must be granted a valid key by last.fm",
    17: "Login: User required to be logged in",
    26: "API Key Suspended - This application is not allowed to make requests to the web services",
    29: "Rate Limit Exceeded - This application has made too many requests in a short period",
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Scrobble:
    at: int
    title: str
    artist: str
    album: str = ""
    mbid: str = ""


@dataclass(eq=False)
class LastFmUser:
    """The lists are there to be changed, in any order."""

    name: str
    scrobbles: list[Scrobble] = field(default_factory=list)
    loved: list[Scrobble] = field(default_factory=list)
    playing: Scrobble | None = None
    """What is playing now: it stands first on every page, without a date."""
    hidden: bool = False
    """Keeps recent listening private."""

    def scrobble(self, at: int, title: str, artist: str, album: str = "", mbid: str = "") -> None:
        self.scrobbles.append(Scrobble(at, title, artist, album, mbid))

    def love(self, at: int, title: str, artist: str, mbid: str = "") -> None:
        self.loved.append(Scrobble(at, title, artist, "", mbid))


class LastFmServer(Site):
    """`url` is LASTFM_URL.

    :param per_second: so many requests a second are answered on average, looked at over `over_s` seconds.
    """

    def __init__(
        self,
        key: str = "lastfm-key",
        *,
        per_second: float = 5.0,
        over_s: float = 10.0,
        clock: Callable[[], float] = monotonic,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        super().__init__("lastfm", "/2.0", middlewares)
        self.key = key
        self.suspended = False
        self.users: dict[str, LastFmUser] = {}
        """By name, in lower case."""
        self._allowed, self._over_s = per_second * over_s, over_s
        self._clock = clock
        self._lately: deque[float] = deque()
        self.app.router.add_get("/2.0/", self._method)

    def add_user(self, name: str, *, hidden: bool = False) -> LastFmUser:
        self.users[name.lower()] = user = LastFmUser(name, hidden=hidden)
        return user

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        return {"error": {429: 29, 503: 11, 403: 10}.get(status, 8), "message": message}

    def identify(self, request: web.Request) -> str | None:
        return request.query.get("user")

    async def _method(self, request: web.Request) -> web.Response:
        query = request.query
        if self._is_too_much():
            return _error(29)
        if query.get("api_key") != self.key:
            return _error(10)
        if self.suspended:
            return _error(26)
        methods = {"user.getrecenttracks": self._recent, "user.getlovedtracks": self._loved}
        method = methods.get(query.get("method", "").lower())
        if method is None:
            return _error(3)
        user = self.users.get(query.get("user", "").lower())
        return _error(6) if user is None else method(user, query)

    def _recent(self, user: LastFmUser, query: Mapping[str, str]) -> web.Response:
        """Newest first; those after `from` and before `to`."""
        if user.hidden:
            return _error(17)
        after, before = int(query.get("from", -1)), int(query.get("to", 2**40))
        found = sorted((one for one in user.scrobbles if after < one.at < before), key=lambda one: -one.at)
        tracks, attributes = _page(user, found, query)
        rows = [_track(one, named="#text") | {"date": _date(one.at)} for one in tracks]
        if user.playing is not None:
            rows.insert(0, _track(user.playing, named="#text") | {"@attr": {"nowplaying": "true"}})
        return web.json_response({"recenttracks": {"track": _one_or_more(rows), "@attr": attributes}})

    def _loved(self, user: LastFmUser, query: Mapping[str, str]) -> web.Response:
        tracks, attributes = _page(user, sorted(user.loved, key=lambda one: -one.at), query)
        rows = [_track(one, named="name") | {"date": _date(one.at)} for one in tracks]
        return web.json_response({"lovedtracks": {"track": _one_or_more(rows), "@attr": attributes}})

    def _is_too_much(self) -> bool:
        now = self._clock()
        while self._lately and self._lately[0] <= now - self._over_s:
            self._lately.popleft()
        self._lately.append(now)
        return len(self._lately) > self._allowed


def _page(user: LastFmUser, found: Sequence[Scrobble], query: Mapping[str, str]) -> tuple[Sequence[Scrobble], Json]:
    limit, page = min(int(query.get("limit", USUALLY)), MOST), int(query.get("page", 1))
    attributes = {
        "user": user.name,
        "totalPages": str(math.ceil(len(found) / limit)),
        "page": str(page),
        "perPage": str(limit),
        "total": str(len(found)),
    }
    return found[(page - 1) * limit : page * limit], attributes


def _track(one: Scrobble, *, named: str) -> Json:
    return {
        "artist": {"mbid": "", named: one.artist},
        "streamable": "0",
        "image": [{"size": "small", "#text": ""}],
        "mbid": one.mbid,
        "album": {"mbid": "", "#text": one.album},
        "name": one.title,
        "url": f"https://www.last.fm/music/{one.artist}/_/{one.title}".replace(" ", "+"),
    }


def _date(at: int) -> Json:
    return {"uts": str(at), "#text": f"{datetime.fromtimestamp(at, UTC):%d %b %Y, %H:%M}"}


def _one_or_more(rows: list[Json]) -> object:
    """One track comes as itself."""
    return rows[0] if len(rows) == 1 else rows


def _error(number: int) -> web.Response:
    body = {"message": _WORDS.get(number, "Operation failed"), "error": number}
    return web.json_response(body, status=_STATUS.get(number, 400))
