"""The nine audio features: order, unit, range, and robust standardising with a mask for what is unknown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AudioFeature:
    """One feature; `low` and `high` bound what a table may hold, `label` is what a reason calls it."""

    name: str
    unit: str
    low: float
    high: float
    label: str


# In the order of the original CSV. Loudness is negative by nature, but mastering reaches a little above 0 dB; a tempo
# of 0 stands in public data for "no beat found".
AUDIO_FEATURES: tuple[AudioFeature, ...] = (
    AudioFeature("acousticness", "0-1", 0.0, 1.0, "acoustic sound"),
    AudioFeature("danceability", "0-1", 0.0, 1.0, "danceability"),
    AudioFeature("energy", "0-1", 0.0, 1.0, "energy"),
    AudioFeature("instrumentalness", "0-1", 0.0, 1.0, "share of vocals"),
    AudioFeature("liveness", "0-1", 0.0, 1.0, "live feel"),
    AudioFeature("loudness", "dB", -100.0, 20.0, "loudness"),
    AudioFeature("speechiness", "0-1", 0.0, 1.0, "share of speech"),
    AudioFeature("valence", "0-1", 0.0, 1.0, "mood"),
    AudioFeature("tempo", "BPM", 0.0, 400.0, "tempo"),
)
FEATURES: tuple[str, ...] = tuple(feature.name for feature in AUDIO_FEATURES)
CLIP = 4.0  # standard deviations: beyond this a value says "extreme" and nothing more


def unknown_features() -> Floats:
    """(9,) NaN: a track of which no feature is known."""
    return np.full(len(FEATURES), np.nan, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Scaling:
    """Median and spread of each feature, both (9,); what standardises every track that a version ever sees."""

    centre: Floats
    spread: Floats

    @classmethod
    def fit(cls, features: Floats) -> "Scaling":
        """Measure `features` (tracks, 9), NaN where unknown.

        The spread is that of a normal curve with the same interquartile range or, where larger, the same middle nine
        tenths: instrumentalness is nearly 0 for three tracks in four, and its quartiles alone would blow up the rest.
        A feature that nobody knows, or that never varies, gets centre 0 or its value, and spread 1.
        """
        centre, spread = np.zeros(len(FEATURES)), np.ones(len(FEATURES))
        for column in range(len(FEATURES)):
            known = features[:, column][np.isfinite(features[:, column])].astype(np.float64)
            if not known.size:
                continue
            q05, q25, q50, q75, q95 = np.quantile(known, (0.05, 0.25, 0.5, 0.75, 0.95))
            width = max((q75 - q25) / 1.349, (q95 - q05) / 3.290)
            if width < 1e-6:
                width = float(known.std())
            centre[column] = q50
            spread[column] = width if width >= 1e-6 else 1.0
        return cls(centre.astype(np.float32), spread.astype(np.float32))

    def apply(self, features: Floats) -> tuple[Floats, Mask]:
        """Standardise `features` (…, 9): values, 0 where unknown, and the mask that says which are known."""
        known = np.isfinite(features)
        values = (np.where(known, features, self.centre) - self.centre) / self.spread
        return np.clip(values, -CLIP, CLIP).astype(np.float32), known


def in_range(features: Sequence[float]) -> bool:
    """Whether nine numbers, NaN where unknown, lie within their ranges."""
    return all(
        np.isnan(value) or feature.low <= value <= feature.high
        for feature, value in zip(AUDIO_FEATURES, features, strict=True)
    )
