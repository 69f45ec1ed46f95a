"""The curves and the predictions as PNG. matplotlib is an extra, so nothing else of the replay imports it."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from specrec.paper.network import Epoch
from specrec.paper.replay import Replay

DOTS_PER_INCH = 120
BLUE, ORANGE, GREY = "#1f5a96", "#d1651a", "#777777"


def draw_loss(epochs: Sequence[Epoch], title: str, path: Path) -> None:
    figure, axes = _figure(title)
    numbers = range(1, len(epochs) + 1)
    axes.plot(numbers, [epoch.train_loss for epoch in epochs], color=BLUE, label="training rows")
    axes.plot(numbers, [epoch.test_loss for epoch in epochs], color=ORANGE, label="test rows")
    axes.set(xlabel="epoch", ylabel="loss (mean over batches)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    figure.savefig(path)


def draw_accuracy(epochs: Sequence[Epoch], title: str, path: Path) -> None:
    figure, axes = _figure(title)
    numbers = range(1, len(epochs) + 1)
    published = [100 * epoch.accuracy_published for epoch in epochs]
    absolute = [100 * epoch.accuracy_absolute for epoch in epochs]
    axes.plot(numbers, published, color=BLUE, label="as published: prediction − score ≤ 1e-8")
    axes.plot(numbers, absolute, color=ORANGE, label="as meant: |prediction − score| ≤ 1e-8")
    axes.set(xlabel="epoch", ylabel="test accuracy, %", ylim=(-3, 103))
    axes.legend(frameon=False)
    figure.savefig(path)


def draw_predictions(runs: Sequence[tuple[str, Replay]], path: Path) -> None:
    """A panel for each named run: what was predicted over what the score is, for the test rows."""
    figure = Figure(figsize=(4.2 * len(runs), 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    for axes, (title, run) in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs, strict=True):
        axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8)
        axes.scatter(run.actual, run.predicted, s=4, color=BLUE, alpha=0.25, edgecolors="none")
        axes.set(title=title, xlabel="score", ylabel="prediction", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        _plain(axes)
    figure.savefig(path)


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 3.8), dpi=DOTS_PER_INCH, layout="constrained")  # no pyplot: no state, no window
    axes = figure.subplots()
    axes.set_title(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # no half epochs
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
