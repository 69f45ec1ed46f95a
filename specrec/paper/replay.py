"""replay(): the original project from its file to its figures, and what those figures hide."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specrec.features import FEATURES
from specrec.metrics import mean_pairwise_jaccard, r2_score
from specrec.paper.network import Epoch, Rows, Setting, accuracy_absolute, fit, predict
from specrec.paper.steps import Pairs, get_train_test_data, process_track_data

TOP = 10
TEMPO = FEATURES.index("tempo")


@dataclass(frozen=True, slots=True)
class Replay:
    """One run: its figures, its curves, and what it predicted for the test rows."""

    report: dict[str, Any]
    """Ready for JSON. Shares are 0-1; None where nothing can be measured."""
    epochs: list[Epoch]
    actual: NDArray[np.float64]
    """Scores of the test rows (rows,)."""
    predicted: NDArray[np.float32]
    """Their predictions (rows,)."""


def replay(
    file: Path, setting: Setting, seed: int = 0, on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None
) -> Replay:
    """Prepare, train, measure. The same file, setting, seed and machine give the same figures.

    Raises TableError where the file is not of the original form, and TrainingError where it is too small.
    """
    started = time.perf_counter()
    data, train, test = get_train_test_data(file, np.random.default_rng(seed), setting.score)
    with _torch(seed):
        network, epochs = fit(train, test, setting, on_epoch)
        predicted = predict(network, Rows.of(test, setting.encoding)).numpy()
        everything = predict(network, Rows.of(data, setting.encoding)).numpy()
    tops = [top_ten(scores) for scores in everything.reshape(len(data.user_ids), -1)]
    report = {
        "distinct_predictions": len(np.unique(predicted)),
        "r2": r2_score(test.scores, predicted),
        "score_tempo_correlation": score_tempo_correlation(file, data),
        "accuracy_published": epochs[-1].accuracy_published,
        "accuracy_absolute": epochs[-1].accuracy_absolute,
        "within_0_01": accuracy_absolute(predicted - test.scores, 0.01),
        "mean_jaccard": mean_pairwise_jaccard(tops),
        "seconds": round(time.perf_counter() - started, 2),
    }
    return Replay(report, epochs, test.scores, predicted)


def top_ten(scores: NDArray[np.floating]) -> list[int]:
    """The best ten of (tracks,), best first. Ties stay in the file's order, as in the original's list."""
    return [int(track) for track in np.argsort(-scores, kind="stable")[:TOP]]


def score_tempo_correlation(file: Path, data: Pairs) -> dict[str, float | None]:
    """Of each listener's scores of all tracks with the tracks' tempo; None where either does not vary."""
    tracks, _ = process_track_data(file)
    tempo = np.array([tracks[track][TEMPO] for track in data.track_ids])
    table = data.scores.reshape(len(data.user_ids), -1)
    return {user: _correlation(scores, tempo) for user, scores in zip(data.user_ids, table, strict=True)}


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


@contextmanager
def _torch(seed: int) -> Iterator[None]:
    """Seed and threads for the time of a run; both are as they were afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # batches of 50 through 72 units: a second thread only costs
        # Denormal numbers are slow, and stay: flushed, the decayed weights of the original stop at 1e-33, where they
        # really swing on, and every figure is another one.
        torch.set_flush_denormal(False)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
