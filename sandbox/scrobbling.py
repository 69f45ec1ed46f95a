"""What somebody listens to, as plays at ListenBrainz or Last.fm tell of it: some by id, most by name alone."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from sandbox.lastfm_server import LastFmUser
from sandbox.listenbrainz_server import ListenBrainzLabsServer, ListenBrainzUser
from sandbox.spotify.catalogue import Catalogue, Track

LOVED = 12
LABS_KNOW = 0.8
"""The share of the tracks whose Spotify id the labs can tell."""
_DAYS = 400


def teach_labs(labs: ListenBrainzLabsServer, catalogue: Catalogue) -> None:
    """Most of the catalogue, the same tracks each time."""
    for track in catalogue.tracks.values():
        if np.random.default_rng(_number(track)).random() < LABS_KNOW:
            labs.add(track.id, track.name, track.artists[0].name, track.album.name, mbid=mbid(track))


def fill_listenbrainz(
    rng: np.random.Generator, user: ListenBrainzUser, library: Sequence[Track], now: datetime
) -> None:
    """Half of the tracks were played on Spotify, so their listens carry its id; the rest by ISRC, or names alone."""
    for track, moments in _plays(rng, library, now):
        album, kind = track.album.name or None, rng.random()
        if kind < 0.5:
            extra = {"spotify_id": f"https://open.spotify.com/track/{track.id}", "music_service": "spotify.com"}
        elif kind < 0.7 and track.isrc:
            extra = {"isrc": track.isrc}
        else:
            extra = {"recording_mbid": mbid(track)} if kind < 0.85 else {}
        for at in moments:
            user.listen(at, track.name, track.artists[0].name, album, **extra)
    for track in library[:LOVED]:
        user.love(_before(rng, now), track.name, track.artists[0].name, recording_mbid=mbid(track))


def fill_lastfm(rng: np.random.Generator, user: LastFmUser, library: Sequence[Track], now: datetime) -> None:
    """Names alone, and MusicBrainz' id of every other track; something is playing at this moment."""
    for track, moments in _plays(rng, library, now):
        known = mbid(track) if rng.random() < 0.5 else ""
        for at in moments:
            user.scrobble(at, track.name, track.artists[0].name, track.album.name, known)
    for track in library[:LOVED]:
        user.love(_before(rng, now), track.name, track.artists[0].name)
    user.playing = user.scrobbles[0]


def mbid(track: Track) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"recording:{track.id}"))


def _plays(rng: np.random.Generator, library: Sequence[Track], now: datetime) -> Iterator[tuple[Track, list[int]]]:
    """The dearer a track, the more often; `library` begins with the dearest."""
    for place, track in enumerate(library):
        times = 1 + int(rng.poisson(6 * (1 - place / len(library)) ** 2))
        yield track, [_before(rng, now) for _ in range(times)]


def _before(rng: np.random.Generator, now: datetime) -> int:
    return int(now.timestamp()) - int(rng.integers(3_600, _DAYS * 86_400))


def _number(track: Track) -> int:
    return uuid.UUID(mbid(track)).int % 2**32
