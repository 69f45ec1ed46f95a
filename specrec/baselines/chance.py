"""Random: what no skill at all reaches."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample


@dataclass(frozen=True, slots=True)
class Chance:
    """Every track is as good as any other; as ties fall at random, so does the whole list."""

    name: str = "random"

    def fit(self, sample: Sample) -> "Chance":
        return self

    def score(self, histories: csr_array) -> Predictions:
        return Predictions(np.zeros(histories.shape, dtype=np.float32))
