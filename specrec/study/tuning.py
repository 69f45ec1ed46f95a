"""A peer's settings: those of its grid that do best on validation sets, cut out of what may be learned from."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from specrec.baselines.base import Contender
from specrec.errors import SpecrecError, TrainingError
from specrec.measuring import measure
from specrec.progress import Progress
from specrec.protocols import Split, validation
from specrec.study.process import Say

Cut = Callable[[], Split]
"""Makes one cut of one data set, the same each time; picklable."""
NOT_SETTINGS = ("name", "seed", "device", "schedule", "on_progress")


@dataclass(frozen=True, slots=True)
class Tuned:
    """`tried` holds every contender of the grid with its mean NDCG@10 on the validation sets; empty: nothing to
    choose, or nothing to choose it on."""

    contender: Contender
    tried: tuple[tuple[Contender, float], ...]


def tune(grid: Sequence[Contender], cuts: Sequence[Cut], say: Say) -> Tuned:
    """The contender with the best NDCG@10 over the validation sets of all `cuts` together; of equals the first.

    Where no validation set has anybody to measure, the first of the grid is taken as it is.
    """
    if len(grid) == 1:
        return Tuned(grid[0], ())
    inner = [cut for cut in (_validation(cut()) for cut in cuts) if cut is not None]
    if not inner:
        return Tuned(grid[0], ())
    tried = []
    for number, contender in enumerate(grid):
        say(Progress(f"tuning {contender.name}", number / len(grid)))
        values = [measure(seeded(contender, cut.seed).fit(cut.sample), cut).ndcg_at_10 for cut in inner]
        tried.append((contender, float(np.concatenate(values).mean())))
    best = max(tried, key=lambda pair: pair[1])  # the first of equals
    return Tuned(best[0], tuple(tried))


def _validation(of: Split) -> Split | None:
    """None where a second cut leaves nothing to learn from, or nobody to measure."""
    try:
        inner = validation(of)
    except SpecrecError:  # the protocol cannot cut this
        return None
    return inner if measurable(inner) else None


def measurable(split: Split) -> bool:
    return bool(split.members) and bool((split.sample.histories.data > 0).any())


def require_measurable(split: Split) -> None:
    """Raises TrainingError where there is nothing to learn from, or nobody to measure."""
    if not measurable(split):
        raise TrainingError(
            f"there is nothing to measure by the protocol {split.protocol}: it needs members who like at least two "
            "tracks each, and others to learn from"
        )


def seeded(contender: Contender, seed: int, on_progress: Say | None = None) -> Contender:
    """The same with this seed and somebody who is told, where it takes them."""
    whole: Any = contender
    given = {"seed": seed, **({} if on_progress is None else {"on_progress": on_progress})}
    taken = {field.name for field in fields(whole)} & set(given)
    changed: Contender = replace(whole, **{name: given[name] for name in taken})
    return changed


def settings(contender: Contender) -> dict[str, Any]:
    """What a grid varies, by name; nothing of a model that has one setting for all data."""
    whole: Any = contender
    return {name: value for name, value in asdict(whole).items() if name not in NOT_SETTINGS}
