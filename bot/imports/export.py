"""The files of Spotify's own exports, row by row: what a play or a kept track is, and why a row is neither.

Where somebody was, on which device and under which name stands in these rows too: none of it leaves this file.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from bot.imports.base import Item, Kept, Listen, Skip, Song
from bot.imports.json_stream import elements, entries
from bot.spotify.records import identifier, moment, text, whole
from specrec.interactions import Kind

Json = Any
Reader = Callable[[Iterable[bytes]], Iterator[Item]]

_SPOTIFY_OPENED, _FAR_FUTURE = datetime(2006, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_TRACK = re.compile(r"(?:spotify:track:|https?://open\.spotify\.com/track/)([0-9A-Za-z]{22})(?:\?.*)?")
_OTHER = ("episode_name", "spotify_episode_uri", "audiobook_title", "audiobook_uri", "audiobook_chapter_uri")


def read_extended(chunks: Iterable[bytes]) -> Iterator[Item]:
    """Streaming_History_Audio_….json and the older endsong_N.json. Raises `FileRefusedError`, as all readers do."""
    return map(_extended, elements(chunks))


def read_account_plays(chunks: Iterable[bytes]) -> Iterator[Item]:
    """StreamingHistory_music_N.json and the older StreamingHistoryN.json: no ids, and times to the minute."""
    return map(_account_play, elements(chunks))


def read_library(chunks: Iterable[bytes]) -> Iterator[Item]:
    """The saved tracks of YourLibrary.json."""
    for _, row in entries(chunks, "tracks.item"):
        song = _song(row, "uri", "track", "artist", "album")
        yield Skip.NAMELESS if song is None else Kept(song, Kind.SAVED, "saved")


def read_playlists(chunks: Iterable[bytes]) -> Iterator[Item]:
    """PlaylistN.json. A playlist has no id there; its name becomes one and is not kept itself."""
    number, listing = 0, ""
    for prefix, value in entries(
        chunks, "playlists.item.name", "playlists.item.items.item", "playlists.item.description"
    ):
        if prefix == "playlists.item.name":
            number += 1
            listing = "playlist:" + hashlib.sha256(str(value).encode("utf-8", "replace")).hexdigest()[:32]
        elif prefix == "playlists.item.items.item":
            yield _playlist_entry(value, listing or "playlist:")


class Form(Enum):
    """The files that are read, by what they are called: any case, any folder, also as "endsong_0 (1).json"."""

    EXTENDED = (r"(?:streaming_history_audio|endsong)(?:[\W_].*)?\.json", read_extended)
    ACCOUNT_PLAYS = (r"streaminghistory(?:_?music_?)?_?\d*(?:\W.*)?\.json", read_account_plays)
    LIBRARY = (r"yourlibrary_?\d*(?:\W.*)?\.json", read_library)
    PLAYLISTS = (r"playlist_?\d*(?:\W.*)?\.json", read_playlists)

    def __init__(self, pattern: str, reader: Reader) -> None:
        self.pattern = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        self.read = reader

    @classmethod
    def of(cls, name: str) -> "Form | None":
        """By the last part of a path; None for files that are never opened."""
        return next((form for form in cls if form.pattern.fullmatch(name)), None)


def _extended(row: Json) -> Item:
    if not isinstance(row, dict):
        return Skip.UNREADABLE
    song = _song(
        row,
        "spotify_track_uri",
        "master_metadata_track_name",
        "master_metadata_album_artist_name",
        "master_metadata_album_album_name",
    )
    if song is None:
        return Skip.NOT_MUSIC if any(row.get(key) for key in _OTHER) else Skip.NAMELESS
    at, ms_played = _time(row.get("ts")), _milliseconds(row.get("ms_played"))
    if at is None or ms_played is None:
        return Skip.UNREADABLE
    skipped = row.get("skipped")
    return Listen(
        song,
        at,
        ms_played,
        False,
        row.get("reason_end") == "trackdone",
        skipped if isinstance(skipped, bool) else None,
        row.get("incognito_mode") is True,
    )


def _account_play(row: Json) -> Item:
    if not isinstance(row, dict):
        return Skip.UNREADABLE
    song = _song(row, "", "trackName", "artistName", "")
    if song is None:
        return Skip.NAMELESS
    at, ms_played = _time(row.get("endTime")), _milliseconds(row.get("msPlayed"))
    if at is None or ms_played is None:
        return Skip.UNREADABLE
    return Listen(song, at.replace(second=0), ms_played, to_the_minute=True, ended=False)


def _playlist_entry(row: Json, listing: str) -> Item:
    if not isinstance(row, dict):
        return Skip.UNREADABLE
    song = _song(row.get("track"), "trackUri", "trackName", "artistName", "albumName")
    if song is None:
        return Skip.NOT_MUSIC if row.get("episode") or row.get("audiobook") else Skip.NAMELESS
    return Kept(song, Kind.PLAYLIST, listing, _time(row.get("addedDate")))


def _song(row: Json, uri: str, title: str, artist: str, album: str) -> Song | None:
    """None where it cannot be told which track it is. An id alone is not enough: it would have no title to show."""
    if not isinstance(row, dict):
        return None
    address = row.get(uri)
    found = _TRACK.fullmatch(address) if isinstance(address, str) else None
    identity = identifier(found[1]) if found else None
    name, by = text(row.get(title)), text(row.get(artist))
    if name is None or (identity is None and by is None):
        return None
    return Song(name, by or "", identity, None, text(row.get(album)))


def _time(value: Json) -> datetime | None:
    """Seconds are enough. Years in which nobody can have listened are mistakes."""
    parsed = moment(value)
    if parsed is None or not _SPOTIFY_OPENED <= parsed < _FAR_FUTURE:
        return None
    return parsed.replace(microsecond=0) if parsed.microsecond else parsed


def _milliseconds(value: Json) -> int | None:
    return whole(int(value) if isinstance(value, float) and value.is_integer() else value)
