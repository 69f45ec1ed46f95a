"""Alternating least squares on implicit feedback (Hu, Koren, Volinsky, ICDM 2008), as the package `implicit` has it.

An optional extra: without it a study says so in a sentence and goes on with the other peers.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from specrec.baselines.base import Predictions, Sample, liked
from specrec.errors import TrainingError


@dataclass(frozen=True, slots=True)
class ALS:
    """`alpha` is the confidence of a liked track beside 1 of any other; a member is always folded in exactly."""

    factors: int = 256
    alpha: float = 40.0
    regularisation: float = 100.0
    iterations: int = 15
    seed: int = 0
    name: str = "als"

    def fit(self, sample: Sample) -> "ALSScorer":
        """Raises TrainingError where `implicit` is not installed."""
        if find_spec("implicit") is None:
            raise TrainingError(
                "ALS needs the package implicit: install the extra named benchmarks, as in specrec[benchmarks]"
            )
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        matrix = liked(sample.histories)
        # implicit's own threads and BLAS's get in each other's way.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=min(self.factors, max(1, min(matrix.shape) - 1)),
                regularization=self.regularisation,
                iterations=self.iterations,
                random_state=self.seed,
            )
            model.fit(_confidences(matrix, self.alpha), show_progress=False)
        return ALSScorer(model, self.alpha)


@dataclass(frozen=True, slots=True)
class ALSScorer:
    model: Any
    alpha: float

    def score(self, histories: csr_array) -> Predictions:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            members = self.model.recalculate_user(
                np.arange(histories.shape[0]), _confidences(liked(histories), self.alpha)
            )
        scores: NDArray[np.float32] = members @ self.model.item_factors.T
        return Predictions(scores)


def _confidences(matrix: csr_array, alpha: float) -> csr_matrix:
    """implicit knows scipy's older class only."""
    return csr_matrix((np.full(matrix.nnz, alpha, dtype=np.float32), matrix.indices, matrix.indptr), matrix.shape)
