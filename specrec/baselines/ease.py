"""EASE: item-to-item weights in closed form (Steck, "Embarrassingly shallow autoencoders", WWW 2019).

W = −P / diag(P) with a diagonal of 0, where P = (XᵀX + λ)⁻¹. With fewer members than tracks the same scores come from
the members' Gram matrix: P = (1 − Xᵀ(XXᵀ + λ)⁻¹X) / λ, so that no matrix of tracks × tracks is made.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample, liked
from specrec.errors import TrainingError

MOST = 20_000  # members or tracks, whichever are fewer: a dense matrix of 3.2 GB


@dataclass(frozen=True, slots=True)
class EASE:
    """`ridge` is λ."""

    ridge: float = 60.0
    name: str = "ease"

    def fit(self, sample: Sample) -> "_ByTracks | _ByMembers":
        """Raises TrainingError where its matrix would not fit."""
        matrix = liked(sample.histories).astype(np.float64)
        if min(matrix.shape) > MOST:
            raise TrainingError(
                f"EASE needs a dense matrix of {min(matrix.shape):,} rows and columns, more than the {MOST:,} it is "
                "given: leave it out on data of this size"
            )
        if matrix.shape[0] < matrix.shape[1]:
            gram = (matrix @ matrix.T).toarray() + self.ridge * np.eye(matrix.shape[0])
            solved = cho_solve(cho_factor(gram, overwrite_a=True), matrix.toarray(), overwrite_b=True)  # (members, T)
            explained = np.asarray(matrix.multiply(solved).sum(axis=0)).ravel()  # (T,) 1 − λ diag(P)
            return _ByMembers(matrix, solved, np.maximum(1 - explained, 1e-12))
        gram = (matrix.T @ matrix).toarray(order="F")
        gram[np.diag_indices(len(gram))] += self.ridge
        factor, _ = dpotrf(gram, lower=True, overwrite_a=True)
        inverse, _ = dpotri(factor, lower=True, overwrite_c=True)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        weights = (-inverse / np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(weights, 0.0)
        return _ByTracks(weights)


@dataclass(frozen=True, slots=True)
class _ByTracks:
    weights: NDArray[np.float32]  # (T, T)

    def score(self, histories: csr_array) -> Predictions:
        return Predictions(np.asarray(liked(histories) @ self.weights, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _ByMembers:
    matrix: csr_array  # (members, T)
    solved: NDArray[np.float64]  # (members, T) (XXᵀ + λ)⁻¹X
    left: NDArray[np.float64]  # (T,) λ diag(P)

    def score(self, histories: csr_array) -> Predictions:
        """h·W = h − hP / diag(P), as −hP / diag(P) alone would count each track's own place, which is −1, too."""
        own = liked(histories).astype(np.float64)
        common = (own @ self.matrix.T) @ self.solved
        dense = own.toarray()
        return Predictions((dense - (dense - common) / self.left).astype(np.float32))
