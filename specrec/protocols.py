"""What is held out, and what is given: the protocols of the field, over one sample.

- `split`: of every member a random fifth of what they like, at least one track;
- `leave-one-out`: of every member one random track;
- `cold-start`: 15 % of the members are wholly unseen in training; four fifths of their histories are given when they
  are asked for, the rest is to be found;
- `time`: the last fifth of the pairs of member and track, by the time of their first interaction; nothing that happened
  later is in the training;
- `unseen-tracks`: a tenth of the tracks with known features is wholly unseen, and ranked among itself.

Only liked tracks are to be found; members who like fewer than two give none. Ranked are all tracks that the member has
not interacted with in what is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from specrec.baselines.base import Sample
from specrec.errors import SpecrecError
from specrec.interactions import Interactions, Vocabulary

HELD_OUT_SHARE = 0.2
COLD_SHARE = 0.15
UNSEEN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """One way of cutting: `sample` is learned from; `given` and `hidden` are (members, T) over the same catalogue."""

    protocol: str
    seed: int
    sample: Sample
    members: tuple[str, ...]
    """Ids of those who are measured, a row each in `given` and `hidden`."""
    given: csr_array
    """Taste weights of each one's history; never empty."""
    hidden: csr_array
    """Taste weights, all positive, of what is to be found; at least one each."""
    candidates: NDArray[np.bool_] | None = None
    """(T,) which tracks are ranked; None: all."""


Protocol = Callable[[Sample, int], Split]


def split(sample: Sample, seed: int) -> Split:
    members, _, likes = _pairs(sample)
    counts = np.bincount(members[likes], minlength=sample.histories.shape[0])
    share = np.maximum(1, np.round(HELD_OUT_SHARE * counts).astype(np.int64))
    return _cut(sample, "split", seed, _draw(members, likes, share, np.random.default_rng(seed)))


def leave_one_out(sample: Sample, seed: int) -> Split:
    members, _, likes = _pairs(sample)
    one = np.ones(sample.histories.shape[0], dtype=np.int64)
    return _cut(sample, "leave-one-out", seed, _draw(members, likes, one, np.random.default_rng(seed)))


def cold_start(sample: Sample, seed: int) -> Split:
    return fold_in(sample, seed)[1]


def fold_in(sample: Sample, seed: int) -> tuple[Split, Split]:
    """The same members with the same histories twice: inside the training, and outside of it (`cold-start`)."""
    rng = np.random.default_rng(seed)
    count = sample.histories.shape[0]
    cold = np.zeros(count, dtype=np.bool_)
    cold[rng.permutation(count)[: max(1, round(COLD_SHARE * count))]] = True
    members, _, likes = _pairs(sample)
    counts = np.bincount(members[likes], minlength=count)
    share = np.where(cold, np.maximum(1, np.round(HELD_OUT_SHARE * counts).astype(np.int64)), 0)
    hidden = _draw(members, likes, share, rng)
    outside = _cut(sample, "cold-start", seed, hidden, cold)
    return replace(_cut(sample, "cold-start", seed, hidden), protocol="inside"), outside


def by_time(sample: Sample, seed: int) -> Split:
    """The cut follows from the data: `seed` only names it. Raises SpecrecError where no interaction has a time."""
    interactions = sample.interactions
    if not np.isfinite(interactions.timestamps).any():
        raise SpecrecError("the protocol time needs timestamps: choose split, or add a timestamp to the interactions")
    pairs = _pair_of_row(sample)
    first = np.full(sample.histories.nnz, np.inf)
    np.minimum.at(first, pairs, np.where(np.isnan(interactions.timestamps), -np.inf, interactions.timestamps))
    cut = float(np.quantile(first, 1 - HELD_OUT_SHARE, method="lower"))
    later = np.nan_to_num(interactions.timestamps, nan=-np.inf) > cut
    return _cut(sample, "time", seed, (first > cut) & _pairs(sample)[2], gone=later)


def unseen_tracks(sample: Sample, seed: int) -> Split:
    """Raises SpecrecError where no liked track has known features: nothing could be said of it unseen."""
    _, tracks, likes = _pairs(sample)
    heard = np.bincount(tracks[likes], minlength=len(sample.catalogue)) > 0
    known = np.flatnonzero(heard & sample.standardised[1].any(axis=1))
    if not len(known):
        raise SpecrecError(
            "the protocol unseen-tracks needs tracks with known features: choose split, or add a file of tracks"
        )
    unseen = np.zeros(len(sample.catalogue), dtype=np.bool_)
    unseen[np.random.default_rng(seed).permutation(known)[: max(1, round(UNSEEN_SHARE * len(known)))]] = True
    cut = _cut(sample, "unseen-tracks", seed, unseen[tracks] & likes, gone=unseen[sample.track_rows])
    return replace(cut, candidates=unseen)


PROTOCOLS: dict[str, Protocol] = {
    "split": split,
    "leave-one-out": leave_one_out,
    "cold-start": cold_start,
    "time": by_time,
    "unseen-tracks": unseen_tracks,
}
# How the settings of a model are chosen for a test: the same cut once more, inside what it may learn from.
VALIDATION: dict[str, Protocol] = {**PROTOCOLS, "inside": split}


def validation(of: Split) -> Split:
    """The validation set of a split: the same protocol, inside its training part."""
    return VALIDATION[of.protocol](of.sample, of.seed + 1_000_003)


def _pairs(sample: Sample) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """(pairs,) all: member, track, and whether it is liked."""
    histories = sample.histories
    members = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
    return members, histories.indices, histories.data > 0


def _pair_of_row(sample: Sample) -> NDArray[np.int64]:
    """(interactions,) the pair of each interaction."""
    members, tracks, _ = _pairs(sample)
    size = len(sample.catalogue)
    keys = sample.interactions.user_rows * size + sample.track_rows
    return np.searchsorted(members * size + tracks, keys)


def _draw(
    members: NDArray[np.int64],
    likes: NDArray[np.bool_],
    counts: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """(pairs,) `counts` (members,) liked pairs of each member at random, but never all of them."""
    pairs = np.flatnonzero(likes)
    owners = members[pairs]
    sizes = np.bincount(owners, minlength=len(counts))
    order = np.lexsort((rng.random(len(pairs)), owners))
    places = np.arange(len(pairs)) - (np.cumsum(sizes) - sizes)[owners]  # owners ascend, in `order` as well
    hidden = np.zeros(len(members), dtype=np.bool_)
    hidden[pairs[order[places < np.minimum(counts, sizes - 1)[owners]]]] = True
    return hidden


def _cut(
    sample: Sample,
    protocol: str,
    seed: int,
    hidden: NDArray[np.bool_],
    unseen: NDArray[np.bool_] | None = None,
    gone: NDArray[np.bool_] | None = None,
) -> Split:
    """`hidden` (pairs,); `unseen` (members,) are not learned from; `gone` (interactions,) are not given: default, those
    of the hidden pairs."""
    interactions = sample.interactions
    if gone is None:
        gone = hidden[_pair_of_row(sample)]
    given = replace(sample, interactions=_keep(interactions, ~gone))
    learned = given
    if unseen is not None:
        learned = replace(sample, interactions=_keep(interactions, ~gone & ~unseen[interactions.user_rows]))
    whole = sample.histories
    wanted = csr_array((np.where(hidden, whole.data, 0), whole.indices.copy(), whole.indptr.copy()), shape=whole.shape)
    wanted.eliminate_zeros()
    likes = csr_array((given.histories.data > 0, given.histories.indices, given.histories.indptr), whole.shape)
    measured = np.flatnonzero((np.diff(wanted.indptr) > 0) & (likes.sum(axis=1) > 0))
    return Split(
        protocol,
        seed,
        replace(sample, interactions=_renumber(learned.interactions)),
        tuple(interactions.users.ids[member] for member in measured),
        given.histories[measured],
        wanted[measured],
    )


def _keep(interactions: Interactions, rows: NDArray[np.bool_]) -> Interactions:
    """Some of the rows under the same numbers."""
    return Interactions(
        interactions.users,
        interactions.tracks,
        interactions.user_rows[rows],
        interactions.track_rows[rows],
        interactions.kinds[rows],
        interactions.weights[rows],
        interactions.timestamps[rows],
    )


def _renumber(interactions: Interactions) -> Interactions:
    """The same rows without the members who have none."""
    present, rows = np.unique(interactions.user_rows, return_inverse=True)
    users = Vocabulary(interactions.users.ids[user] for user in present)
    return replace(interactions, users=users, user_rows=rows.astype(np.int64))
