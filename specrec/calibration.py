"""Platt scaling: what turns a ranking score into a `match` between 0 and 1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINIMUM_PAIRS = 20
OTHERS = 9  # pairs drawn for each real one
DEFAULT_SLOPE, DEFAULT_OFFSET = 0.5, -3.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """match = 1 / (1 + exp(−(slope · log lift + offset))).

    `log lift` says how many times likelier than chance the ranking gives a member a track. `match` is then the chance
    that a pair with this score is a real one, where to each real pair, held out from training, come nine drawn from the
    tracks that the member does not have. One in ten is right by chance; with a match of 0.5 it is one in two. It never
    contradicts the order of the list (slope > 0), and is comparable between members.
    """

    slope: float = DEFAULT_SLOPE
    offset: float = DEFAULT_OFFSET
    pairs: int = 0  # real pairs it was fitted on; 0: too few, a guess on the safe side

    @classmethod
    def fit(cls, real: NDArray[np.float64], other: NDArray[np.float64]) -> "Calibration":
        """Fit to the log lifts of real and of other pairs, the others counting `OTHERS` times as much together.

        Newton's method on the weighted log loss with Platt's smoothed targets and a weak pull of the slope towards the
        default; too few pairs, or a slope that comes out negative, give the default.
        """
        if min(len(real), len(other)) < MINIMUM_PAIRS:
            return cls()
        lifts = np.concatenate((real, other))
        targets = np.repeat([(len(real) + 1) / (len(real) + 2), 1 / (len(other) + 2)], [len(real), len(other)])
        weights = np.repeat([1.0, OTHERS * len(real) / len(other)], [len(real), len(other)])
        inputs = np.stack((lifts, np.ones_like(lifts)), axis=1)  # (pairs, 2)
        start = np.array([DEFAULT_SLOPE, 0.0])
        parameters = start.copy()
        for _ in range(50):
            chances = 1 / (1 + np.exp(-np.clip(inputs @ parameters, -30, 30)))
            gradient = inputs.T @ (weights * (chances - targets)) + (parameters - start)
            curvature = (inputs * (weights * chances * (1 - chances))[:, None]).T @ inputs + np.eye(2)
            step = np.linalg.solve(curvature, gradient)
            parameters -= np.clip(step, -1.0, 1.0)
            if np.abs(step).max() < 1e-8:
                break
        slope, offset = (float(value) for value in parameters)
        return cls(slope, offset, len(real)) if slope > 0.01 else cls()

    def as_array(self) -> NDArray[np.float32]:
        return np.array([self.slope, self.offset], dtype=np.float32)


def negatives(rng: np.random.Generator, tracks: int, taken: Sequence[int], count: int) -> NDArray[np.int64]:
    """Up to `count` distinct rows drawn from those that are not `taken`."""
    seen = np.unique(np.asarray(taken, dtype=np.int64))
    if tracks < 10 * (len(seen) + count):
        free = np.setdiff1d(np.arange(tracks), seen)
        return rng.choice(free, size=min(count, len(free)), replace=False)
    drawn = np.unique(rng.integers(tracks, size=2 * count + 10))  # nearly all of a large catalogue is free
    return rng.permutation(np.setdiff1d(drawn, seen))[:count]
