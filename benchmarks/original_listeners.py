"""What a trained version serves to the original project's five listeners, beside what the original gave them."""

import tempfile
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np

from specrec.compatibility import compatibility
from specrec.features import Scaling
from specrec.history import HistoryItem
from specrec.interactions import Histories
from specrec.serving import ServedModel
from specrec.study.process import Say, apart, peak_memory_mb
from specrec.study.record import Record, hardware
from specrec.tables import read_interactions
from specrec.taste import TasteProfile


def aims(path: Path) -> Record:
    """Trained, served and looked at in a process of its own."""
    return apart(_aims, path)


def _aims(path: Path, say: Say) -> Record:
    from specrec.training import train_version  # torch: only here

    table = read_interactions(path)
    assert table.tracks is not None
    catalogue = table.tracks.with_ids(table.interactions.tracks.ids)
    rows = np.array([catalogue.ids.row(id_) for id_ in table.interactions.tracks], dtype=np.int64)
    histories = Histories.of(table.interactions, rows)
    values, known = Scaling.fit(catalogue.features).apply(catalogue.features)
    profiles = []
    for member in range(len(histories)):
        tracks, weights = histories.of_member(member)
        profiles.append(TasteProfile.of(values[tracks], known[tracks], weights))

    with tempfile.TemporaryDirectory() as folder:
        version = train_version(path, None, Path(folder), now=datetime.now(UTC), on_progress=say)
        peak = peak_memory_mb()
        served = ServedModel.open(version.path)
        lists = []
        for user in table.interactions.users:
            history = [
                HistoryItem(row.track_id, row.kind, row.weight, row.timestamp)
                for row in table.interactions.of_user(user)
            ]
            lists.append(served.recommend(history))
    report = version.report
    tops = [{line.track_id for line in ten} for ten in lists]
    jaccard = float(np.mean([len(a & b) / len(a | b) for a, b in combinations(tops, 2)]))
    nearer = 0
    for own, ten in enumerate(lists):
        new = [row for line in ten if not line.known and (row := catalogue.ids.row(line.track_id)) is not None]
        near = [float(compatibility(profile, values[new], known[new]).mean()) for profile in profiles]
        nearer += near[own] > float(np.mean(near[:own] + near[own + 1 :]))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware(),
        "seed": report["seed"],
        "compatibility_r2": report["compatibility_r2"],
        "mean_jaccard": jaccard,
        "lists": len(lists),
        "lists_with_a_known_track": sum(any(line.known for line in ten) for ten in lists),
        "listeners_nearer_to_their_own_profile": nearer,
        "held_out_ndcg_at_10": report["ndcg_at_10"]["model"],
        "held_out_ndcg_at_10_of_popularity": report["ndcg_at_10"]["popularity"],
        "training_seconds": report["seconds"],
        "peak_memory_mb": peak,
    }


def lines_of(found: Record) -> list[str]:
    """A table in Markdown."""
    of = found["lists"]
    figures = [
        ("held-out compatibility scores, R²", f"{found['compatibility_r2']:.3f}", "≥ 0.95"),
        ("mean pairwise Jaccard of the top tens", f"{found['mean_jaccard']:.3f}", "≤ 0.05 (the original: 1.0)"),
        ("lists with a known track", f"{found['lists_with_a_known_track']} of {of}", "all"),
        (
            "listeners whose new tracks are nearer to their own profile than to the others'",
            f"{found['listeners_nearer_to_their_own_profile']} of {of}",
            "all",
        ),
        (
            "held-out NDCG@10 (popularity)",
            f"{found['held_out_ndcg_at_10']:.3f} ({found['held_out_ndcg_at_10_of_popularity']:.3f})",
            "–",
        ),
        ("training, seconds", f"{found['training_seconds']:.1f}", "≤ 30 (the original: one hour)"),
        ("peak memory of the process, MB", f"{found['peak_memory_mb']:.0f}", "≤ 600 (the original: 1,270)"),
    ]
    return [
        "| What | Reached | Aim |",
        "|---|---|---|",
        *(f"| {what} | {reached} | {aim} |" for what, reached, aim in figures),
    ]
