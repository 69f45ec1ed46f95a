"""What an application with Extended Quota sees: the old names, and the fields that Development Mode lost.

Its paths are the old ones too: `/playlists/{id}/tracks` instead of `/playlists/{id}/items`, batches of ids, an artist's
top tracks; and larger pages.
"""

from typing import Any

from sandbox.spotify import shapes
from sandbox.spotify.call import Call
from sandbox.spotify.errors import FORBIDDEN, ApiError
from sandbox.spotify.shapes import Json

_MARKETS = ["DE", "US"]
_ADDED: dict[str, Json] = {
    "track": {"available_markets": _MARKETS, "popularity": 50},
    "album": {"available_markets": _MARKETS, "popularity": 50, "label": "A label"},
    "artist": {"followers": {"href": None, "total": 1_000}, "popularity": 50, "genres": []},
}
_ADDED_TO_ME: Json = {
    "country": "DE",
    "explicit_content": {"filter_enabled": False, "filter_locked": False},
    "followers": {"href": None, "total": 0},
    "product": "premium",
}


def extended(value: Any) -> Any:
    """An answer as Development Mode has it, in the shape of Extended Quota."""
    if isinstance(value, list):
        return [extended(one) for one in value]
    if not isinstance(value, dict):
        return value.replace("/items?", "/tracks?") if isinstance(value, str) else value
    answer = {name: extended(one) for name, one in value.items()}
    kind = answer.get("type")
    if kind == "playlist" and "items" in answer:
        answer["tracks"] = _with_old_address(answer.pop("items"))
    if "is_local" in answer and "item" in answer:
        answer["track"] = answer.pop("item")
    if kind in _ADDED and answer.get("id"):
        answer.update(_ADDED[kind])
    if kind == "user" and "images" in answer:
        answer.update(_ADDED_TO_ME)
    return answer


def _with_old_address(part: Json) -> Json:
    """What a list of playlists says of each: how many items, and where."""
    href = part.get("href")
    return {**part, "href": f"{href[: -len('/items')]}/tracks"} if href and href.endswith("/items") else part


async def playlist_tracks(call: Call) -> Json:
    """A hundred a page; anybody may read a playlist that is not secret."""
    call.need("playlist-read-private")
    playlist = call.playlist()
    if not call.may_read(playlist) and not playlist.public:
        raise ApiError(403, FORBIDDEN)
    episodes = "episode" in call.request.query.get("additional_types", "track").split(",")
    return call.page(
        playlist.entries,
        lambda entry: shapes.playlist_entry(entry, call.base, episodes=episodes, market=call.market),
        default=100,
        most=100,
    )


async def several_tracks(call: Call) -> Json:
    """Fifty at most; null in the place of each that does not exist."""
    ids = call.ids(most=50)
    found = [call.catalogue.tracks.get(id) for id in ids]
    return {"tracks": [None if one is None else shapes.track(one, call.base, call.market) for one in found]}


async def artist_top_tracks(call: Call) -> Json:
    artist = call.one(call.catalogue.artists)
    theirs = [one for one in call.catalogue.tracks.values() if artist in one.artists][:10]
    return {"tracks": [shapes.track(one, call.base, call.market) for one in theirs]}


async def audio_features(call: Call) -> Json:
    """A hundred at most; null in the place of each that is not known."""
    return {"audio_features": [_features(call, id) for id in call.ids(most=100)]}


async def audio_features_of_one(call: Call) -> Json:
    answer = _features(call, call.request.match_info["id"])
    if answer is None:
        raise ApiError(404, "analysis not found")
    return answer


def _features(call: Call, id: str) -> Json | None:
    values = call.features.get(id)
    if values is None:
        return None
    return {
        **values,
        "analysis_url": f"{call.base}/audio-analysis/{id}",
        "duration_ms": 200_000,
        "id": id,
        "key": 0,
        "mode": 1,
        "time_signature": 4,
        "track_href": f"{call.base}/tracks/{id}",
        "type": "audio_features",
        "uri": f"spotify:track:{id}",
    }
