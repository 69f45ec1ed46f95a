"""Spotify's exports as members get them, whole and damaged."""

import io
import json
import struct
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

FOLDER = "Spotify Extended Streaming History"
AUDIO = "Streaming_History_Audio_2019-2021_3.json"
BEGAN = datetime(2019, 3, 1, 18, 0, 5, tzinfo=UTC)
# What must never be stored: where somebody was, on what and under which name.
PERSONAL = ("203.0.113.77", "SecretBrowser/7.0", "secretname", "SecretPhone 12", "ZZ")


def identity(number: int) -> str:
    return f"track{number:017d}"


def play(number: int = 1, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """A row of the Extended Streaming History; the keys of 2026."""
    when = at or BEGAN + timedelta(hours=number)
    return {
        "ts": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "username": "secretname",
        "platform": "SecretPhone 12",
        "ms_played": 187_000 + number,
        "conn_country": "ZZ",
        "ip_addr": "203.0.113.77",
        "user_agent_decrypted": "SecretBrowser/7.0",
        "master_metadata_track_name": f"Title {number}",
        "master_metadata_album_artist_name": f"Artist {number}",
        "master_metadata_album_album_name": f"Album {number}",
        "spotify_track_uri": f"spotify:track:{identity(number)}",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "audiobook_title": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": None,
        "offline": None,
        "offline_timestamp": 1_514_143_428_800,
        "incognito_mode": False,
        "a_key_of_next_year": {"nested": [1, 2, {"deep": None}]},
    } | changes


def episode() -> dict[str, Any]:
    return play() | {
        "spotify_track_uri": None,
        "master_metadata_track_name": None,
        "master_metadata_album_artist_name": None,
        "episode_name": "An episode",
        "spotify_episode_uri": "spotify:episode:x",
    }


def account_play(number: int = 1, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    when = at or BEGAN + timedelta(hours=number)
    return {
        "endTime": when.strftime("%Y-%m-%d %H:%M"),
        "artistName": f"Artist {number}",
        "trackName": f"Title {number}",
        "msPlayed": 187_000 + number,
    } | changes


def library(*numbers: int) -> dict[str, Any]:
    tracks = [
        {"artist": f"Artist {one}", "album": "A", "track": f"Title {one}", "uri": f"spotify:track:{identity(one)}"}
        for one in numbers
    ]
    others: dict[str, Any] = {"albums": [{"artist": "x"}], "shows": [], "bannedTracks": [], "other": ["x"]}
    return {"tracks": tracks, **others}


def playlists(**lists: list[int]) -> dict[str, Any]:
    return {
        "playlists": [
            {
                "name": name,
                "lastModifiedDate": "2024-03-01",
                "items": [
                    *(
                        {
                            "track": {
                                "trackName": f"Title {one}",
                                "artistName": f"Artist {one}",
                                "albumName": "A",
                                "trackUri": f"spotify:track:{identity(one)}",
                            },
                            "episode": None,
                            "localTrack": None,
                            "addedDate": "2023-05-06",
                        }
                        for one in numbers
                    ),
                    {"track": None, "episode": {"name": "An episode"}, "localTrack": None},
                    {"track": None, "episode": None, "localTrack": {"uri": "spotify:local:a:b:c:1"}},
                ],
                "description": None,
                "numberOfFollowers": 0,
            }
            for name, numbers in lists.items()
        ]
    }


def as_json(document: Any, *, bom: bool = False) -> bytes:
    return (b"\xef\xbb\xbf" if bom else b"") + json.dumps(document, indent=2).encode()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def extended(*rows: Any, name: str = f"{FOLDER}/{AUDIO}") -> bytes:
    return zipped({name: as_json(list(rows)), f"{FOLDER}/ReadMeFirst_ExtendedStreamingHistory.pdf": b"%PDF"})


def encrypted(archive: bytes) -> bytes:
    """Every entry is marked as encrypted, in the list and before the data."""
    marked = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = marked.find(signature)
        while at >= 0:
            marked[at + offset] |= 1
            at = marked.find(signature, at + 4)
    return bytes(marked)


def with_flipped_data(archive: bytes, name: str) -> bytes:
    """One bit of a stored entry's content is wrong, so that its checksum does not fit; the JSON stays well formed."""
    at = archive.index(b"Title", archive.index(name.encode()))
    return archive[:at] + b"Tutle" + archive[at + 5 :]


def with_long_directory(archive: bytes, entries: int, size: int) -> bytes:
    """The archive claims a list of so many files and bytes."""
    at = archive.rindex(b"PK\x05\x06")
    return archive[: at + 8] + struct.pack("<HHI", entries, entries, size) + archive[at + 16 :]
