"""The endpoints of the catalogue: one track, album or artist, and search."""

from sandbox.spotify import shapes
from sandbox.spotify.call import Call
from sandbox.spotify.catalogue import Album
from sandbox.spotify.errors import ApiError
from sandbox.spotify.search import find_albums, find_artists, find_tracks, parse_query
from sandbox.spotify.shapes import Json

_SEARCHABLE = ("album", "artist", "playlist", "track", "show", "episode", "audiobook")
_ALBUM_GROUPS = ("album", "single", "appears_on", "compilation")


async def track(call: Call) -> Json:
    return shapes.track(call.one(call.catalogue.tracks), call.base, call.market)


async def artist(call: Call) -> Json:
    return shapes.artist(call.one(call.catalogue.artists), call.base)


async def artist_albums(call: Call) -> Json:
    """At most ten in Development Mode, fifty with Extended Quota; newest first."""
    artist = call.one(call.catalogue.artists)
    groups = call.request.query.get("include_groups", ",".join(_ALBUM_GROUPS)).split(",")
    if not set(groups) <= set(_ALBUM_GROUPS):
        raise ApiError(400, "Invalid include_groups")

    def in_groups(album: Album) -> bool:
        if artist in album.artists:
            return album.album_type in groups
        return "appears_on" in groups and any(artist in track.artists for track in album.tracks)

    albums = sorted(
        filter(in_groups, call.catalogue.albums.values()), key=lambda album: album.release_date, reverse=True
    )
    default, most = (20, 50) if call.extended else (5, 10)
    return call.page(albums, lambda album: shapes.simplified_album(album, call.base), default=default, most=most)


def _tracks(call: Call, album: Album) -> Json:
    return call.page(
        album.tracks,
        lambda track: shapes.simplified_track(track, call.base, call.market),
        path=f"/albums/{album.id}/tracks",
    )


async def album(call: Call) -> Json:
    album = call.one(call.catalogue.albums)
    return shapes.album(album, call.base, _tracks(call, album))


async def album_tracks(call: Call) -> Json:
    return _tracks(call, call.one(call.catalogue.albums))


async def search(call: Call) -> Json:
    """At most ten results a page (fifty with Extended Quota), a thousand in all; types unknown here find nothing."""
    text = call.request.query.get("q", "").strip()
    kinds = [kind for kind in call.request.query.get("type", "").split(",") if kind]
    if not text:
        raise ApiError(400, "No search query")
    if not kinds or not set(kinds) <= set(_SEARCHABLE):
        raise ApiError(400, "Bad search type field")
    query = parse_query(text)
    answer: Json = {}
    for kind in kinds:
        match kind:
            case "track":
                found = [shapes.track(one, call.base, call.market) for one in find_tracks(call.catalogue, query)[:1000]]
            case "album":
                found = [shapes.simplified_album(one, call.base) for one in find_albums(call.catalogue, query)[:1000]]
            case "artist":
                found = [shapes.artist(one, call.base) for one in find_artists(call.catalogue, query)[:1000]]
            case _:
                found = []
        default, most = (20, 50) if call.extended else (5, 10)
        answer[f"{kind}s"] = call.page(found, lambda shape: shape, default=default, most=most, furthest=1000)
    return answer
