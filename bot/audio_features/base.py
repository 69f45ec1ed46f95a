"""Where the nine numbers come from: what a source is asked, and what it answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from bot.errors import AudioFeaturesError

Bounds = tuple[float, float]
_SHARE: Bounds = (0.0, 1.0)
# What a number must lie within to be believed. A tempo of 0 means that none was found.
_BOUNDS: dict[str, Bounds] = {"loudness": (-100.0, 20.0), "tempo": (1.0, 1000.0)}


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """0–1 except loudness (dB, usually negative) and tempo (BPM). None is not known, which is never 0."""

    acousticness: float | None = None
    danceability: float | None = None
    energy: float | None = None
    instrumentalness: float | None = None
    liveness: float | None = None
    loudness: float | None = None
    speechiness: float | None = None
    valence: float | None = None
    tempo: float | None = None

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, name) is None for name in NAMES)


NAMES: tuple[str, ...] = tuple(field.name for field in fields(AudioFeatures))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A track whose features nobody has told yet. `missed_by`: sources that did not know it a short while ago."""

    track_id: int
    spotify_id: str
    missed_by: frozenset[str] = frozenset()


class FeatureSource(Protocol):
    @property
    def name(self) -> str:
        """As it stands in the `source` column."""
        ...

    @property
    def batch(self) -> int:
        """The most tracks of one question."""
        ...

    @property
    def is_open(self) -> bool:
        """False: this host is not let in, so that there is nothing to wait for."""
        ...

    async def look_up(self, wanted: Sequence[Wanted]) -> Mapping[int, AudioFeatures]:
        """Features by `track_id`; tracks that the source does not know are left out. Raises `SourceClosedError` when
        the host turns out not to be let in, and `AudioFeaturesError` when there is no answer; neither says anything
        about any track."""
        ...


class SourceClosedError(AudioFeaturesError):
    """From now on the source is not open, and was not asked."""


def read_features(values: Mapping[str, Any]) -> AudioFeatures:
    """The nine numbers out of a source's JSON object; what is missing or impossible becomes None."""
    return AudioFeatures(**{name: _number(values.get(name), _BOUNDS.get(name, _SHARE)) for name in NAMES})


def _number(value: Any, bounds: Bounds) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = bounds
    return float(value) if math.isfinite(value) and low <= value <= high else None
