"""Recency: what happened long before the newest moment of a history says less about taste than what happened lately."""

import numpy as np
from numpy.typing import NDArray

DAY = 86_400.0  # seconds
FAINTEST = 0.1  # of its weight: an old favourite is still one


def recency(before: NDArray[np.float64] | float, half_life_days: float) -> NDArray[np.float64]:
    """(n,) `FAINTEST`–1: what is left of a taste weight so many seconds before its member's newest interaction.

    It halves with every half-life; infinite: all is left. So it is where the time is not known (NaN).
    """
    left: NDArray[np.float64] = np.maximum(np.exp2(-np.nan_to_num(before) / (DAY * half_life_days)), FAINTEST)
    return left
