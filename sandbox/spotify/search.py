"""Search: words and the filters `artist: track: album: year: isrc:`, over a catalogue."""

import re
from dataclasses import dataclass, field

from sandbox.spotify.catalogue import Album, Artist, Catalogue, Track

_PART = re.compile(
    r'(?:(?P<filter>artist|track|album|year|isrc|genre|upc|tag):)?(?:"(?P<quoted>[^"]*)"|(?P<word>[^\s"]+))'
)


@dataclass
class Query:
    words: list[str] = field(default_factory=list)
    filters: dict[str, str] = field(default_factory=dict)


def parse_query(text: str) -> Query:
    """Everything is compared without regard to case."""
    query = Query()
    for part in _PART.finditer(text.lower()):
        value = part["quoted"] if part["quoted"] is not None else part["word"]
        if part["filter"]:
            query.filters[part["filter"]] = value
        else:
            query.words.append(value)
    return query


def _has(names: tuple[str, ...], filters: dict[str, str], words: list[str]) -> bool:
    text = " ".join(names).lower()
    return all(word in text for word in words) and not filters.keys() & {"genre", "upc", "tag"}


def _names(artists: tuple[Artist, ...]) -> str:
    return " ".join(artist.name for artist in artists)


def _album_passes(album: Album, filters: dict[str, str]) -> bool:
    first, _, last = filters.get("year", "").partition("-")
    year = album.release_date[:4]
    return filters.get("album", "") in album.name.lower() and (not first or first <= year <= (last or first))


def find_tracks(catalogue: Catalogue, query: Query) -> list[Track]:
    """Names that contain the words, not only those that equal them: an artist's name finds others' tracks too."""
    filters = query.filters
    return [
        track
        for track in catalogue.tracks.values()
        if _has((track.name, _names(track.artists), track.album.name), filters, query.words)
        and filters.get("track", "") in track.name.lower()
        and filters.get("artist", "") in _names(track.artists).lower()
        and filters.get("isrc", track.isrc or "").upper() == (track.isrc or "")
        and _album_passes(track.album, filters)
    ]


def find_albums(catalogue: Catalogue, query: Query) -> list[Album]:
    return [
        album
        for album in catalogue.albums.values()
        if _has((album.name, _names(album.artists)), query.filters, query.words)
        and not query.filters.keys() & {"track", "isrc"}
        and query.filters.get("artist", "") in _names(album.artists).lower()
        and _album_passes(album, query.filters)
    ]


def find_artists(catalogue: Catalogue, query: Query) -> list[Artist]:
    return [
        artist
        for artist in catalogue.artists.values()
        if _has((artist.name,), query.filters, query.words)
        and not query.filters.keys() & {"track", "album", "year", "isrc"}
        and query.filters.get("artist", "") in artist.name.lower()
    ]
