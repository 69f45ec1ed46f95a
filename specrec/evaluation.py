"""How good a model is on interactions that its weights have not seen, beside popularity on the same ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.baselines.popularity import popularity
from specrec.compatibility import compatibility
from specrec.interactions import Histories
from specrec.member import Member
from specrec.metrics import Numbers, mean_pairwise_jaccard, ndcg_at_k, r2_score, recall_at_k, standard_error
from specrec.scoring import ModelScorer
from specrec.taste import TasteProfile

TOP = 10
MAX_MEMBERS = 2_000  # measured, evenly spread over all: enough for a standard error of .006
MAX_LISTS = 500  # compared pair by pair
MEASURES = {"recall_at_10": recall_at_k, "ndcg_at_10": ndcg_at_k}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a model is measured on: `given` is each member's history, `hidden` what is to be found in the rest."""

    given: Histories
    hidden: Histories


def evaluate(scorer: ModelScorer, held_out: HeldOut) -> dict[str, Any]:
    """Full ranking over all tracks that are not in the member's given history, no cap per artist.

    Returns what goes into a report, ready for JSON: None where there is nothing to measure (no hidden interaction,
    fewer than two lists, no feature known), never NaN. `difference` is NDCG@10 of the model less popularity's, paired
    over the members, with its standard error.
    """
    baseline = popularity(held_out.given, len(scorer.catalogue))
    hits: tuple[list[NDArray[np.bool_]], list[NDArray[np.bool_]]] = [], []  # of the model, of popularity
    relevant: list[int] = []
    lists: list[list[int]] = []
    actual: list[float] = []
    predicted: list[float] = []
    members = _spread(np.flatnonzero(np.diff(held_out.given.starts)), MAX_MEMBERS)
    finite = True
    for member_row in members:
        rows, weights = held_out.given.of_member(member_row)
        hidden, hidden_weights = held_out.hidden.of_member(member_row)
        member = Member.of_rows(rows, weights, scorer.values, scorer.known, scorer.catalogue)
        scores = scorer.score(member)
        finite = finite and bool(np.isfinite(scores.ranking).all() and np.isfinite(scores.compatibility).all())
        best = best_unseen(scores.ranking, rows)
        lists.append(best)
        if not len(hidden):
            continue
        relevant.append(len(hidden))
        for found, ranked in zip(hits, (best, best_unseen(baseline, rows)), strict=True):
            found.append(np.isin(ranked + [-1] * (TOP - len(ranked)), hidden))
        everything, all_weights = np.concatenate((rows, hidden)), np.concatenate((weights, hidden_weights))
        profile = TasteProfile.of(scorer.values[everything], scorer.known[everything], all_weights)
        comparable = hidden[(scorer.known[hidden] & profile.known).any(axis=1)]
        actual += compatibility(profile, scorer.values[comparable], scorer.known[comparable]).tolist()
        predicted += scores.compatibility[comparable].tolist()
    measures = {name: _both(measure, hits, relevant) for name, measure in MEASURES.items()}
    return {
        "finite": finite,
        "members_measured": len(relevant),
        "interactions_held_out": len(held_out.hidden.tracks),
        **{name: _beside_popularity(pairs) for name, pairs in measures.items()},
        "difference": _difference(measures["ndcg_at_10"]),
        "mean_jaccard": mean_pairwise_jaccard(_spread(np.arange(len(lists)), MAX_LISTS, lists)),
        "lists": len(lists),
        "distinct_top_tens": len({tuple(best) for best in lists}),
        "compatibility_r2": r2_score(actual, predicted),
        "compatibility_pairs": len(actual),
    }


def best_unseen(scores: NDArray[np.floating], seen: NDArray[np.int64], k: int = TOP) -> list[int]:
    """The `k` best rows that are not in `seen`, best first; ties go to the lower row."""
    scores = scores.astype(np.float64)
    scores[seen] = -np.inf
    order = np.argsort(-scores, kind="stable")[:k]
    return [int(row) for row in order if scores[row] > -np.inf]


def _spread(members: NDArray[np.int64], count: int, of: Any = None) -> Any:
    """At most `count` of `members`, evenly spread; or, with `of`, what stands at these positions."""
    chosen = members if len(members) <= count else members[np.linspace(0, len(members) - 1, count).astype(np.int64)]
    return chosen if of is None else [of[i] for i in chosen]


def _both(
    measure: Callable[[NDArray[np.bool_], NDArray[np.int64], int], Numbers],
    hits: tuple[list[NDArray[np.bool_]], list[NDArray[np.bool_]]],
    relevant: list[int],
) -> Numbers:
    """(2, members) a measure of the model, and of popularity."""
    counts = np.array(relevant, dtype=np.int64)
    return np.stack([measure(np.array(found, dtype=np.bool_).reshape(-1, TOP), counts, TOP) for found in hits])


def _beside_popularity(pairs: Numbers) -> dict[str, float | None]:
    if not pairs.size:
        return {"model": None, "popularity": None}
    model, baseline = pairs.mean(axis=1)
    return {"model": float(model), "popularity": float(baseline)}


def _difference(pairs: Numbers) -> dict[str, float | None]:
    differences = pairs[0] - pairs[1]
    mean = float(differences.mean()) if differences.size else None
    return {"mean": mean, "standard_error": standard_error(differences)}
