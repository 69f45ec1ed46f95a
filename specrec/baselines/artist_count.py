"""Artist count: how many tracks of the history are by the track's artists."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample, liked


@dataclass(frozen=True, slots=True)
class ArtistCount:
    name: str = "artist_count"

    def fit(self, sample: Sample) -> "ArtistCountScorer":
        catalogue = sample.catalogue
        ones = np.ones(len(catalogue.artist_rows), dtype=np.float32)
        shape = (len(catalogue), len(catalogue.artists))
        return ArtistCountScorer(csr_array((ones, catalogue.artist_rows, catalogue.artist_starts), shape=shape))


@dataclass(frozen=True, slots=True)
class ArtistCountScorer:
    artists: csr_array
    """(T, A) 1 where the artist made the track."""

    def score(self, histories: csr_array) -> Predictions:
        by_artist = liked(histories) @ self.artists  # (members, A)
        return Predictions((by_artist @ self.artists.T).toarray().astype(np.float32))
