"""Last.fm: the scrobbles and loved tracks of a user who does not hide them.

Its terms: no commercial use, at most 100 MB of its data kept, credit and a link where they are shown. Guidance is five
requests a second on average; a bot that goes on for hours stays well below. Errors stand in the body. Parsers are pure,
as ListenBrainz'.
"""

from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.clock import Clock
from bot.errors import HostKeyError, NoSuchUserError, PrivateUserError, ServiceDownError
from bot.imports.base import Kept, Listen, Skip, Song
from bot.imports.listen_service import LOVED, Dated, ListenPage, LovedPage
from bot.imports.listenbrainz import mbid_of, moment_of, second
from bot.imports.polite import Answer, Pace, PoliteClient
from bot.sources import Source
from bot.spotify.records import text, whole
from specrec.interactions import Kind

PER_PAGE = 200  # the most that is given
EVERY_S = 0.5  # between requests
ROOM = 400_000  # listens of all members together; with their names they take up to 240 bytes each, so below 100 MB

Json = Any

_NO_SUCH_USER, _FAILED, _BAD_KEY, _OFFLINE, _TEMPORARY, _PRIVATE, _SUSPENDED, _BUSY = 6, 8, 10, 11, 16, 17, 26, 29


class LastFm(PoliteClient):
    source = Source.LASTFM
    label = "Last.fm"
    room: int | None = ROOM

    def __init__(
        self, url: str, key: str, http: aiohttp.ClientSession, clock: Clock, *, pace: Pace | None = None, **options: Any
    ) -> None:
        super().__init__(self.label, http, clock, pace or Pace(EVERY_S), **options)
        self._url = url
        self._key = key

    def is_busy(self, answer: Answer) -> bool:
        return super().is_busy(answer) or error_of(answer.body) == _BUSY

    def is_down(self, answer: Answer) -> bool:
        """A server's error that says more in its body is told by that."""
        error = error_of(answer.body)
        return error in (_FAILED, _OFFLINE, _TEMPORARY) or (error is None and super().is_down(answer))

    async def identify(self, name: str) -> str:
        """Asks for a listen, so that hidden listening is found out at once."""
        _, attributes = await self._recent(name, limit=1)
        return text(attributes.get("user")) or name

    async def owner_of(self, token: str) -> str | None:
        return None

    async def count(self, name: str) -> int | None:
        _, attributes = await self._recent(name, limit=1)
        return second(attributes.get("total"))

    async def listens(self, name: str, *, after: int | None, before: int | None) -> ListenPage:
        limits = {"from": after, "to": before}
        body, _ = await self._recent(name, limit=PER_PAGE, **{key: at for key, at in limits.items() if at is not None})
        page = scrobbles_page(body)
        if page is None:
            raise ServiceDownError(self.label, "the answer was no page of scrobbles")
        return page

    async def loved(self, name: str, page: int) -> LovedPage:
        body = await self._get("user.getLovedTracks", user=name, limit=PER_PAGE, page=page + 1)
        found = loved_page(body)
        if found is None:
            raise ServiceDownError(self.label, "the answer was no page of loved tracks")
        return found

    async def _recent(self, name: str, **query: object) -> tuple[Json, dict[str, Json]]:
        body = await self._get("user.getRecentTracks", user=name, **query)
        recent = body.get("recenttracks") if isinstance(body, dict) else None
        attributes = recent.get("@attr") if isinstance(recent, dict) else None
        if not isinstance(attributes, dict):
            raise ServiceDownError(self.label, "the answer was no page of scrobbles")
        return body, attributes

    async def _get(self, method: str, **query: object) -> Json:
        asked = urlencode({"method": method, **query, "api_key": self._key, "format": "json"})
        answer = await self.ask(f"{self._url}/?{asked}")
        error = error_of(answer.body)
        if error == _NO_SUCH_USER:
            raise NoSuchUserError(self.label)
        if error == _PRIVATE:
            raise PrivateUserError(self.label)
        if error in (_BAD_KEY, _SUSPENDED):
            raise HostKeyError(self.label, f"error {error}: LASTFM_API_KEY")
        if error is not None or answer.status != 200:
            raise ServiceDownError(self.label, f"error {error}, status {answer.status}")
        return answer.body


def error_of(body: Json) -> int | None:
    return whole(body.get("error")) if isinstance(body, dict) else None


def scrobbles_page(body: Json) -> ListenPage | None:
    """`user.getRecentTracks`. What is playing now has no date and is no scrobble yet; a single track is no list."""
    recent = body.get("recenttracks") if isinstance(body, dict) else None
    attributes = recent.get("@attr") if isinstance(recent, dict) else None
    rows = _list(recent.get("track")) if isinstance(recent, dict) else None
    if rows is None or not isinstance(attributes, dict):
        return None
    dated, playing = [], 0
    for row in rows:
        at = _date(row)
        if at is not None:
            dated.append(Dated(at, _scrobble(row, at)))
        elif _is_playing(row):
            playing += 1
    pages = second(attributes.get("totalPages"))
    return ListenPage(tuple(dated), last=not dated or (pages is not None and pages <= 1),
                      unreadable=len(rows) - len(dated) - playing)  # fmt: skip


def loved_page(body: Json) -> LovedPage | None:
    """`user.getLovedTracks`."""
    loved = body.get("lovedtracks") if isinstance(body, dict) else None
    attributes = loved.get("@attr") if isinstance(loved, dict) else None
    rows = _list(loved.get("track")) if isinstance(loved, dict) else None
    if rows is None or not isinstance(attributes, dict):
        return None
    page, pages = second(attributes.get("page")), second(attributes.get("totalPages"))
    last = not rows or page is None or pages is None or page >= pages
    return LovedPage(tuple(_loved(row) for row in rows), last, second(attributes.get("total")))


def _list(value: Json) -> list[Json] | None:
    """One track comes as itself, none as nothing."""
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else None


def _date(row: Json) -> int | None:
    date = row.get("date") if isinstance(row, dict) else None
    return second(date.get("uts")) if isinstance(date, dict) else None


def _is_playing(row: Json) -> bool:
    attributes = row.get("@attr") if isinstance(row, dict) else None
    return isinstance(attributes, dict) and attributes.get("nowplaying") in ("true", True)


def _scrobble(row: Json, at: int) -> Listen | Skip:
    song, moment = _song(row), moment_of(at)
    if moment is None:
        return Skip.UNREADABLE  # clocks that stood at 1970
    return Skip.NAMELESS if song is None else Listen(song, moment)


def _loved(row: Json) -> Kept | Skip:
    song, at = _song(row), _date(row)
    if song is None:
        return Skip.NAMELESS
    return Kept(song, Kind.LIKED, LOVED, None if at is None else moment_of(at))


def _song(row: Json) -> Song | None:
    """Artists are named under `#text`, or under `name` where more is said of them."""
    if not isinstance(row, dict):
        return None
    artist, album = row.get("artist"), row.get("album")
    named = artist if isinstance(artist, dict) else {}
    title, by = text(row.get("name")), text(named.get("#text")) or text(named.get("name"))
    if title is None or by is None:
        return None
    return Song(title, by, None, None, text(album.get("#text")) if isinstance(album, dict) else None,
                mbid_of(row.get("mbid")))  # fmt: skip
