"""What a comparison says, as plain values for JSON: means, standard errors, paired differences."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from specrec.baselines.base import Sample
from specrec.measuring import Measures
from specrec.metrics import (
    Numbers,
    clustered_error,
    coverage,
    coverage_error,
    distance_error,
    mean_pairwise_jaccard,
    r2_error,
    r2_score,
)
from specrec.study.comparison import Comparison, Entry
from specrec.study.tuning import settings

Record = dict[str, Any]
OF_MEMBERS = ("recall_at_10", "recall_at_20", "ndcg_at_10", "mrr")
MEASURES = (*OF_MEMBERS, "coverage", "inter_member_distance", "compatibility_r2")
MOST_LISTS = 2_000  # compared pair by pair, evenly spread


def record(comparison: Comparison, sample: Sample, protocol: str, on: date) -> Record:
    """Everything. A figure that cannot be told is None, never NaN. The model under study comes first in `models`."""
    model, *peers = comparison.entries
    entries = comparison.entries
    best = max(peers, key=lambda name: _mean(entries[name]), default=None)
    trials = entries[model].trials
    found: Record = {
        "protocol": protocol,
        "date": on.isoformat(),
        "hardware": hardware(),
        "data": _data(sample),
        "seeds": [trial.seed for trial in trials],
        "members_measured": len({member for trial in trials for member in trial.measures.members}),
        "best_peer": best,
        "models": {name: _model(entry) for name, entry in entries.items()},
        "left_out": comparison.left_out,
        "ablation": _ablation(entries[model]),
    }
    for name, entry in entries.items():
        found["models"][name]["difference_to_best_peer"] = (
            None if best is None or name == best else differences(_measures(entry), _measures(entries[best]))
        )
    found["differences"] = {name: differences(_measures(entries[model]), _measures(entries[name])) for name in peers}
    if best is not None:
        found["against_best_peer"] = against(found, best)
    return found


def hardware() -> Record:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": np.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _data(sample: Sample) -> Record:
    features, starts = sample.catalogue.features, sample.catalogue.artist_starts
    return {
        "members": len(sample.interactions.users),
        "tracks": len(sample.catalogue),
        "interactions": len(sample.interactions),
        "tracks_with_features": int(np.isfinite(features).any(axis=1).sum()),
        "tracks_with_artist": int((np.diff(starts) > 0).sum()),
    }


def _model(entry: Entry) -> Record:
    measures = _measures(entry)
    return {
        **{name: _over_members([getattr(one, name) for one in measures], measures) for name in OF_MEMBERS},
        "coverage": _over_cuts(
            (coverage(one.lists, one.tracks), coverage_error(one.lists, one.tracks)) for one in measures
        ),
        "inter_member_distance": _over_cuts(_distance(one) for one in measures),
        "compatibility_r2": _over_cuts(_r2(one) for one in measures),
        "fit_seconds": round(float(np.mean([trial.fit_seconds for trial in entry.trials])), 3),
        "peak_memory_mb": entry.trials[0].peak_memory_mb,
        "settings": settings(entry.tuned.contender),
        "tuning": [{"settings": settings(contender), "ndcg_at_10": value} for contender, value in entry.tuned.tried],
    }


def _measures(entry: Entry) -> list[Measures]:
    return [trial.measures for trial in entry.trials]


def _mean(entry: Entry) -> float:
    return float(np.concatenate([one.ndcg_at_10 for one in _measures(entry)]).mean())


def _over_members(values: Sequence[Numbers], measures: Sequence[Measures]) -> Record:
    """Over all cuts together; a member who is measured in several counts as one when it comes to the error."""
    together = np.concatenate(values)
    members = [member for one in measures for member in one.members]
    return _figure(float(together.mean()), clustered_error(together, members))


def _over_cuts(values: Iterable[tuple[float | None, float | None]]) -> Record:
    """The mean over cuts; as their members are the same, its error is no smaller than that of one cut."""
    known = [(mean, error) for mean, error in values if mean is not None]
    if not known:
        return _figure(None, None)
    errors = [error for _, error in known if error is not None]
    error = float(np.sqrt(np.mean(np.square(errors)))) if errors else None
    return _figure(float(np.mean([mean for mean, _ in known])), error)


def _figure(mean: float | None, error: float | None) -> Record:
    return {"mean": mean, "standard_error": error}


def _distance(measures: Measures) -> tuple[float | None, float | None]:
    rows = np.linspace(0, len(measures.lists) - 1, min(MOST_LISTS, len(measures.lists))).astype(np.int64)
    lists = [[entry for entry in measures.lists[row].tolist() if entry >= 0] for row in rows]
    shared = mean_pairwise_jaccard(lists)
    return (None if shared is None else 1 - shared), distance_error(lists)


def _r2(measures: Measures) -> tuple[float | None, float | None]:
    if measures.predicted is None:
        return None, None
    return r2_score(measures.actual, measures.predicted), r2_error(measures.actual, measures.predicted, measures.pairs)


def differences(ours: Sequence[Measures], theirs: Sequence[Measures]) -> Record:
    """Paired: the same members with the same hidden tracks."""
    return {
        name: _over_members(
            [getattr(one, name) - getattr(other, name) for one, other in zip(ours, theirs, strict=True)], ours
        )
        for name in OF_MEMBERS
    }


def against(found: Record, peer: str) -> Record:
    """NDCG@10 of the model and of a peer: their paired difference, its ratio, and whether it is at least −1 error."""
    model = next(iter(found["models"]))
    own, other = (found["models"][name]["ndcg_at_10"]["mean"] for name in (model, peer))
    difference = found["differences"][peer]["ndcg_at_10"]
    return {"peer": peer, **difference, "ratio": own / other if other else None, "holds": holds(difference)}


def holds(difference: Record) -> bool | None:
    """None where the error is not known."""
    error = difference["standard_error"]
    return None if error is None else bool(difference["mean"] >= -error)


def _ablation(entry: Entry) -> Record:
    """NDCG@10 of every part, and its paired difference to the whole, on the cuts on which the parts were tried."""
    trials = [trial for trial in entry.trials if trial.ablation]
    whole = [trial.measures for trial in trials]
    return {
        name: {
            "ndcg_at_10": _over_members([one.ndcg_at_10 for one in parts], parts),
            "difference_to_fusion": differences(parts, whole)["ndcg_at_10"],
        }
        for name in (trials[0].ablation if trials else ())
        for parts in [[trial.ablation[name] for trial in trials]]
    }
