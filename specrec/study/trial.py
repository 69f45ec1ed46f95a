"""One model fitted and measured on one cut after the other: what it costs and how good it is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from specrec.baselines.base import Contender, Scorer
from specrec.errors import TrainingError
from specrec.measuring import Measures, measure
from specrec.progress import Progress
from specrec.study.process import Say, forget_peak, peak_memory_mb
from specrec.study.tuning import Cut, measurable, seeded


@runtime_checkable
class Fused(Protocol):
    """A scorer that is made of parts, each of which can be tried without the others."""

    def ablations(self) -> dict[str, Scorer]:
        """By name: "X alone", "without X"."""
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
        if not measurable(split):
            raise TrainingError(
                f"there is nothing to measure by the protocol {split.protocol}: it needs members who like at least "
                "two tracks each, and others to learn from"
            )

        def told(progress: Progress, number: int = number) -> None:
            say(Progress(f"fitting {contender.name}", (number + 0.9 * progress.fraction) / len(cuts)))

        told(Progress("", 0.0))
        forget_peak()
        started = time.perf_counter()
        scorer = seeded(contender, split.seed, told).fit(split.sample)
        seconds, peak = time.perf_counter() - started, peak_memory_mb()
        say(Progress(f"measuring {contender.name}", (number + 0.9) / len(cuts)))
        parts = scorer.ablations() if isinstance(scorer, Fused) and number < ablate else {}
        trials.append(
            Trial(
                split.seed,
                measure(scorer, split, split.seed),
                seconds,
                peak,
                {name: measure(part, split, split.seed) for name, part in parts.items()},
            )
        )
    return trials
