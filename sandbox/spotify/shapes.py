"""Our objects in the shapes that the Web API sends to an application in Development Mode.

`base` is the API's own address in each request, such as http://127.0.0.1:8080/v1: every `href` starts with it.
Gone in Development Mode, so never sent: available_markets, linked_from, popularity, album_group, label, followers,
country, email, explicit_content, product.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from sandbox.spotify.catalogue import Album, Artist, Episode, Item, LocalFile, Track
from sandbox.spotify.library import Playlist, PlaylistEntry, SavedTrack, SpotifyUser

Json = dict[str, Any]


def timestamp(moment: datetime | None) -> str | None:
    """UTC, in whole seconds, as Spotify writes dates of adding."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def played_at(moment: datetime) -> str:
    """UTC, in milliseconds, as Spotify writes dates of playing."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def link(kind: str, id: str, base: str) -> Json:
    """What every object carries: where it is, for the API and for people."""
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{id}"},
        "href": f"{base}/{kind}s/{id}",
        "id": id,
        "type": kind,
        "uri": f"spotify:{kind}:{id}",
    }


def images(id: str) -> list[Json]:
    return [{"url": f"https://i.scdn.co/image/{id}{size:05d}", "height": size, "width": size} for size in (640, 300)]


def simplified_artist(artist: Artist, base: str) -> Json:
    return {**link("artist", artist.id, base), "name": artist.name}


def artist(artist: Artist, base: str) -> Json:
    return {**simplified_artist(artist, base), "images": images(artist.id)}


def simplified_album(album: Album, base: str) -> Json:
    return {
        **link("album", album.id, base),
        "album_type": album.album_type,
        "artists": [simplified_artist(one, base) for one in album.artists],
        "images": [] if album.taken_down else images(album.id),
        "name": album.name,
        "release_date": album.release_date,
        "release_date_precision": album.release_date_precision,
        "total_tracks": len(album.tracks),
    }


def simplified_track(track: Track, base: str, market: str | None = None) -> Json:
    """As in an album's listing: no album, no external ids."""
    track = track.served
    album_tracks = track.album.tracks
    shape = {
        **link("track", track.id, base),
        "artists": [simplified_artist(one, base) for one in track.artists],
        "disc_number": 1,
        "duration_ms": track.duration_ms,
        "explicit": track.explicit,
        "is_local": False,
        "name": track.name,
        "preview_url": None,
        "track_number": album_tracks.index(track) + 1 if track in album_tracks else 1,
    }
    if track.is_playable is not None:
        shape["is_playable"] = track.is_playable
    elif market is not None:
        shape["is_playable"] = track.restriction is None
    if track.restriction is not None:
        shape["restrictions"] = {"reason": track.restriction}
    return shape


def track(track: Track, base: str, market: str | None = None) -> Json:
    track = track.served
    shape = simplified_track(track, base, market)
    shape["album"] = simplified_album(track.album, base)
    shape["external_ids"] = {"isrc": track.isrc} if track.isrc else {}
    return shape


def local_file(file: LocalFile) -> Json:
    """Parts of the URI are URL-encoded; the title keeps its colons."""
    parts = (quote_plus(file.artist), quote_plus(file.album), quote_plus(file.title, safe=":"), str(file.seconds))
    return {
        "album": {
            "album_type": None,
            "artists": [],
            "external_urls": {},
            "href": None,
            "id": None,
            "images": [],
            "name": file.album,
            "release_date": None,
            "release_date_precision": None,
            "type": "album",
            "uri": None,
        },
        "artists": [
            {
                "external_urls": {},
                "href": None,
                "id": None,
                "name": file.artist,
                "type": "artist",
                "uri": None,
            }
        ],
        "disc_number": 0,
        "duration_ms": file.seconds * 1000,
        "explicit": False,
        "external_ids": {},
        "external_urls": {},
        "href": None,
        "id": None,
        "is_local": True,
        "name": file.title,
        "preview_url": None,
        "track_number": 0,
        "type": "track",
        "uri": "spotify:local:" + ":".join(parts),
    }


def episode(episode: Episode, base: str) -> Json:
    show = {
        **link("show", episode.show_id, base),
        "copyrights": [],
        "description": f"All about {episode.show_name}.",
        "explicit": False,
        "html_description": f"<p>All about {episode.show_name}.</p>",
        "images": images(episode.show_id),
        "is_externally_hosted": False,
        "languages": ["en"],
        "media_type": "audio",
        "name": episode.show_name,
        "total_episodes": 12,
    }
    return {
        **link("episode", episode.id, base),
        "audio_preview_url": None,
        "description": episode.name,
        "duration_ms": episode.duration_ms,
        "explicit": False,
        "html_description": f"<p>{episode.name}</p>",
        "images": images(episode.id),
        "is_externally_hosted": False,
        "is_playable": True,
        "languages": ["en"],
        "name": episode.name,
        "release_date": episode.release_date,
        "release_date_precision": "day",
        "show": show,
    }


def album(album: Album, base: str, tracks: Json) -> Json:
    """`tracks` is the first page of its tracks."""
    return {
        **simplified_album(album, base),
        "copyrights": [],
        "external_ids": {"upc": f"{int.from_bytes(album.id[:5].encode()) % 10**12:012d}"},
        "genres": [],
        "tracks": tracks,
    }


def public_user(user: SpotifyUser, base: str) -> Json:
    return link("user", user.id, base)


def private_user(user: SpotifyUser, base: str) -> Json:
    return {
        **link("user", user.id, base),
        "account_id": user.account_id,
        "display_name": user.display_name,
        "images": images(user.account_id),
    }


def simplified_playlist(playlist: Playlist, base: str) -> Json:
    """As in a listing: of its items only how many there are."""
    return {
        **link("playlist", playlist.id, base),
        "collaborative": playlist.collaborative,
        "description": playlist.description,
        "images": images(playlist.id),
        "items": {"href": f"{base}/playlists/{playlist.id}/items", "total": len(playlist.entries)},
        "name": playlist.name,
        "owner": {**public_user(playlist.owner, base), "display_name": playlist.owner.display_name},
        "public": playlist.public,
        "snapshot_id": playlist.snapshot_id,
    }


def playlist_entry(entry: PlaylistEntry, base: str, *, episodes: bool, market: str | None = None) -> Json:
    """`episodes`: whether the client said that it understands them; otherwise their place is null."""
    return {
        "added_at": timestamp(entry.added_at),
        "added_by": None if entry.added_by is None else public_user(entry.added_by, base),
        "is_local": isinstance(entry.item, LocalFile),
        "item": _item(entry.item, base, episodes, market),
    }


def _item(item: Item | None, base: str, episodes: bool, market: str | None) -> Json | None:
    match item:
        case Track():
            return track(item, base, market)
        case LocalFile():
            return local_file(item)
        case Episode() if episodes:
            return episode(item, base)
        case _:
            return None


def saved_track(saved: SavedTrack, base: str, market: str | None = None) -> Json:
    """Still `track`, not `item`, in Development Mode too."""
    return {
        "added_at": timestamp(saved.added_at),
        "track": None if saved.track is None else track(saved.track, base, market),
    }


def context(playlist: Playlist | None, base: str) -> Json | None:
    """What a play was part of."""
    if playlist is None:
        return None
    whole = link("playlist", playlist.id, base)
    return {name: whole[name] for name in ("external_urls", "href", "type", "uri")}
