"""Popularity: the same list for everybody."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample, liked
from specrec.features import Floats
from specrec.interactions import Histories


def popularity(histories: Histories, tracks: int) -> NDArray[np.float64]:
    """(tracks,) how many members have each track and do not dislike it."""
    return np.bincount(histories.tracks[histories.weights > 0], minlength=tracks).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Popularity:
    name: str = "popularity"

    def fit(self, sample: Sample) -> "PopularityScorer":
        counts = np.bincount(liked(sample.histories).indices, minlength=len(sample.catalogue))
        return PopularityScorer(counts.astype(np.float32))


@dataclass(frozen=True, slots=True)
class PopularityScorer:
    counts: Floats
    """(T,) members who like each track."""

    def score(self, histories: csr_array) -> Predictions:
        return Predictions(np.broadcast_to(self.counts, histories.shape))
