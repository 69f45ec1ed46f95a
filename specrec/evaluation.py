"""How good a model is on interactions that its weights have not seen, beside popularity and the live version on the
same ones, and whether it has collapsed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.baselines.popularity import popularity
from specrec.compatibility import compatibility
from specrec.features import Floats, Mask
from specrec.interactions import Histories
from specrec.metrics import Numbers, coverage, mean_pairwise_jaccard, ndcg_at_k, r2_score, recall_at_k, standard_error
from specrec.rankers import Ranker
from specrec.taste import TasteProfile

TOP = 10
MAX_MEMBERS = 2_000  # measured, evenly spread over all: enough for a standard error of .006
MAX_SCORES = 100_000_000  # of all members together: of a large catalogue fewer are measured, but always fifty
MAX_LISTS = 500  # compared pair by pair
_NOTHING = np.zeros(0, dtype=np.int64)
MEASURES = {"recall_at_10": recall_at_k, "ndcg_at_10": ndcg_at_k}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a model is measured on: `given` is each member's history, `hidden` what is to be found in the rest.

    `values` and `known` (tracks, 9) are the standardised features of the histories' tracks.
    """

    given: Histories
    hidden: Histories
    member_ids: Sequence[str]
    values: Floats
    known: Mask


def evaluate(
    ranker: Ranker, held_out: HeldOut, live: Ranker | None = None, leave_out: Collection[str] = ()
) -> dict[str, Any]:
    """Full ranking over all tracks that are not in the member's given history, no cap per artist.

    Returns what goes into a report, ready for JSON: None where there is nothing to measure (no hidden interaction,
    fewer than two lists, no feature known), never NaN. `difference` is NDCG@10 of the model less popularity's, paired
    over the members, with its standard error. What tells of a collapse: `distinct_top_tens` of so many `lists`, before
    what each member knows is left out, which alone would make the same order look like different lists; `coverage`,
    distinct tracks in the lists / tracks that can be listed; `inter_member_distance`, 1 − the mean Jaccard of two
    members' lists; and `spread`, the standard deviation of one member's matches (0-1) over all tracks, on average.

    `beside_live` is the same comparison with the live version, None without one. Each of the two is asked as members
    would ask it: with today's histories, less the hidden pairs, and over its own catalogue. A hidden track that the
    live version does not have yet is a miss, and so is a place that it gives to a track which nobody has any more: to
    be decided is which of the two answers from now on, and that is what members would get of each. `leave_out` are ids
    of members who take no part in it: of those who had too few tracks to set any aside when the live version was
    trained, its weights have seen everything.
    """
    baseline = popularity(held_out.given, len(ranker.rows))
    relevant: list[int] = []
    hits: list[NDArray[np.bool_]] = []
    popular_hits: list[NDArray[np.bool_]] = []
    live_hits: list[NDArray[np.bool_]] = []
    compared: list[int] = []  # positions in `relevant`
    lists: list[list[int]] = []
    whole: list[list[int]] = []  # top tens over all tracks
    spreads: list[float] = []
    actual: list[float] = []
    predicted: list[float] = []
    tracks = 0
    finite = True
    left_out = set(leave_out)
    most = min(MAX_MEMBERS, max(50, MAX_SCORES // max(len(ranker.rows), 1)))
    for member in _spread(np.flatnonzero(np.diff(held_out.given.starts)), most):
        member_id = held_out.member_ids[member]
        rows, weights = held_out.given.of_member(member)
        hidden, hidden_weights = held_out.hidden.of_member(member)
        scores = ranker.score(member_id, rows, weights)
        finite = finite and all(bool(np.isfinite(numbers).all()) for numbers in (scores.ranking, scores.match))
        tracks = len(scores.ranking)
        best = _best(ranker, scores.ranking, rows)
        lists.append(best)
        whole.append(best_unseen(scores.ranking, _NOTHING))
        spreads.append(float(np.std(scores.match, dtype=np.float64)))
        if not len(hidden):
            continue
        if live is not None and member_id not in left_out:
            ranked = _best(live, live.score(member_id, rows, weights).ranking, rows)
            live_hits.append(_hits(ranked, live.rows[hidden]))
            compared.append(len(relevant))
        relevant.append(len(hidden))
        hits.append(_hits(best, ranker.rows[hidden]))
        popular_hits.append(_hits(best_unseen(baseline, rows), hidden))
        everything, all_weights = np.concatenate((rows, hidden)), np.concatenate((weights, hidden_weights))
        profile = TasteProfile.of(held_out.values[everything], held_out.known[everything], all_weights)
        listed = hidden[ranker.rows[hidden] >= 0]
        comparable = listed[(held_out.known[listed] & profile.known).any(axis=1)]
        actual += compatibility(profile, held_out.values[comparable], held_out.known[comparable]).tolist()
        said = ranker.compatibilities(member_id, rows, weights)
        finite = finite and bool(np.isfinite(said).all())
        predicted += said[ranker.rows[comparable]].tolist()
    measures = {name: _both(measure, hits, popular_hits, relevant) for name, measure in MEASURES.items()}
    shared = mean_pairwise_jaccard(_spread(np.arange(len(lists)), MAX_LISTS, lists))
    beside_live = None
    if live is not None:
        pairs = _both(ndcg_at_k, [hits[i] for i in compared], live_hits, [relevant[i] for i in compared])
        beside_live = {"members": len(compared), **_means(pairs, "model", "live"), "difference": _difference(pairs)}
    return {
        "finite": finite,
        "members_measured": len(relevant),
        "interactions_held_out": len(held_out.hidden.tracks),
        **{name: _means(pairs, "model", "popularity") for name, pairs in measures.items()},
        "difference": _difference(measures["ndcg_at_10"]),
        "beside_live": beside_live,
        "mean_jaccard": shared,
        "inter_member_distance": None if shared is None else 1 - shared,
        "lists": len(lists),
        "distinct_top_tens": len({tuple(best) for best in whole}),
        "coverage": coverage(_padded(lists), tracks) if tracks else None,
        "spread": float(np.mean(spreads)) if spreads and finite else None,
        "compatibility_r2": r2_score(actual, predicted) if finite else None,
        "compatibility_pairs": len(actual),
    }


def best_unseen(scores: NDArray[np.floating], seen: NDArray[np.int64], k: int = TOP) -> list[int]:
    """The `k` best rows that are not in `seen`, best first; ties go to the lower row."""
    scores = scores.astype(np.float64)
    scores[seen] = -np.inf
    rows = np.arange(len(scores))
    if len(scores) > k:
        rows = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    order = rows[np.argsort(-scores[rows], kind="stable")][:k]
    return [int(row) for row in order if scores[row] > -np.inf]


def _best(ranker: Ranker, ranking: Floats, given: NDArray[np.int64]) -> list[int]:
    """The top ten as rows of the ranker's own catalogue."""
    seen = ranker.rows[given]
    return best_unseen(ranking, seen[seen >= 0])


def _hits(best: list[int], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(10,) which places hold a wanted track; −1 among the wanted is a track that cannot be listed."""
    return np.isin(best + [-2] * (TOP - len(best)), wanted)


def _padded(lists: list[list[int]]) -> NDArray[np.int64]:
    """(lists, 10), −1 where a list is shorter."""
    return np.array([best + [-1] * (TOP - len(best)) for best in lists], dtype=np.int64)


def _spread(members: NDArray[np.int64], count: int, of: Any = None) -> Any:
    """At most `count` of `members`, evenly spread; or, with `of`, what stands at these positions."""
    chosen = members if len(members) <= count else members[np.linspace(0, len(members) - 1, count).astype(np.int64)]
    return chosen if of is None else [of[i] for i in chosen]


def _both(
    measure: Callable[[NDArray[np.bool_], NDArray[np.int64], int], Numbers],
    one: list[NDArray[np.bool_]],
    other: list[NDArray[np.bool_]],
    relevant: list[int],
) -> Numbers:
    """(2, members) a measure of the model, and of what it is compared with."""
    counts = np.array(relevant, dtype=np.int64)
    return np.stack([measure(np.array(found, dtype=np.bool_).reshape(-1, TOP), counts, TOP) for found in (one, other)])


def _means(pairs: Numbers, one: str, other: str) -> dict[str, float | None]:
    if not pairs.size:
        return {one: None, other: None}
    first, second = pairs.mean(axis=1)
    return {one: float(first), other: float(second)}


def _difference(pairs: Numbers) -> dict[str, float | None]:
    differences = pairs[0] - pairs[1]
    mean = float(differences.mean()) if differences.size else None
    return {"mean": mean, "standard_error": standard_error(differences)}
