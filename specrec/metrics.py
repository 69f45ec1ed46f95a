"""How good a list is: the field's measures, on plain lists and arrays."""

from collections.abc import Collection, Sequence
from itertools import combinations
from math import log2

import numpy as np
from numpy.typing import ArrayLike


def recall_at_k(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """Hits among the first `k` / number of relevant tracks. Raises ValueError if nothing is relevant."""
    if not relevant:
        raise ValueError("recall needs at least one relevant track")
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant))


def ndcg_at_k(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """Normalised discounted cumulative gain with gains of 0 and 1: Σ 1 / log2(place + 1) over the hits.

    The ideal list is cut at min(k, number relevant), so that a perfect list always has 1. Raises ValueError if
    nothing is relevant.
    """
    if not relevant:
        raise ValueError("NDCG needs at least one relevant track")
    wanted = set(relevant)
    gain = sum(1 / log2(place + 2) for place, track in enumerate(ranked[:k]) if track in wanted)
    ideal = sum(1 / log2(place + 2) for place in range(min(k, len(wanted))))
    return gain / ideal


def jaccard(one: Collection[int], other: Collection[int]) -> float:
    """Shared / all of two lists; 0 for two empty ones, which have nothing in common."""
    union = set(one) | set(other)
    return len(set(one) & set(other)) / len(union) if union else 0.0


def mean_pairwise_jaccard(lists: Sequence[Collection[int]]) -> float | None:
    """Mean over all pairs of lists; 1 means everybody gets the same. None for fewer than two lists."""
    if len(lists) < 2:
        return None
    return float(np.mean([jaccard(one, other) for one, other in combinations(lists, 2)]))


def r2_score(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """1 − squared error / variance; None where the actual values do not vary or are fewer than two."""
    truth, guess = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.size < 2 or np.ptp(truth) == 0:
        return None
    return float(1 - np.square(truth - guess).sum() / np.square(truth - truth.mean()).sum())
