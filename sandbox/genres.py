"""Invented records of eight genres: artists in scenes, albums, tracks, and how the tracks of each genre sound."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.names import album_title, artist_name, song_title
from sandbox.spotify.catalogue import Artist, Catalogue, Track
from specrec.features import FEATURES

SCENES = 4
"""Each genre has this many circles of artists whom the same people listen to; they sound alike all the same."""
_TRACKS_PER_ARTIST = 10


@dataclass(frozen=True)
class Genre:
    """`centre` and `spread`: mean and standard deviation of each feature, in the order of `FEATURES`."""

    name: str
    centre: tuple[float, ...]
    spread: tuple[float, ...]


# Columns: acousticness, danceability, energy, instrumentalness, liveness, loudness dB, speechiness, valence, tempo BPM.
GENRES: tuple[Genre, ...] = (
    Genre(
        "folk",
        (0.82, 0.48, 0.28, 0.08, 0.14, -12.5, 0.04, 0.46, 108),
        (0.10, 0.09, 0.10, 0.08, 0.07, 2.0, 0.02, 0.16, 18),
    ),
    Genre(
        "jazz",
        (0.70, 0.55, 0.36, 0.48, 0.18, -13.0, 0.05, 0.55, 116),
        (0.13, 0.09, 0.12, 0.22, 0.10, 2.4, 0.02, 0.17, 22),
    ),
    Genre(
        "techno",
        (0.04, 0.76, 0.86, 0.78, 0.12, -7.5, 0.06, 0.34, 129),
        (0.04, 0.06, 0.07, 0.12, 0.06, 1.5, 0.02, 0.15, 4),
    ),
    Genre(
        "hip hop",
        (0.18, 0.80, 0.62, 0.02, 0.17, -6.8, 0.27, 0.52, 92),
        (0.12, 0.07, 0.10, 0.03, 0.09, 1.6, 0.08, 0.17, 12),
    ),
    Genre(
        "metal",
        (0.02, 0.38, 0.95, 0.18, 0.24, -4.8, 0.11, 0.28, 142),
        (0.02, 0.09, 0.04, 0.18, 0.13, 1.2, 0.04, 0.12, 22),
    ),
    Genre(
        "ambient",
        (0.88, 0.24, 0.14, 0.90, 0.11, -21.0, 0.04, 0.14, 84),
        (0.08, 0.08, 0.07, 0.06, 0.04, 3.2, 0.01, 0.08, 16),
    ),
    Genre(
        "reggae",
        (0.24, 0.78, 0.54, 0.05, 0.15, -8.2, 0.10, 0.82, 76),
        (0.12, 0.07, 0.10, 0.07, 0.08, 1.8, 0.05, 0.09, 8),
    ),
    Genre(
        "synth pop",
        (0.10, 0.68, 0.76, 0.06, 0.14, -6.0, 0.05, 0.70, 118),
        (0.08, 0.08, 0.09, 0.09, 0.07, 1.4, 0.02, 0.13, 8),
    ),
)

_LOW = np.array([0, 0, 0, 0, 0, -60, 0, 0, 50])
_HIGH = np.array([1, 1, 1, 1, 1, 0, 1, 1, 210])


@dataclass(frozen=True, eq=False)
class Song:
    """A track with what Spotify does not tell about it."""

    track: Track
    genre: str
    scene: int
    popularity: float
    """Positive; how much likelier than others it is to be met by somebody who likes the genre."""
    features: dict[str, float]


def make_songs(rng: np.random.Generator, catalogue: Catalogue, tracks: int) -> list[Song]:
    """About as many songs in each genre, `tracks` in all, with their artists and albums added to the catalogue."""
    names: set[str] = set()
    titles: set[str] = set()
    songs: list[Song] = []
    for number, genre in enumerate(GENRES):
        count = (tracks + number) // len(GENRES)
        # Long-tailed: a few that everybody in the genre knows, many that few have met.
        popularity = 1.0 / (4.0 + rng.permutation(count)) ** 0.7
        made = 0
        while made < count:
            artist = catalogue.add_artist(_new(names, lambda: artist_name(rng)))
            scene = int(rng.integers(SCENES))
            lean = rng.normal(0.0, 0.6, len(FEATURES))
            for track in _discography(rng, catalogue, artist, min(_TRACKS_PER_ARTIST, count - made), titles):
                features = _features(rng, genre, lean)
                songs.append(Song(track, genre.name, scene, float(popularity[made]), features))
                made += 1
    return songs


def _new(taken: set[str], invent: Callable[[], str]) -> str:
    """A name that nobody has yet; when the words run out, the later one gets a number."""
    name = invent()
    for _ in range(20):
        if name not in taken:
            break
        name = invent()
    first, number = name, 2
    while name in taken:
        name, number = f"{first} {number}", number + 1
    taken.add(name)
    return name


def _discography(
    rng: np.random.Generator, catalogue: Catalogue, artist: Artist, count: int, titles: set[str]
) -> list[Track]:
    """An album of up to seven tracks and singles for the rest."""
    tracks: list[Track] = []
    year = int(rng.integers(1994, 2026))
    album = catalogue.add_album(album_title(rng), [artist], release_date=f"{year}-{rng.integers(1, 13):02d}-15")
    for number in range(count):
        title = _new(titles, lambda: song_title(rng))
        if number >= 7:
            released = f"{min(year + number - 6, 2026)}-{rng.integers(1, 10):02d}-01"
            album = catalogue.add_album(title, [artist], release_date=released, album_type="single")
        duration = int(np.clip(rng.normal(215_000, 45_000), 75_000, 600_000))
        tracks.append(catalogue.add_track(title, album, duration_ms=duration, explicit=bool(rng.random() < 0.05)))
    return tracks


def _features(rng: np.random.Generator, genre: Genre, lean: NDArray[np.float64]) -> dict[str, float]:
    """Around the genre's centre, towards where the artist leans, within each feature's range."""
    deviation = 0.6 * lean + rng.normal(0.0, 0.7, len(FEATURES))
    values = np.clip(np.array(genre.centre) + deviation * np.array(genre.spread), _LOW, _HIGH)
    return {name: round(float(value), 4) for name, value in zip(FEATURES, values, strict=True)}
