"""One model fitted and measured on one cut after the other: what it costs and how good it is."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from scipy.sparse import csr_array

from specrec.baselines.base import Contender, Predictions
from specrec.measuring import Measures, measure, measure_all
from specrec.progress import Progress
from specrec.study.process import Say, forget_peak, peak_memory_mb
from specrec.study.tuning import Cut, require_measurable, seeded


@runtime_checkable
class Fused(Protocol):
    """A scorer that is made of parts, each of which can be tried without the others."""

    def score_parts(self, histories: csr_array) -> Mapping[str, Predictions]:
        """By name: "X alone", "without X"; as `Scorer.score`."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """`peak_memory_mb` is of the whole process: Python, the libraries, the data, and the fit."""

    seed: int
    measures: Measures
    fit_seconds: float
    peak_memory_mb: float
    ablation: dict[str, Measures]
    """Empty for models that are not made of parts, and where nobody asked."""


def try_out(contender: Contender, cuts: Sequence[Cut], ablate: int, say: Say) -> list[Trial]:
    """A trial for each cut, the seed of which is the model's too; on the first `ablate` cuts its parts are tried.

    Raises TrainingError where a cut leaves nothing to learn from or nobody to measure.
    """
    trials = []
    for number, cut in enumerate(cuts):
        split = cut()
        require_measurable(split)

        def told(progress: Progress, number: int = number) -> None:
            say(Progress(f"fitting {contender.name}", (number + 0.9 * progress.fraction) / len(cuts)))

        told(Progress("", 0.0))
        forget_peak()
        started = time.perf_counter()
        scorer = seeded(contender, split.seed, told).fit(split.sample)
        seconds, peak = time.perf_counter() - started, peak_memory_mb()
        say(Progress(f"measuring {contender.name}", (number + 0.9) / len(cuts)))
        parts = (
            measure_all(scorer.score_parts, split, split.seed) if isinstance(scorer, Fused) and number < ablate else {}
        )
        trials.append(
            Trial(
                split.seed,
                measure(scorer, split, split.seed),
                seconds,
                peak,
                parts,
            )
        )
    return trials
