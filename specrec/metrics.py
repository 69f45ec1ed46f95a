"""How good lists are: the field's measures, for many members at once, and their standard errors."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

Numbers = NDArray[np.float64]


def recall_at_k(hits: NDArray[np.bool_], relevant: NDArray[np.int64], k: int) -> Numbers:
    """(members,) hits among the first `k` / number of relevant tracks.

    `hits` (members, places) says which places of each list hold a relevant track, best place first; `relevant`
    (members,) how many there are to be found. Raises ValueError where that is none.
    """
    _check(relevant)
    recall: Numbers = hits[:, :k].sum(axis=1) / relevant
    return recall


def ndcg_at_k(hits: NDArray[np.bool_], relevant: NDArray[np.int64], k: int) -> Numbers:
    """(members,) normalised discounted cumulative gain with gains of 0 and 1: Σ 1 / log2(place + 1) over the hits.

    As `recall_at_k`. The ideal list is cut at min(k, relevant), so that a perfect list always has 1.
    """
    _check(relevant)
    discounts = 1 / np.log2(np.arange(k) + 2)
    gains: Numbers = hits[:, :k] @ discounts[: hits.shape[1]]
    ideal: Numbers = np.cumsum(discounts)[np.minimum(relevant, k) - 1]
    return np.divide(gains, ideal)


def _check(relevant: NDArray[np.int64]) -> None:
    if (relevant < 1).any():
        raise ValueError("a member without a relevant track cannot be measured")


def coverage(lists: NDArray[np.int64], tracks: int) -> float:
    """Distinct tracks in all lists / tracks. `lists` (members, places) holds rows, −1 where a list is shorter."""
    return len(np.unique(lists[lists >= 0])) / tracks


def coverage_error(lists: NDArray[np.int64], tracks: int) -> float | None:
    """The standard error of `coverage` over members: the jackknife's."""
    distinct, position = np.unique(lists, return_inverse=True)
    users = np.bincount(position.ravel(), minlength=len(distinct))
    alone = (users == 1) & (distinct >= 0)  # only one list has it: without that member it is gone
    lost = alone[position.reshape(lists.shape)].sum(axis=1)
    return jackknife_error((int((distinct >= 0).sum()) - lost) / tracks)


def pairwise_jaccard(lists: Sequence[Collection[int]]) -> Numbers:
    """(lists, lists) shared / all of each two lists; 0 for two empty ones, which have nothing in common."""
    sizes = np.array([len(set(entries)) for entries in lists], dtype=np.int64)
    flat = np.fromiter((entry for entries in lists for entry in set(entries)), dtype=np.int64, count=int(sizes.sum()))
    entries, columns = np.unique(flat, return_inverse=True)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    matrix = csr_array((np.ones(len(flat)), columns, starts), shape=(len(lists), len(entries)))
    shared: Numbers = (matrix @ matrix.T).toarray()
    return shared / np.maximum(sizes[:, None] + sizes[None, :] - shared, 1)


def mean_pairwise_jaccard(lists: Sequence[Collection[int]]) -> float | None:
    """Mean over all pairs of lists; 1 means everybody gets the same. None for fewer than two lists."""
    if len(lists) < 2:
        return None
    shared = pairwise_jaccard(lists)
    return float((shared.sum() - np.trace(shared)) / (len(lists) * (len(lists) - 1)))


def distance_error(lists: Sequence[Collection[int]]) -> float | None:
    """The standard error of 1 − `mean_pairwise_jaccard` over members: the jackknife's. None for fewer than three."""
    count = len(lists)
    if count < 3:
        return None
    shared = pairwise_jaccard(lists)
    np.fill_diagonal(shared, 0.0)
    without = (shared.sum() - 2 * shared.sum(axis=1)) / ((count - 1) * (count - 2))
    return jackknife_error(1 - without)


def r2_score(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """1 − squared error / variance; None where the actual values do not vary or are fewer than two."""
    truth, guess = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.size < 2 or np.ptp(truth) == 0:
        return None
    return float(1 - np.square(truth - guess).sum() / np.square(truth - truth.mean()).sum())


def r2_error(actual: ArrayLike, predicted: ArrayLike, members: NDArray[np.int64]) -> float | None:
    """The standard error of `r2_score` over members: the jackknife's. `members` says whose each pair is."""
    truth, guess = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    _, owners = np.unique(members, return_inverse=True)
    if truth.size < 2 or np.ptp(truth) == 0 or owners.max() < 1:
        return None
    centred = truth - truth.mean()  # squares of numbers near 0 lose nothing
    count, total, squares, errors = (
        whole.sum() - np.bincount(owners, whole)
        for whole in (np.ones_like(truth), centred, np.square(centred), np.square(truth - guess))
    )
    varied = squares - np.square(total) / count
    return None if (varied <= 0).any() else jackknife_error(1 - errors / varied)


def standard_error(values: Numbers) -> float | None:
    """Of a mean; None for fewer than two values."""
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None


def clustered_error(values: Numbers, members: Sequence[str]) -> float | None:
    """Of a mean of values of which one member may have several, as over several seeds: members are independent, the
    values of one member are not. With one value each it is `standard_error`; None for fewer than two members.
    """
    _, owners = np.unique(np.asarray(members), return_inverse=True)
    sums = np.bincount(owners, values - values.mean())
    count = len(sums)
    return float(np.sqrt(count / (count - 1) * np.square(sums).sum()) / len(values)) if count > 1 else None


def jackknife_error(without_each: Numbers) -> float | None:
    """The standard error of a figure from what it is without member 0, without member 1, … (Tukey 1958).

    For a mean it is `standard_error`. None for fewer than two members.
    """
    count = len(without_each)
    if count < 2:
        return None
    return float(np.sqrt((count - 1) / count * np.square(without_each - without_each.mean()).sum()))
