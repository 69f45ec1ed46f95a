"""How good a model is on interactions that its weights have not seen, beside popularity on the same ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.baselines import popularity
from specrec.compatibility import compatibility
from specrec.interactions import Histories
from specrec.member import Member
from specrec.metrics import mean_pairwise_jaccard, ndcg_at_k, r2_score, recall_at_k
from specrec.scoring import ModelScorer
from specrec.taste import TasteProfile

TOP = 10
MAX_MEMBERS = 2_000  # measured, evenly spread over all: enough for a standard error of .006
MAX_LISTS = 500  # compared pair by pair


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
    figures: dict[str, list[tuple[float, float]]] = {"recall_at_10": [], "ndcg_at_10": []}
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
        relevant = hidden.tolist()
        popular = best_unseen(baseline, rows)
        figures["recall_at_10"].append((recall_at_k(best, relevant, TOP), recall_at_k(popular, relevant, TOP)))
        figures["ndcg_at_10"].append((ndcg_at_k(best, relevant, TOP), ndcg_at_k(popular, relevant, TOP)))
        everything, all_weights = np.concatenate((rows, hidden)), np.concatenate((weights, hidden_weights))
        profile = TasteProfile.of(scorer.values[everything], scorer.known[everything], all_weights)
        comparable = hidden[(scorer.known[hidden] & profile.known).any(axis=1)]
        actual += compatibility(profile, scorer.values[comparable], scorer.known[comparable]).tolist()
        predicted += scores.compatibility[comparable].tolist()
    return {
        "finite": finite,
        "members_measured": len(figures["ndcg_at_10"]),
        "interactions_held_out": len(held_out.hidden.tracks),
        **{name: _beside_popularity(pairs) for name, pairs in figures.items()},
        "difference": _difference(figures["ndcg_at_10"]),
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


def _beside_popularity(pairs: list[tuple[float, float]]) -> dict[str, float | None]:
    if not pairs:
        return {"model": None, "popularity": None}
    model, baseline = np.mean(pairs, axis=0)
    return {"model": float(model), "popularity": float(baseline)}


def _difference(pairs: list[tuple[float, float]]) -> dict[str, float | None]:
    if not pairs:
        return {"mean": None, "standard_error": None}
    differences = np.array([model - baseline for model, baseline in pairs])
    error = float(differences.std(ddof=1) / len(pairs) ** 0.5) if len(pairs) > 1 else None
    return {"mean": float(differences.mean()), "standard_error": error}
