"""The compatibility score: how near a track is to a taste profile, from audio features alone."""

import numpy as np

from specrec.features import Floats, Mask
from specrec.taste import TasteProfile


def compatibility(profile: TasteProfile, values: Floats, known: Mask) -> Floats:
    """exp(−d), 0–1, with d the root mean square difference over the standardised features known to both sides.

    `values` and `known` are (…, 9) and broadcast against the profile; the result is (…). 1 is a track exactly like
    the profile. Where no feature is known to both sides nothing can be said, and the score is 0.
    """
    both = known & profile.known
    count = both.sum(axis=-1)
    squares = np.where(both, (values - profile.values) ** 2, 0.0).sum(axis=-1)
    distance = np.sqrt(squares / np.maximum(count, 1))
    return np.where(count > 0, np.exp(-distance), 0.0).astype(np.float32)
