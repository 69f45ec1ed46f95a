"""One fitted model on one split: every member's measures, by full ranking."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample, Scorer
from specrec.baselines.content import profiles_of
from specrec.compatibility import compatibility
from specrec.errors import TrainingError
from specrec.metrics import Numbers, ndcg_at_k, recall_at_k
from specrec.protocols import Split
from specrec.taste import TasteProfile

TOP, LONG = 10, 20
MAX_MEMBERS = 10_000  # measured, evenly spread over all
CHUNK = 4_000_000  # scores at a time: 32 MB of sorting keys
ScoreAll = Callable[[csr_array], Mapping[str, Predictions]]
NEVER = np.iinfo(np.int64).min  # the key of what is not ranked


@dataclass(frozen=True, slots=True)
class Measures:
    """Of n members; the first four are (n,)."""

    members: tuple[str, ...]
    recall_at_10: Numbers
    recall_at_20: Numbers
    ndcg_at_10: Numbers
    mrr: Numbers
    """1 / the place of the first hit in the whole ranking."""
    lists: NDArray[np.int64]
    """(n, 10) the top tens as rows of the catalogue, −1 where there is nothing more to rank."""
    tracks: int
    """How many are ranked at all."""
    pairs: NDArray[np.int64]
    """(p,) the members of the hidden pairs that have a compatibility score; 0 … n − 1."""
    actual: Numbers
    """(p,) their compatibility scores."""
    predicted: Numbers | None
    """(p,) what the model says they are; None from a model that does not say."""


def measure(scorer: Scorer, split: Split, seed: int = 0) -> Measures:
    """Full ranking over all tracks that are not in a member's given history, no cap per artist; ties fall at random.

    Of more than 10,000 members as many are measured, evenly spread. Raises TrainingError where a score is no number.
    """
    return measure_all(lambda histories: {"": scorer.score(histories)}, split, seed)[""]


def measure_all(score: ScoreAll, split: Split, seed: int = 0) -> dict[str, Measures]:
    """As `measure`, for several models that say what they say in one go; each by its name."""
    chosen = _spread(len(split.members), MAX_MEMBERS)
    given, hidden = split.given[chosen], split.hidden[chosen]
    found: dict[str, _Found] = {}
    size = max(1, CHUNK // given.shape[1])
    for start in range(0, len(chosen), size):
        part = slice(start, start + size)
        wanted = hidden[part].toarray() > 0  # (members, T)
        for name, said in score(given[part]).items():
            if name not in found:
                found[name] = _Found(np.random.default_rng(seed), [], [], [], [])
            found[name].add(said, given[part], wanted, split.candidates)
    relevant = np.diff(hidden.indptr)
    owners = np.repeat(np.arange(len(chosen)), relevant)
    actual = _compatibilities(split.sample, given, hidden, owners)
    comparable = actual > 0  # 0: no feature known to both sides
    members = tuple(split.members[row] for row in chosen)
    tracks = given.shape[1] if split.candidates is None else int(split.candidates.sum())
    return {
        name: Measures(
            members,
            recall_at_k(hits, relevant, TOP),
            recall_at_k(hits, relevant, LONG),
            ndcg_at_k(hits, relevant, TOP),
            1 / np.concatenate(one.first),
            np.concatenate(one.lists)[:, :TOP],
            tracks,
            owners[comparable],
            actual[comparable],
            np.concatenate(one.predicted)[comparable].astype(np.float64) if one.predicted else None,
        )
        for name, one in found.items()
        for hits in [np.concatenate(one.hits)]
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """Of one model, block by block of members."""

    rng: np.random.Generator
    lists: list[NDArray[np.int64]]
    hits: list[NDArray[np.bool_]]
    first: list[NDArray[np.int64]]
    predicted: list[NDArray[np.float32]]

    def add(
        self, said: Predictions, given: csr_array, wanted: NDArray[np.bool_], candidates: NDArray[np.bool_] | None
    ) -> None:
        keys = _keys(said, given, candidates, self.rng)
        best = _best(keys, LONG)
        self.lists.append(best)
        self.hits.append(np.take_along_axis(wanted, best, axis=1) & (best >= 0))
        top_hit = np.where(wanted, keys, NEVER).max(axis=1)
        self.first.append((keys > top_hit[:, None]).sum(axis=1) + 1)
        if said.compatibility is not None:
            self.predicted.append(
                said.compatibility()[wanted]
            )  # row by row, columns ascending: as `hidden` stores them


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` rows, evenly spread."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).astype(np.int64)


def _keys(
    said: Predictions, given: csr_array, candidates: NDArray[np.bool_] | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(members, T) whole numbers in the order of the scores, equal ones told apart at random; NEVER: not ranked.

    The upper half is the score's bits, which as a whole number are in the score's order once those of negative
    scores are turned over; the lower half is random.
    """
    if np.isnan(said.ranking).any():
        raise TrainingError("a score is not a number: the model cannot be measured")
    bits = (said.ranking.astype(np.float32) + np.float32(0)).view(np.int32)  # −0 and 0 are the same score
    ordered = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)
    keys: NDArray[np.int64] = (ordered << 32) | rng.integers(2**32, size=ordered.shape, dtype=np.uint32)
    keys[np.repeat(np.arange(given.shape[0]), np.diff(given.indptr)), given.indices] = NEVER
    if candidates is not None:
        keys[:, ~candidates] = NEVER
    return keys


def _best(keys: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(members, count) the columns of the largest keys, largest first, −1 where there are no more."""
    members, tracks = keys.shape
    columns = np.broadcast_to(np.arange(tracks), keys.shape)
    if tracks > count:
        columns = np.argpartition(keys, tracks - count, axis=1)[:, tracks - count :]
    best = np.take_along_axis(keys, columns, axis=1)
    order = np.argsort(np.where(best == NEVER, -(NEVER + 1), -best), axis=1)  # −NEVER is NEVER itself
    rows = np.where(best == NEVER, -1, columns)
    lists = np.full((members, count), -1, dtype=np.int64)
    lists[:, : columns.shape[1]] = np.take_along_axis(rows, order, axis=1)
    return lists


def _compatibilities(sample: Sample, given: csr_array, hidden: csr_array, owners: NDArray[np.int64]) -> Numbers:
    """(pairs,) of each hidden pair: its track and the profile of the member's whole history, given and hidden."""
    values, known = sample.standardised
    profiles, profiles_known = profiles_of(given + hidden, values, known)
    profile = TasteProfile(profiles[owners], profiles_known[owners])
    return compatibility(profile, values[hidden.indices], known[hidden.indices]).astype(np.float64)
