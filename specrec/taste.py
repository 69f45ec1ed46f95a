"""Taste profiles: what the nine features of a member's tracks are like on average."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specrec.features import Floats, Mask


@dataclass(frozen=True, slots=True)
class TasteProfile:
    """Weighted means of standardised features, and which of them are known; both (9,), or (members, 9) for many."""

    values: Floats
    known: Mask

    @classmethod
    def of(cls, values: Floats, known: Mask, weights: NDArray[np.float32]) -> "TasteProfile":
        """The profile of one history: `values` and `known` (tracks, 9), `weights` (tracks,) by kind and count.

        Each mean divides by the weights of the tracks whose feature is known. Dislikes (negative) and what is merely
        known (0) take no part; a feature that no track with a weight has stays unknown, with value 0.
        """
        sums, totals = _sums(values, known, weights)
        return _means(sums, totals)

    @classmethod
    def without_each(cls, values: Floats, known: Mask, weights: NDArray[np.float32]) -> "TasteProfile":
        """As many profiles as tracks, (tracks, 9): that of the history without track 0, without track 1, …"""
        sums, totals = _sums(values, known, weights)
        shares = np.maximum(weights, 0.0)[:, None].astype(np.float64) * known
        return _means(sums - shares * values, totals - shares)


def _sums(values: Floats, known: Mask, weights: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shares = np.maximum(weights, 0.0)[:, None].astype(np.float64) * known
    return (shares * values).sum(axis=0), shares.sum(axis=0)


def _means(sums: NDArray[np.float64], totals: NDArray[np.float64]) -> TasteProfile:
    known = totals > 1e-9  # a remainder of float noise is no weight
    means = np.where(known, sums, 0.0) / np.where(known, totals, 1.0)
    return TasteProfile(means.astype(np.float32), known)
