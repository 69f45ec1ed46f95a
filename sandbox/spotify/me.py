"""The endpoints below /me: what the user who is asking has."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sandbox.spotify import shapes
from sandbox.spotify.call import Call
from sandbox.spotify.errors import ApiError
from sandbox.spotify.library import TIME_RANGES, Play, Playlist, TimeRange
from sandbox.spotify.paging import whole_number
from sandbox.spotify.shapes import Json

_KEPT_PLAYS = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


async def profile(call: Call) -> Json:
    return shapes.private_user(call.user, call.base)


async def playlists(call: Call) -> Json:
    """Owned and followed ones; collaborative ones only with their own scope."""
    call.need("playlist-read-private")
    collaborative = "playlist-read-collaborative" in call.scopes
    visible = [one for one in call.user.playlists if one is None or collaborative or not one.collaborative]

    def shape(playlist: Playlist | None) -> Json | None:
        return None if playlist is None else shapes.simplified_playlist(playlist, call.base)

    return call.page(visible, shape)


async def saved_tracks(call: Call) -> Json:
    call.need("user-library-read")
    return call.page(call.user.saved, lambda saved: shapes.saved_track(saved, call.base, call.market))


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


async def recently_played(call: Call) -> Json:
    """The latest fifty plays and never an older one, newest first; cursors are Unix milliseconds."""
    call.need("user-read-recently-played")
    query = call.request.query
    limit = whole_number(call.request, "limit", 20, 1, 50)
    if "after" in query and "before" in query:
        raise ApiError(400, "Only one of after and before may be given")
    after = whole_number(call.request, "after", 0, 0, 10**15)
    before = whole_number(call.request, "before", 10**15, 0, 10**15)
    kept = sorted(call.user.recently_played, key=lambda play: play.played_at, reverse=True)[:_KEPT_PLAYS]
    asked = [play for play in kept if after < _milliseconds(play.played_at) < before]
    # Forward from `after` means its next plays, not the newest of all.
    plays = asked[-limit:] if "after" in query else asked[:limit]
    answer: dict[str, Any] = {
        "cursors": None,
        "href": f"{call.base}{call.path}?{urlencode({**query, 'limit': limit})}",
        "items": [_play(play, call) for play in plays],
        "limit": limit,
        "next": None,
    }
    if plays:
        newest, oldest = _milliseconds(plays[0].played_at), _milliseconds(plays[-1].played_at)
        answer["cursors"] = {"after": str(newest), "before": str(oldest)}
        onward = {"after": newest} if "after" in query else {"before": oldest}
        if len(plays) < len(asked):
            answer["next"] = f"{call.base}{call.path}?{urlencode({**onward, 'limit': limit})}"
    return answer


def _play(play: Play, call: Call) -> Json:
    return {
        "context": shapes.context(play.context, call.base),
        "played_at": shapes.played_at(play.played_at),
        "track": None if play.track is None else shapes.track(play.track, call.base, call.market),
    }


async def followed_artists(call: Call) -> Json:
    """Cursors are the last artist's id; an unknown one starts from the front."""
    call.need("user-follow-read")
    if call.request.query.get("type") != "artist":
        raise ApiError(400, "Invalid type")
    limit = whole_number(call.request, "limit", 20, 1, 50)
    artists = call.user.followed_artists
    ids = [artist.id for artist in artists]
    after = call.request.query.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    part = artists[start : start + limit]
    last = part[-1].id if start + limit < len(artists) else None
    asked: dict[str, str | int] = {"type": "artist", "limit": limit}
    if after:
        asked["after"] = after
    answer = {
        "cursors": {"after": last},
        "href": f"{call.base}{call.path}?{urlencode(asked)}",
        "items": [shapes.artist(artist, call.base) for artist in part],
        "limit": limit,
        "next": last and f"{call.base}{call.path}?{urlencode({**asked, 'after': last})}",
        "total": len(artists),
    }
    return {"artists": answer}


def _time_range(call: Call) -> TimeRange:
    asked = call.request.query.get("time_range", "medium_term")
    for time_range in TIME_RANGES:
        if time_range == asked:
            return time_range
    raise ApiError(400, "Invalid time range")


async def top_tracks(call: Call) -> Json:
    call.need("user-top-read")
    tracks = call.user.top_tracks.get(_time_range(call), [])
    return call.page(tracks, lambda track: shapes.track(track, call.base, call.market))


async def top_artists(call: Call) -> Json:
    call.need("user-top-read")
    artists = call.user.top_artists.get(_time_range(call), [])
    return call.page(artists, lambda artist: shapes.artist(artist, call.base))
