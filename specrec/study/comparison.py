"""Every model on the same cuts: peers tuned, each model fitted in a process of its own, and measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from specrec.baselines.base import Contender
from specrec.errors import TrainingError
from specrec.progress import Progress, silent
from specrec.study.process import Say, apart
from specrec.study.trial import Trial, try_out
from specrec.study.tuning import Cut, Tuned, tune

TUNING_SHARE = 0.5  # of a peer's time, for the progress


@dataclass(frozen=True, slots=True)
class Entry:
    """A model under study, with its settings and a trial for each cut."""

    tuned: Tuned
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    entries: dict[str, Entry]
    """By name; the model under study first, then the peers in the order of their grids."""
    left_out: dict[str, str]
    """Peers that could not take part, and why, in a sentence."""


def compare(
    model: Contender,
    grids: Sequence[Sequence[Contender]],
    cuts: Sequence[Cut],
    *,
    tuned_on: int = 1,
    ablate: int = 0,
    on_progress: Say = silent,
) -> Comparison:
    """Each peer is tuned once, on the validation sets of the first `tuned_on` cuts, and keeps its settings for all.

    The model's parts are tried on the first `ablate` cuts. Raises TrainingError where the model itself fails.
    """
    entries: dict[str, Entry] = {}
    left_out: dict[str, str] = {}
    contenders = [(model,), *grids]

    def part(number: int, begin: float, share: float) -> Say:
        def say(progress: Progress) -> None:
            on_progress(Progress(progress.stage, (number + begin + share * progress.fraction) / len(contenders)))

        return say

    for number, grid in enumerate(contenders):
        begin = TUNING_SHARE if len(grid) > 1 else 0.0
        try:
            tuned = Tuned(grid[0], ())
            if len(grid) > 1:
                tuned = apart(tune, grid, cuts[:tuned_on], on_progress=part(number, 0.0, begin))
            trials = apart(try_out, tuned.contender, cuts, ablate, on_progress=part(number, begin, 1 - begin))
        except TrainingError as error:
            if number == 0:
                raise
            left_out[grid[0].name] = str(error)
        else:
            entries[grid[0].name] = Entry(tuned, tuple(trials))
    on_progress(Progress("done", 1.0))
    return Comparison(entries, left_out)
