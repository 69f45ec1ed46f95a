"""Item-kNN: tracks that the same members like (Sarwar et al., WWW 2001), with the cosine as likeness."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample, liked


@dataclass(frozen=True, slots=True)
class ItemKNN:
    """`neighbours` kept for each track; `shrink` is added to the cosine's denominator and damps chance meetings."""

    neighbours: int = 500
    shrink: float = 0.0
    name: str = "item_knn"

    def fit(self, sample: Sample) -> "ItemKNNScorer":
        matrix = liked(sample.histories)
        together = csr_array(matrix.T @ matrix)  # (T, T) members who like both
        counts = np.maximum(together.diagonal(), 1.0)
        tracks = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        likeness = together.data / (np.sqrt(counts[tracks] * counts[together.indices]) + self.shrink)
        likeness[tracks == together.indices] = 0.0
        nearest = csr_array((likeness.astype(np.float32), together.indices, together.indptr), shape=together.shape)
        nearest.eliminate_zeros()
        return ItemKNNScorer(strongest(nearest, self.neighbours))


@dataclass(frozen=True, slots=True)
class ItemKNNScorer:
    nearest: csr_array
    """(T, T) each row's nearest tracks."""

    def score(self, histories: csr_array) -> Predictions:
        return Predictions((liked(histories) @ self.nearest).toarray().astype(np.float32))


def strongest(matrix: csr_array, count: int) -> csr_array:
    """The `count` largest entries of each row; of equal ones the lower column."""
    matrix.sort_indices()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    kept = np.sort(order[np.arange(len(rows)) - matrix.indptr[rows] < count])
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows[kept], minlength=matrix.shape[0]))))
    return csr_array((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)
