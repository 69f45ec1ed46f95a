"""What Spotify sends somebody who asks for their data: the ZIP of the Extended streaming history as of 2026."""

import io
import json
import zipfile
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sandbox.community import SOME_EVENING
from sandbox.spotify.catalogue import Track

FOLDER = "Spotify Extended Streaming History"
PLAYS_A_FILE = 600
_EACH = 6.0  # plays of the dearest track, more or less


def streaming_history(rng: np.random.Generator, library: list[Track], name: str, now: datetime = SOME_EVENING) -> bytes:
    """Every track of `library` was played to its end at least once, the dearest most often; between them are skipped
    tracks, a podcast, and what nobody else needs to know."""
    plays = np.maximum(1, np.round(_EACH * rng.exponential(1.0, len(library)) / (1 + np.arange(len(library)) / 40)))
    order = rng.permutation(np.repeat(np.arange(len(library)), plays.astype(int)))
    moment, rows = now - timedelta(days=3 * 365), []
    step = 3 * 365 * 86_400 / (len(order) + 1)
    for place in order:
        track = library[int(place)]
        moment += timedelta(seconds=float(rng.uniform(0.2, 1.8)) * step)
        rows.append(_row(moment, name, track, track.duration_ms, "trackdone"))
        if rng.random() < 0.15:
            other = library[int(rng.integers(len(library)))]
            moment += timedelta(seconds=5)
            rows.append(_row(moment, name, other, int(rng.integers(500, 5_000)), "fwdbtn"))
    rows.append(_row(moment, name, None, 1_800_000, "trackdone"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FOLDER}/ReadMeFirst_ExtendedStreamingHistory.pdf", b"%PDF-1.7\n")
        for number, start in enumerate(range(0, len(rows), PLAYS_A_FILE)):
            part = rows[start : start + PLAYS_A_FILE]
            years = "-".join(dict.fromkeys((part[0]["ts"][:4], part[-1]["ts"][:4])))
            archive.writestr(f"{FOLDER}/Streaming_History_Audio_{years}_{number}.json", json.dumps(part))
    return buffer.getvalue()


def _row(at: datetime, name: str, track: Track | None, ms_played: int, reason_end: str) -> dict[str, Any]:
    """`track` None: a podcast."""
    return {
        "ts": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "username": name,
        "platform": "android",
        "ms_played": ms_played,
        "conn_country": "XX",
        "ip_addr": "203.0.113.7",
        "master_metadata_track_name": track and track.name,
        "master_metadata_album_artist_name": track and track.artists[0].name,
        "master_metadata_album_album_name": track and track.album.name,
        "spotify_track_uri": track and track.uri,
        "episode_name": None if track else "A long talk",
        "episode_show_name": None if track else "Talks",
        "spotify_episode_uri": None if track else "spotify:episode:0000000000000000000000",
        "audiobook_title": None,
        "reason_start": "trackdone",
        "reason_end": reason_end,
        "shuffle": False,
        "skipped": reason_end == "fwdbtn",
        "offline": False,
        "offline_timestamp": 0,
        "incognito_mode": False,
    }
