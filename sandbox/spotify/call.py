"""One authorised request to the Web API, with everything that its answer may need."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web

from sandbox.spotify.catalogue import Catalogue
from sandbox.spotify.errors import INSUFFICIENT_SCOPE, NOT_FOUND, ApiError
from sandbox.spotify.library import Playlist, SpotifyUser
from sandbox.spotify.paging import page

T = TypeVar("T")
_ID = re.compile(r"[0-9A-Za-z]{22}")


@dataclass(frozen=True)
class Call:
    request: web.Request
    path: str
    """Below the API's base."""
    user: SpotifyUser
    scopes: frozenset[str]
    base: str
    """The API's address as this client sees it."""
    catalogue: Catalogue
    users: Mapping[str, SpotifyUser]
    now: datetime
    repeat_next: bool
    extended: bool = False
    """Whether the application has Extended Quota."""
    features: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Audio features by track id, for applications that are old enough."""

    @property
    def market(self) -> str | None:
        return self.request.query.get("market")

    def need(self, scope: str) -> None:
        """
        :raises ApiError: 403 without this scope.
        """
        if scope not in self.scopes:
            raise ApiError(403, INSUFFICIENT_SCOPE)

    def one(self, things: Mapping[str, T]) -> T:
        """What the path's id names.

        :raises ApiError: 400 for an id that cannot be one, 404 for an unknown one.
        """
        id = self.request.match_info["id"]
        if not _ID.fullmatch(id):
            raise ApiError(400, "Invalid base62 id")
        if id not in things:
            raise ApiError(404, NOT_FOUND)
        return things[id]

    def ids(self, *, most: int) -> list[str]:
        """The query's `ids`, separated by commas.

        :raises ApiError: 400 for none, or for more than `most`.
        """
        ids = [id for id in self.request.query.get("ids", "").split(",") if id]
        if not 1 <= len(ids) <= most:
            raise ApiError(400, "Too many ids requested" if ids else "No ids requested")
        return ids

    def playlist(self) -> Playlist:
        """The path's playlist, whoever owns it.

        :raises ApiError: 400, 404 as `one`.
        """
        lists = (playlist for user in self.users.values() for playlist in user.playlists)
        return self.one({playlist.id: playlist for playlist in lists if playlist is not None})

    def may_read(self, playlist: Playlist) -> bool:
        """Development Mode shows contents only to the owner and to those who collaborate."""
        return playlist.owner is self.user or (playlist.collaborative and playlist in self.user.playlists)

    def page(
        self,
        things: Sequence[T],
        shape: Callable[[T], Any],
        *,
        path: str | None = None,
        default: int = 20,
        most: int = 50,
        furthest: int = 100_000,
    ) -> dict[str, Any]:
        """The asked-for page of a listing, by default of this request's own path."""
        return page(
            self.request,
            self.base,
            path or self.path,
            things,
            shape,
            default=default,
            most=most,
            furthest=furthest,
            repeat=self.repeat_next,
        )


Endpoint = Callable[[Call], Awaitable[dict[str, Any]]]
