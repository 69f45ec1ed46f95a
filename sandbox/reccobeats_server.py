"""A local ReccoBeats: the nine audio features by Spotify id, forty at a time, with what it does not know left out."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.site import Site
from specrec.features import FEATURES

MOST_IDS = 40
_CODES = {400: 4002, 404: 4042, 405: 4042, 429: 4291}


@dataclass(frozen=True)
class _Row:
    spotify_id: str
    isrc: str | None
    features: Mapping[str, float]

    @property
    def uuid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.spotify_id))

    def shape(self) -> dict[str, Any]:
        """`href` is the only way back to the Spotify id; `key` −1 means that none was detected."""
        return {
            "id": self.uuid,
            "href": f"https://open.spotify.com/track/{self.spotify_id}",
            "isrc": self.isrc,
            "key": -1,
            "mode": 1,
            **self.features,
        }


class ReccoBeatsServer(Site):
    """`url` is RECCOBEATS_URL. Rows come in no promised order, so nobody may align them by position."""

    def __init__(
        self,
        features: Mapping[str, Mapping[str, float]] | None = None,
        *,
        coverage: float = 1.0,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        super().__init__("reccobeats", "/v1", middlewares)
        self.app.middlewares.append(_cloudflare)
        self._by_spotify_id: dict[str, _Row] = {}
        self._by_uuid: dict[str, _Row] = {}
        self._by_isrc: dict[str, list[_Row]] = {}
        self.add(features or {}, coverage=coverage)
        self.app.router.add_get(f"{self.base_path}/audio-features", self._batch)
        self.app.router.add_get(f"{self.base_path}/track/{{uuid}}/audio-features", self._single)

    def add(
        self,
        features: Mapping[str, Mapping[str, float]],
        *,
        isrcs: Mapping[str, str | None] | None = None,
        coverage: float = 1.0,
    ) -> None:
        """Know more tracks: Spotify id -> the nine features, and Spotify id -> ISRC.

        Of these only the share `coverage` is learnt, picked by the ids alone: the same ones each time.

        :raises ValueError: when a track lacks one of the nine.
        """
        for spotify_id, values in features.items():
            if set(values) != set(FEATURES):
                raise ValueError(f"Track {spotify_id} must have exactly these features: {', '.join(FEATURES)}.")
            if _share(spotify_id) < coverage:
                row = _Row(spotify_id, (isrcs or {}).get(spotify_id), values)
                self._by_spotify_id[spotify_id] = self._by_uuid[row.uuid] = row
                if row.isrc:
                    self._by_isrc.setdefault(row.isrc, []).append(row)

    def knows(self, spotify_id: str) -> bool:
        return spotify_id in self._by_spotify_id

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        return {"status": _CODES.get(status, status), "error": message}

    async def _batch(self, request: web.Request) -> web.Response:
        """`ids`: Spotify ids, our UUIDs or ISRCs, repeated or with commas between."""
        if "ids" not in request.query:
            return web.json_response({"status": 4001, "error": "Missing parameter: ids"}, status=400)
        ids = [id for text in request.query.getall("ids") for id in text.split(",") if id]
        if not 1 <= len(ids) <= MOST_IDS:
            error = {"path": "getAudioFeatures.ids", "message": f"size must be between 1 and {MOST_IDS}"}
            return web.json_response({"status": 4004, "errors": [error]}, status=400)
        found = {row.spotify_id: row.shape() for id in sorted(set(ids)) for row in self._find(id)}
        return web.json_response({"content": list(found.values())})

    def _find(self, id: str) -> list[_Row]:
        """None, one, or for an ISRC each release that has it."""
        row = self._by_spotify_id.get(id) or self._by_uuid.get(id)
        return [row] if row is not None else self._by_isrc.get(id, [])

    async def _single(self, request: web.Request) -> web.Response:
        """By our UUID only."""
        row = self._by_uuid.get(request.match_info["uuid"])
        if row is None:
            return web.json_response({"status": 4041, "error": "ResourceNotFoundException"}, status=404)
        return web.json_response(row.shape())


@web.middleware
async def _cloudflare(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What stands before ReccoBeats turns away clients that do not say who they are."""
    agent = request.headers.get("User-Agent", "")
    if not agent or agent.startswith("Python-urllib"):
        return web.Response(status=403, text="error code: 1010")
    return await handler(request)


def _share(spotify_id: str) -> float:
    """A number in [0, 1) that depends on the id alone."""
    return int.from_bytes(hashlib.sha256(spotify_id.encode()).digest()[:6]) / 2**48
