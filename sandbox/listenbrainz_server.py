"""A local ListenBrainz: public listens and loves by user, tokens, rate headers; and its labs with their Spotify ids."""

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.site import Site

MOST, USUALLY = 1000, 25
"""Items of one answer."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Listen:
    """`metadata` is `track_metadata` as it was submitted."""

    listened_at: int
    metadata: Mapping[str, Any]


@dataclass(eq=False)
class ListenBrainzUser:
    """The lists are there to be changed, in any order."""

    name: str
    token: str
    listens: list[Listen] = field(default_factory=list)
    loved: list[Listen] = field(default_factory=list)
    """`listened_at` is when it was loved."""

    def listen(self, at: int, title: str, artist: str, release: str | None = None, **additional_info: object) -> None:
        self.listens.append(Listen(at, metadata_of(title, artist, release, additional_info)))

    def love(self, at: int, title: str, artist: str, release: str | None = None, **additional_info: object) -> None:
        self.loved.append(Listen(at, metadata_of(title, artist, release, additional_info)))


def metadata_of(title: str, artist: str, release: str | None, additional_info: Mapping[str, object]) -> Json:
    """`recording_mbid` goes where ListenBrainz puts what it mapped a listen to."""
    extra = {name: value for name, value in additional_info.items() if name != "recording_mbid"}
    metadata: Json = {"artist_name": artist, "track_name": title, "additional_info": extra}
    if release is not None:
        metadata["release_name"] = release
    if "recording_mbid" in additional_info:
        metadata["mbid_mapping"] = {"recording_mbid": additional_info["recording_mbid"], "artist_mbids": []}
    return metadata


class ListenBrainzServer(Site):
    """`url` is LISTENBRAINZ_URL.

    :param limit: so many requests are answered in each `window_s` seconds, to all clients together.
    """

    def __init__(
        self,
        *,
        limit: int = 30,
        window_s: float = 10.0,
        clock: Callable[[], float] = time.time,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        super().__init__("listenbrainz", "", middlewares)
        self.users: dict[str, ListenBrainzUser] = {}
        """By name, in lower case."""
        self.limit, self.window_s = limit, window_s
        self._clock = clock
        self._used: tuple[int, int] = (0, 0)
        self.app.middlewares.append(self._count)
        router = self.app.router
        router.add_get("/1/validate-token", self._validate_token)
        router.add_get("/1/user/{name}/listens", self._listens)
        router.add_get("/1/user/{name}/listen-count", self._listen_count)
        router.add_get("/1/user/{name}/get-feedback", self._feedback)

    def add_user(self, name: str, token: str = "") -> ListenBrainzUser:
        user = ListenBrainzUser(name, token or f"token-of-{name}")
        self.users[name.lower()] = user
        return user

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        return {"code": status, "error": message}

    def identify(self, request: web.Request) -> str | None:
        owner = self._owner(request)
        return None if owner is None else owner.name

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Windows of fixed length; headers say what is left of the one that is open."""
        now = self._clock()
        window = int(now // self.window_s)
        used = self._used[1] + 1 if self._used[0] == window else 1
        self._used = window, used
        ends = (window + 1) * self.window_s
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - used)),
            "X-RateLimit-Reset-In": str(max(0, math.ceil(ends - now))),
            "X-RateLimit-Reset": str(math.ceil(ends)),
        }
        if used > self.limit:
            message = "You have exceeded your rate limit. See the X-RateLimit-* response headers for more information."
            return web.json_response(self.error_body(429, message), status=429, headers=headers)
        response = await handler(request)
        response.headers.update(headers)
        return response

    async def _validate_token(self, request: web.Request) -> web.Response:
        if not request.headers.get("Authorization"):
            return self._refuse(400, "You need to provide an Authorization token.")
        owner = self._owner(request)
        if owner is None:
            return web.json_response({"code": 200, "message": "Token invalid.", "valid": False})
        return web.json_response({"code": 200, "message": "Token valid.", "valid": True, "user_name": owner.name})

    async def _listens(self, request: web.Request) -> web.Response:
        """Always newest first; with `min_ts` the oldest ones after it, and not with `max_ts` together."""
        user, count, above, below = self._user(request), self._count_of(request), None, None
        if user is None:
            return self._nobody(request)
        try:
            above, below = _whole(request, "min_ts"), _whole(request, "max_ts")
        except ValueError as error:
            return self._refuse(400, str(error))
        if above is not None and below is not None:
            return self._refuse(400, "You may only specify max_ts or min_ts, not both.")
        ordered = sorted(user.listens, key=lambda one: one.listened_at, reverse=True)
        found = [one for one in ordered if below is None or one.listened_at < below]
        if above is not None:
            found = [one for one in found if one.listened_at > above][-count:]
        listens = [_listen(user.name, one) for one in found[:count]]
        times = [one.listened_at for one in ordered]
        payload = {
            "count": len(listens),
            "user_id": user.name,
            "listens": listens,
            "latest_listen_ts": max(times, default=0),
            "oldest_listen_ts": min(times, default=0),
        }
        return web.json_response({"payload": payload})

    async def _listen_count(self, request: web.Request) -> web.Response:
        user = self._user(request)
        if user is None:
            return self._nobody(request)
        return web.json_response({"payload": {"count": len(user.listens)}})

    async def _feedback(self, request: web.Request) -> web.Response:
        user, count = self._user(request), self._count_of(request)
        if user is None:
            return self._nobody(request)
        if request.query.get("score", "1") != "1":
            return web.json_response({"feedback": [], "count": 0, "total_count": len(user.loved), "offset": 0})
        with_metadata = request.query.get("metadata") == "true"
        offset = int(request.query.get("offset", 0))
        ordered = sorted(user.loved, key=lambda one: one.listened_at, reverse=True)
        rows = [_love(user.name, one, with_metadata) for one in ordered[offset : offset + count]]
        body = {"feedback": rows, "count": len(rows), "total_count": len(user.loved), "offset": offset}
        return web.json_response(body)

    def _user(self, request: web.Request) -> ListenBrainzUser | None:
        return self.users.get(request.match_info["name"].lower())

    def _nobody(self, request: web.Request) -> web.Response:
        return self._refuse(404, f"Cannot find user: {request.match_info['name']}")

    def _owner(self, request: web.Request) -> ListenBrainzUser | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return next((user for user in self.users.values() if scheme == "Token" and user.token == token), None)

    def _refuse(self, status: int, message: str) -> web.Response:
        return web.json_response(self.error_body(status, message), status=status)

    def _count_of(self, request: web.Request) -> int:
        text = request.query.get("count", "")
        return min(int(text), MOST) if text.isdigit() else USUALLY


class ListenBrainzLabsServer(Site):
    """`url` is LISTENBRAINZ_LABS_URL. `add` what it knows."""

    def __init__(self, *, middlewares: Sequence[Middleware] = ()) -> None:
        super().__init__("labs", "", middlewares)
        self._by_name: dict[str, list[str]] = {}
        self._names_of: dict[str, tuple[str, str, str]] = {}
        self.app.router.add_post("/spotify-id-from-metadata/json", self._from_metadata)
        self.app.router.add_post("/spotify-id-from-mbid/json", self._from_mbid)

    def add(self, spotify_id: str, title: str, artist: str, release: str = "", *, mbid: str | None = None) -> None:
        for text in (artist + release + title, artist + title):
            ids = self._by_name.setdefault(_bare(text), [])
            if spotify_id not in ids:
                ids.append(spotify_id)
        if mbid is not None:
            self._names_of[mbid] = (artist, release, title)

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        return {"code": status, "error": message}

    async def _from_metadata(self, request: web.Request) -> web.Response:
        """Each row as it was asked, with the ids, the best first; none where nothing is known."""
        rows = await request.json()
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return web.json_response(self.error_body(400, "A list of objects is expected."), status=400)
        if any(not {"artist_name", "release_name", "track_name"} <= row.keys() for row in rows):
            return web.json_response(self.error_body(400, "artist_name, release_name and track_name"), status=400)
        return web.json_response([row | {"spotify_track_ids": self._find(row)} for row in rows])

    async def _from_mbid(self, request: web.Request) -> web.Response:
        """Ids that nobody knows are left out."""
        answer = []
        for row in await request.json():
            names = self._names_of.get(row["recording_mbid"])
            if names is not None:
                artist, release, title = names
                named = {"artist_name": artist, "release_name": release, "track_name": title}
                answer.append({**row, **named, "spotify_track_ids": self._find(named)})
        return web.json_response(answer)

    def _find(self, row: Mapping[str, str]) -> list[str]:
        artist, title = row["artist_name"], row["track_name"]
        return self._by_name.get(_bare(artist + row["release_name"] + title)) or self._by_name.get(
            _bare(artist + title), []
        )


def _listen(name: str, one: Listen) -> Json:
    return {
        "inserted_at": one.listened_at + 60,
        "listened_at": one.listened_at,
        "recording_msid": _msid(one.metadata),
        "track_metadata": dict(one.metadata),
        "user_name": name,
    }


def _love(name: str, one: Listen, with_metadata: bool) -> Json:
    mapping = one.metadata.get("mbid_mapping", {})
    return {
        "created": one.listened_at,
        "recording_mbid": mapping.get("recording_mbid"),
        "recording_msid": _msid(one.metadata),
        "score": 1,
        "track_metadata": dict(one.metadata) if with_metadata else None,
        "user_id": name,
    }


def _msid(metadata: Mapping[str, Any]) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{metadata['artist_name']}\0{metadata['track_name']}"))


def _whole(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"Invalid {name} argument: {text}") from None


def _bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
