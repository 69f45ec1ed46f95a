"""What the recommender reaches on the original project's five listeners: `python -m benchmarks.quality --data DIR`.

Writes benchmarks/quality.md with date, hardware and figures. The data itself is not part of this project.
"""

import argparse
import os
import platform
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
from specrec.tables import read_interactions
from specrec.taste import TasteProfile
from specrec.training import train_version

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    path = parser.parse_args().data / "original_five_listeners.csv"
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
        version = train_version(path, None, Path(folder), now=datetime.now(UTC))
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
    figures = [
        ("held-out compatibility scores, R²", f"{report['compatibility_r2']:.3f}", "≥ 0.95"),
        ("mean pairwise Jaccard of the top tens", f"{jaccard:.3f}", "≤ 0.05 (the original: 1.0)"),
        ("lists with a known track", f"{sum(any(line.known for line in ten) for ten in lists)} of {len(lists)}", "all"),
        ("listeners whose new tracks are nearer to their own profile than to the others'", f"{nearer} of 5", "all"),
        ("held-out NDCG@10 (popularity)", f"{report['ndcg_at_10']['model']:.3f} "
         f"({report['ndcg_at_10']['popularity']:.3f})", "–"),
        ("training, seconds", f"{report['seconds']:.1f}", "≤ 30 (the original: one hour)"),
        ("peak memory of the process, MB", f"{report['peak_memory_mb']:.0f}", "≤ 600 (the original: 1,270)"),
    ]  # fmt: skip
    lines = [
        "# Quality",
        "",
        f"The original project's five listeners, measured on {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}, torch {report['torch']}, seed {report['seed']}.",
        "Written by `python -m benchmarks.quality --data DIR`.",
        "",
        "| What | Reached | Aim |",
        "|---|---|---|",
        *(f"| {what} | {reached} | {aim} |" for what, reached, aim in figures),
    ]
    text = "\n".join(lines) + "\n"
    (HERE / "quality.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
