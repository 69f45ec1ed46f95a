"""ListenBrainz: the public listens and loves of a user, and its labs, which know Spotify ids for songs.

Listens are CC0. At most one request a second; its rate headers are heeded. Parsers are pure: JSON in, items out; a body
that is no page is refused (None), so that a broken answer never looks like an empty history.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from bot.clock import Clock
from bot.errors import NoSuchUserError, ServiceDownError
from bot.imports.base import Kept, Listen, Skip, Song
from bot.imports.listen_service import LOVED, Dated, ListenPage, LovedPage
from bot.imports.polite import Answer, Pace, PoliteClient
from bot.sources import Source
from bot.spotify.records import identifier, isrc, text, whole
from specrec.interactions import Kind

PER_PAGE = 1000  # the most that is given
EVERY_S = 1.0  # between requests
LABS_BATCH = 100

Json = Any

_SPOTIFY_TRACK = re.compile(r"(?:spotify:track:|https?://(?:open|play)\.spotify\.com/(?:[\w-]+/)?track/)([0-9A-Za-z]+)")
_MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GUESTS = re.compile(r"\s(?:feat|ft)\.?\s.*", re.IGNORECASE)
_FIRST_LISTENS = 1_033_430_400  # October 2002: nothing was written down before
_FAR_FUTURE = 4_102_444_800  # 2100


class ListenBrainz(PoliteClient):
    source = Source.LISTENBRAINZ
    label = "ListenBrainz"
    room = None

    def __init__(
        self, url: str, http: aiohttp.ClientSession, clock: Clock, *, pace: Pace | None = None, **options: Any
    ) -> None:
        super().__init__(self.label, http, clock, pace or Pace(EVERY_S), **options)
        self._url = url

    async def identify(self, name: str) -> str:
        payload = await self._payload(f"/1/user/{quote(name, safe='')}/listens", count=1)
        return text(payload.get("user_id")) or name

    async def owner_of(self, token: str) -> str | None:
        """The token goes to ListenBrainz in a header and is kept nowhere."""
        answer = await self.ask(f"{self._url}/1/validate-token", headers={"Authorization": f"Token {token}"})
        body = answer.body
        if answer.status in (400, 401) or (isinstance(body, dict) and body.get("valid") is False):
            return None
        owner = text(body.get("user_name")) if isinstance(body, dict) and body.get("valid") is True else None
        if owner is None:
            raise ServiceDownError(self.label, "the answer to a token was none of what it describes")
        return owner

    async def count(self, name: str) -> int | None:
        payload = await self._payload(f"/1/user/{quote(name, safe='')}/listen-count")
        return whole(payload.get("count"))

    async def listens(self, name: str, *, after: int | None, before: int | None) -> ListenPage:
        """`after` cannot be asked for together with `before`, and alone it gives the oldest first: left out."""
        limits = {} if before is None else {"max_ts": before}
        payload = await self._payload(f"/1/user/{quote(name, safe='')}/listens", count=PER_PAGE, **limits)
        page = listens_page({"payload": payload}, PER_PAGE)
        if page is None:
            raise ServiceDownError(self.label, "the answer was no page of listens")
        return page

    async def loved(self, name: str, page: int) -> LovedPage:
        path = f"/1/user/{quote(name, safe='')}/get-feedback"
        body = await self._get(path, score=1, metadata="true", count=PER_PAGE, offset=page * PER_PAGE)
        found = loved_page(body, PER_PAGE)
        if found is None:
            raise ServiceDownError(self.label, "the answer was no page of feedback")
        return found

    async def _payload(self, path: str, **query: object) -> Mapping[str, Json]:
        body = await self._get(path, **query)
        payload = body.get("payload") if isinstance(body, dict) else None
        if not isinstance(payload, dict):
            raise ServiceDownError(self.label, "the answer was none of what it describes")
        return payload

    async def _get(self, path: str, **query: object) -> Json:
        answer = await self.ask(f"{self._url}{path}{'?' if query else ''}{urlencode(query)}")
        if answer.status == 404 and isinstance(answer.body, dict):  # a page of a web server in between says nothing
            raise NoSuchUserError(self.label)
        if answer.status != 200:
            raise ServiceDownError(self.label, f"status {answer.status}")
        return answer.body


class ListenBrainzLabs(PoliteClient):
    """Spotify ids by MusicBrainz id or names. No promise is made there that it stays: without it things go on."""

    label = "ListenBrainz labs"
    batch = LABS_BATCH

    def __init__(
        self, url: str, http: aiohttp.ClientSession, clock: Clock, *, pace: Pace | None = None, **options: Any
    ) -> None:
        super().__init__(self.label, http, clock, pace or Pace(EVERY_S), **options)
        self._url = url

    async def look_up(self, songs: Sequence[Song]) -> Mapping[int, str]:
        """By the id first, which is the better word; the others, and those it does not know, by their names."""
        found: dict[int, str] = {}
        by_id = {place: song.mbid for place, song in enumerate(songs) if song.mbid}
        if by_id:
            rows = await self._rows("spotify-id-from-mbid", [{"recording_mbid": mbid} for mbid in by_id.values()])
            known = {str(row.get("recording_mbid")): one for row in rows if (one := _first_id(row))}
            found.update((place, known[mbid]) for place, mbid in by_id.items() if mbid in known)
        rest = [(place, song) for place, song in enumerate(songs) if place not in found]
        if rest:
            asked = [_named(song) for _, song in rest]
            by_name: dict[tuple[str, ...], str] = {}
            for row in await self._rows("spotify-id-from-metadata", asked):
                identity = _first_id(row)
                if identity is not None:
                    by_name[_key(row)] = identity
            found.update(
                (place, by_name[_key(one)]) for (place, _), one in zip(rest, asked, strict=True) if _key(one) in by_name
            )
        return found

    async def _rows(self, query: str, payload: Sequence[Mapping[str, str]]) -> list[dict[str, Json]]:
        answer: Answer = await self.ask(f"{self._url}/{query}/json", payload=payload)
        if answer.status != 200 or not isinstance(answer.body, list):
            raise ServiceDownError(self.label, f"status {answer.status}, or no list")
        return [row for row in answer.body if isinstance(row, dict)]


def listens_page(body: Json, asked: int) -> ListenPage | None:
    """`GET /1/user/…/listens`. Fewer than `asked` may also come where older ones are left: only none is the end."""
    payload = body.get("payload") if isinstance(body, dict) else None
    rows = payload.get("listens") if isinstance(payload, dict) else None
    if not isinstance(rows, list):
        return None
    dated = []
    for row in rows:
        at = second(row.get("listened_at")) if isinstance(row, dict) else None
        if at is not None:
            dated.append(Dated(at, _listen(row, at)))
    oldest = payload.get("oldest_listen_ts") if isinstance(payload, dict) else None
    reached = bool(dated) and isinstance(oldest, int) and min(one.second for one in dated) <= oldest
    return ListenPage(tuple(dated), last=not dated or (len(rows) < asked and oldest is None) or reached,
                      unreadable=len(rows) - len(dated))  # fmt: skip


def loved_page(body: Json, asked: int) -> LovedPage | None:
    """`GET /1/user/…/get-feedback` with `metadata=true`. Hates that come all the same are left out."""
    rows = body.get("feedback") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        return None
    items = tuple(_loved(row) for row in rows if not (isinstance(row, dict) and row.get("score") == -1))
    return LovedPage(items, last=len(rows) < asked, total=whole(body.get("total_count")))


def song_of(metadata: Json) -> Song | None:
    """`track_metadata`. Only what was submitted is read: what ListenBrainz maps a listen to may change from day to day,
    and the same listen must look the same again; but for the mapped id, which no listen is told by."""
    if not isinstance(metadata, dict):
        return None
    extra = metadata.get("additional_info")
    extra = extra if isinstance(extra, dict) else {}
    mapping = metadata.get("mbid_mapping")
    mapping = mapping if isinstance(mapping, dict) else {}
    title, artist = text(metadata.get("track_name")), first_artist(metadata.get("artist_name"), extra)
    spotify_id = _spotify_id(extra.get("spotify_id")) or _spotify_id(extra.get("origin_url"))
    if title is None or artist is None:
        return None
    return Song(
        title,
        artist,
        spotify_id,
        isrc(extra.get("isrc")),
        text(metadata.get("release_name")),
        mbid_of(extra.get("recording_mbid")) or mbid_of(mapping.get("recording_mbid")),
    )


def first_artist(credit: Json, extra: Mapping[str, Json]) -> str | None:
    """The first of those named one by one, or the credit without guests."""
    names = extra.get("artist_names")
    named = text(names[0]) if isinstance(names, list) and names else None
    if named is not None:
        return named
    whole_credit = text(credit)
    return None if whole_credit is None else _GUESTS.sub("", whole_credit).strip() or whole_credit


def second(value: Json) -> int | None:
    """Seconds since 1970, as a number or as text; None where it is none that a database takes."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _FAR_FUTURE else None


def moment_of(at: int) -> datetime | None:
    """None for years in which nobody can have listened."""
    return datetime.fromtimestamp(at, UTC) if at >= _FIRST_LISTENS else None


def mbid_of(value: Json) -> str | None:
    return value.lower() if isinstance(value, str) and _MBID.fullmatch(value.lower()) else None


def _listen(row: Mapping[str, Json], at: int) -> Listen | Skip:
    song, moment = song_of(row.get("track_metadata")), moment_of(at)
    if moment is None:
        return Skip.UNREADABLE
    return Skip.NAMELESS if song is None else Listen(song, moment)


def _loved(row: Json) -> Kept | Skip:
    if not isinstance(row, dict):
        return Skip.UNREADABLE
    song, at = song_of(row.get("track_metadata")), second(row.get("created"))
    if song is None:
        return Skip.NAMELESS  # nothing is known there of what was loved but an id
    song = song if song.mbid else Song(song.title, song.artist, song.spotify_id, song.isrc, song.album,
                                       mbid_of(row.get("recording_mbid")))  # fmt: skip
    return Kept(song, Kind.LIKED, LOVED, None if at is None else moment_of(at))


def _spotify_id(value: Json) -> str | None:
    """An address or URI of a track, or the bare id."""
    if not isinstance(value, str):
        return None
    found = _SPOTIFY_TRACK.match(value)
    if found:
        return identifier(found[1])
    return value if re.fullmatch(r"[0-9A-Za-z]{22}", value) else None


def _named(song: Song) -> dict[str, str]:
    return {"artist_name": song.artist, "release_name": song.album or "", "track_name": song.title}


def _key(row: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in ("artist_name", "track_name"))


def _first_id(row: Mapping[str, Json]) -> str | None:
    """They come best first."""
    ids = row.get("spotify_track_ids")
    return identifier(ids[0]) if isinstance(ids, list) and ids else None
