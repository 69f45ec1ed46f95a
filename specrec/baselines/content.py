"""Content only: how near a track's sound is to the member's taste profile."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample
from specrec.features import Floats, Mask

Likeness = Literal["cosine", "distance"]


@dataclass(frozen=True, slots=True)
class Content:
    """`likeness` of profile and track: the cosine of their standardised features, or the compatibility score."""

    likeness: Likeness = "cosine"
    name: str = "content"

    def fit(self, sample: Sample) -> "ContentScorer":
        return ContentScorer(*sample.standardised, self.likeness)


@dataclass(frozen=True, slots=True)
class ContentScorer:
    values: Floats  # (T, 9)
    known: Mask  # (T, 9)
    likeness: Likeness

    def score(self, histories: csr_array) -> Predictions:
        """Below all others where no feature is known to both sides."""
        profiles, known = profiles_of(histories, self.values, self.known)
        masks = known.astype(np.float32)
        both = masks @ self.known.T.astype(np.float32)  # (members, T) features known to both
        if self.likeness == "cosine":
            lengths = np.linalg.norm(profiles, axis=1)[:, None] * np.linalg.norm(self.values, axis=1)
            scores = (profiles @ self.values.T) / np.maximum(lengths, 1e-9)
        else:
            squares = (
                masks @ np.square(self.values).T
                - 2 * profiles @ self.values.T
                + np.square(profiles) @ self.known.T.astype(np.float32)
            )
            scores = -np.sqrt(np.maximum(squares, 0) / np.maximum(both, 1))
        return Predictions(np.where(both > 0, scores, -1e9).astype(np.float32))


def profiles_of(histories: csr_array, values: Floats, known: Mask) -> tuple[Floats, Mask]:
    """(members, 9) both: what `TasteProfile.of` says of every row at once."""
    weights = csr_array(
        (np.maximum(histories.data, 0).astype(np.float64), histories.indices, histories.indptr), shape=histories.shape
    )
    totals = weights @ known.astype(np.float64)
    sums = weights @ values.astype(np.float64)  # an unknown value is 0
    means = np.where(totals > 1e-9, sums, 0.0) / np.where(totals > 1e-9, totals, 1.0)
    return means.astype(np.float32), totals > 1e-9
