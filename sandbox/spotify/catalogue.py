"""What can be listened to: artists, albums, tracks, episodes and local files."""

import hashlib
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

_BASE62 = string.digits + string.ascii_lowercase + string.ascii_uppercase

Precision = Literal["year", "month", "day"]


def spotify_id(*name: object) -> str:
    """A 22-character base-62 id like Spotify's; the same name always gives the same id."""
    number = int.from_bytes(hashlib.sha256("\0".join(map(str, name)).encode()).digest())
    digits = []
    for _ in range(22):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(digits)


@dataclass(eq=False)
class Artist:
    id: str
    name: str


@dataclass(eq=False)
class Album:
    """A taken-down one has the name "" and no images."""

    id: str
    name: str
    artists: tuple[Artist, ...]
    release_date: str = "2020-05-01"
    release_date_precision: Precision = "day"
    album_type: Literal["album", "single", "compilation"] = "album"
    tracks: list["Track"] = field(default_factory=list, repr=False)

    @property
    def taken_down(self) -> bool:
        return not self.name


@dataclass(eq=False)
class Track:
    """`relinked_to` is what Spotify answers in its place: another id, the same ISRC, nothing that tells."""

    id: str
    name: str
    artists: tuple[Artist, ...]
    album: Album = field(repr=False)
    duration_ms: int = 200_000
    isrc: str | None = None
    explicit: bool = False
    is_playable: bool | None = None
    """None: said only where a market was asked for."""
    restriction: Literal["market", "product", "explicit"] | None = None
    relinked_to: "Track | None" = None

    @property
    def uri(self) -> str:
        return f"spotify:track:{self.id}"

    @property
    def served(self) -> "Track":
        """The track that an answer holds where this one was stored."""
        return self.relinked_to or self


@dataclass(eq=False)
class Episode:
    id: str
    name: str
    show_id: str
    show_name: str
    duration_ms: int = 1_800_000
    release_date: str = "2026-03-02"

    @property
    def uri(self) -> str:
        return f"spotify:episode:{self.id}"


@dataclass(eq=False)
class LocalFile:
    """A file on the member's own disk that they put into a playlist; every part may be empty."""

    artist: str
    album: str
    title: str
    seconds: int = 0


Item = Track | Episode | LocalFile


class Catalogue:
    """Everything there is, by id; new things are added with `add_*`, which make the ids."""

    def __init__(self) -> None:
        self.artists: dict[str, Artist] = {}
        self.albums: dict[str, Album] = {}
        self.tracks: dict[str, Track] = {}

    def add_artist(self, name: str, *, id: str | None = None) -> Artist:
        artist = Artist(id or spotify_id("artist", len(self.artists), name), name)
        self.artists[artist.id] = artist
        return artist

    def add_album(
        self,
        name: str,
        artists: Iterable[Artist],
        *,
        id: str | None = None,
        release_date: str = "2020-05-01",
        album_type: Literal["album", "single", "compilation"] = "album",
    ) -> Album:
        """The precision of the release date is read off it: "2020", "2020-05" or "2020-05-01"."""
        precisions: tuple[Precision, ...] = ("year", "month", "day")
        album = Album(
            id or spotify_id("album", len(self.albums), name),
            name,
            tuple(artists),
            release_date,
            precisions[release_date.count("-")],
            album_type,
        )
        self.albums[album.id] = album
        return album

    def add_track(
        self,
        name: str,
        album: Album,
        artists: Iterable[Artist] | None = None,
        *,
        id: str | None = None,
        isrc: str | None = None,
        duration_ms: int = 200_000,
        explicit: bool = False,
    ) -> Track:
        """A track at the end of the album, by the album's artists unless others are named; without `isrc` a new one."""
        number = len(self.tracks)
        track = Track(
            id or spotify_id("track", number, name),
            name,
            album.artists if artists is None else tuple(artists),
            album,
            duration_ms,
            isrc or f"QZSBX26{number:05d}",
            explicit,
        )
        album.tracks.append(track)
        self.tracks[track.id] = track
        return track

    def relink(self, track: Track) -> Track:
        """From now on Spotify serves a new edition in place of `track`; returns that edition."""
        edition = self.add_track(track.name, track.album, track.artists, isrc=track.isrc, duration_ms=track.duration_ms)
        track.relinked_to = edition
        return edition

    def add(self, other: "Catalogue") -> None:
        """Take over everything from another catalogue."""
        self.artists |= other.artists
        self.albums |= other.albums
        self.tracks |= other.tracks
