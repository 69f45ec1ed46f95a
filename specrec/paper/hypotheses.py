"""Which change ends the collapse: the report's four suspicions, then the causes found, alone and together."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from specrec.paper.network import Setting
from specrec.paper.replay import Replay, replay

ENOUGH_R2 = 0.1  # better than one number for everything, by more than chance
FEW_SHARED = 0.5  # of the top tens, as mean Jaccard

UNCHANGED = "as published"
SUSPECTED = "a suspicion of the report, on the original's encoding"
ALONE = "a cause, mended alone"
TOGETHER = "causes mended together"
EVERYTHING = "ids, score, accuracy, weight decay 1e-05"
AGAIN = "the suspicions again, on mended ids and score"


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of the table; `honest` reads the accuracy by its absolute value."""

    group: str
    change: str
    setting: Setting
    honest: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial and its run; trials that differ only in how they are read share a run."""

    trial: Trial
    run: Replay

    @property
    def ended(self) -> bool:
        """The predictions follow the score, and the listeners' top tens differ. Without both, nobody gains."""
        r2, shared = self.run.report["r2"], self.run.report["mean_jaccard"]
        return r2 is not None and shared is not None and r2 > ENOUGH_R2 and shared < FEW_SHARED

    @property
    def accuracy(self) -> float:
        reading = "accuracy_absolute" if self.trial.honest else "accuracy_published"
        return float(self.run.report[reading])

    def as_record(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"group": self.trial.group, "change": self.trial.change, "ended": self.ended, **self.run.report}


def trials(base: Setting) -> list[Trial]:
    """Every row of the table, in its order; `base` is what all of them start from."""
    indices, score = replace(base, encoding="index"), replace(base, score="standardised")
    mended = replace(indices, score="standardised")
    gentle = 1e-5
    return [
        Trial(UNCHANGED, "nothing", base),
        *_of(SUSPECTED, base, "activation", activation=("leaky relu", "tanh", "gelu")),
        *_of(SUSPECTED, base, "hidden layers", hidden=((64,), (256, 128, 64), (64,) * 8)),
        *_of(SUSPECTED, base, "learning rate", learning_rate=(0.0001, 0.01, 0.1)),
        *_of(SUSPECTED, base, "weight decay", weight_decay=(0, 1e-5, 0.01)),
        *_of(SUSPECTED, base, "loss", loss=("mae", "huber", "cross-entropy")),
        Trial(ALONE, "ids as indices", indices),
        Trial(ALONE, "standardised score", score),
        Trial(ALONE, "honest accuracy", base, honest=True),
        Trial(ALONE, "rows shuffled", replace(base, shuffle=True)),
        Trial(TOGETHER, "ids, score, accuracy", mended, honest=True),
        Trial(TOGETHER, "ids, score, accuracy, rows shuffled", replace(mended, shuffle=True), honest=True),
        Trial(TOGETHER, "ids, score, accuracy, weight decay 0", replace(mended, weight_decay=0.0), honest=True),
        Trial(TOGETHER, EVERYTHING, replace(mended, weight_decay=gentle), honest=True),
        Trial(TOGETHER, "the same without the ids", replace(score, weight_decay=gentle), honest=True),
        Trial(TOGETHER, "the same without the score", replace(indices, weight_decay=gentle), honest=True),
        *_of(AGAIN, mended, "activation", activation=("tanh",)),
        *_of(AGAIN, mended, "hidden layers", hidden=((64,),)),
        *_of(AGAIN, mended, "learning rate", learning_rate=(0.0001, 0.01)),
        *_of(AGAIN, mended, "loss", loss=("mae",)),
    ]


def _of(group: str, base: Setting, label: str, **values: tuple[Any, ...]) -> Iterator[Trial]:
    (field, options), *_ = values.items()
    for option in options:
        shown = "-".join(map(str, option)) if isinstance(option, tuple) else option
        yield Trial(group, f"{label} {shown}", replace(base, **{field: option}), honest=group == AGAIN)


def run_trials(
    file: Path, rows: Iterable[Trial], seed: int, on_done: Callable[[int, int], None], workers: int | None = None
) -> list[Outcome]:
    """Run every trial, several at a time in processes of their own; `on_done` gets how many of how many are done.

    `workers` None: one for each processor. Raises what `replay` raises.
    """
    rows = list(rows)
    settings = list(dict.fromkeys(trial.setting for trial in rows))
    runs: dict[Setting, Replay] = {}
    spawned = multiprocessing.get_context("spawn")  # torch does not survive a fork
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=spawned) as pool:
        waiting = {pool.submit(replay, file, setting, seed): setting for setting in settings}
        for done in as_completed(waiting):
            runs[waiting[done]] = done.result()
            on_done(len(runs), len(settings))
    return [Outcome(trial, runs[trial.setting]) for trial in rows]


def markdown(outcomes: Iterable[Outcome]) -> list[str]:
    """The table, a line each; a row whose accuracy is read by its absolute value has it marked with |·|."""
    lines = [
        "| change | distinct predictions | R² | accuracy | within 0.01 | mean Jaccard | collapse ended |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for group, members in groupby(outcomes, key=lambda outcome: outcome.trial.group):
        lines.append(f"| **{group}** | | | | | | |")
        lines += [_line(outcome) for outcome in members]
    return lines


def _line(outcome: Outcome) -> str:
    report = outcome.run.report
    cells = (
        outcome.trial.change,
        f"{report['distinct_predictions']:,}",
        _number(report["r2"]),
        f"{outcome.accuracy:.1%}" + r" \|·\|" * outcome.trial.honest,
        f"{report['within_0_01']:.1%}",
        _number(report["mean_jaccard"]),
        "**yes**" if outcome.ended else "no",
    )
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")  # + 0.0: no minus before a zero
