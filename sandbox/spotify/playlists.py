"""The endpoints of one playlist: what it is, what is in it, making one, adding to it."""

import json
from typing import Any

from sandbox.spotify import shapes
from sandbox.spotify.call import Call
from sandbox.spotify.catalogue import Track
from sandbox.spotify.errors import FORBIDDEN, ApiError
from sandbox.spotify.fields import parse_fields
from sandbox.spotify.library import Playlist, PlaylistEntry
from sandbox.spotify.shapes import Json


def _selected(call: Call, answer: Json) -> Json:
    fields = call.request.query.get("fields")
    selected: Json = parse_fields(fields).of(answer) if fields else answer
    return selected


def _items(call: Call, playlist: Playlist) -> Json:
    episodes = "episode" in call.request.query.get("additional_types", "track").split(",")

    def shape(entry: PlaylistEntry) -> Json:
        return shapes.playlist_entry(entry, call.base, episodes=episodes, market=call.market)

    return call.page(playlist.entries, shape, path=f"/playlists/{playlist.id}/items")


async def playlist(call: Call) -> Json:
    """With its first page of items for those who may see them, else what it is only."""
    playlist = call.playlist()
    answer = shapes.simplified_playlist(playlist, call.base)
    answer["followers"] = {"href": None, "total": 0}
    if call.may_read(playlist):
        answer["items"] = _items(call, playlist)
    else:
        del answer["items"]
    return _selected(call, answer)


async def items(call: Call) -> Json:
    call.need("playlist-read-private")
    playlist = call.playlist()
    if not call.may_read(playlist):
        raise ApiError(403, FORBIDDEN)
    return _selected(call, _items(call, playlist))


async def _body(call: Call) -> Any:
    try:
        return json.loads(await call.request.text() or "null")
    except ValueError:
        raise ApiError(400, "Error parsing JSON.") from None


async def create(call: Call) -> Json:
    body = await _body(call)
    if not isinstance(body, dict) or not isinstance(body.get("name"), str) or not body["name"]:
        raise ApiError(400, "Missing required field: name")
    public = bool(body.get("public", True))
    call.need("playlist-modify-public" if public else "playlist-modify-private")
    collaborative = bool(body.get("collaborative", False))
    playlist = call.user.add_playlist(body["name"], public=public, collaborative=collaborative)
    playlist.description = str(body.get("description") or "")
    # The newest stands first in the owner's list.
    call.user.playlists.remove(playlist)
    call.user.playlists.insert(0, playlist)
    return {**shapes.simplified_playlist(playlist, call.base), "items": _items(call, playlist)}


async def add_items(call: Call) -> Json:
    """The body is {"uris": […], "position": n} or, as spotipy sends it, the bare list."""
    body = await _body(call)
    playlist = call.playlist()
    call.need("playlist-modify-public" if playlist.public else "playlist-modify-private")
    if not call.may_read(playlist):
        raise ApiError(403, FORBIDDEN)
    uris = body.get("uris") if isinstance(body, dict) else body
    if not isinstance(uris, list) or not 1 <= len(uris) <= 100:
        raise ApiError(400, "You can add a maximum of 100 tracks per request.")
    position = body.get("position") if isinstance(body, dict) else call.request.query.get("position")
    try:
        start = len(playlist.entries) if position is None else int(position)
    except (TypeError, ValueError):
        raise ApiError(400, "Invalid position") from None
    if not 0 <= start <= len(playlist.entries):
        raise ApiError(400, "Index out of bounds.")
    tracks = [_track(call, uri) for uri in uris]
    playlist.entries[start:start] = [PlaylistEntry(track, call.now, call.user) for track in tracks]
    return {"snapshot_id": playlist.snapshot_id}


def _track(call: Call, uri: object) -> Track:
    """Local files and anything unknown are refused."""
    track = call.catalogue.tracks.get(str(uri).removeprefix("spotify:track:"))
    if track is None or uri != track.uri:
        raise ApiError(400, f"Invalid track uri: {uri}")
    return track
