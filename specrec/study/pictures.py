"""A record as a picture: every model's quality with its error, and what it costs."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from specrec.study.record import Record
from specrec.study.table import title

DOTS_PER_INCH = 130
BLUE, GREY, PALE, INK = "#1f5a96", "#b4bac3", "#e9ecf0", "#333333"
QUALITY = (
    ("ndcg_at_10", "NDCG@10"),
    ("recall_at_20", "recall@20"),
    ("mrr", "MRR"),
    ("coverage", "coverage"),
    ("inter_member_distance", "distance between\nmembers' top tens"),
)


def draw(record: Record, heading: str, path: Path) -> None:
    """A row for each model, best NDCG@10 on top; a panel for each measure. The network is blue, its peers are grey."""
    models: Record = record["models"]
    order = sorted(models, key=lambda name: models[name]["ndcg_at_10"]["mean"])
    first = next(iter(models))
    colours = [BLUE if name == first else GREY for name in order]
    height = 1.7 + 0.36 * len(order)
    picture = Figure(figsize=(13, height), dpi=DOTS_PER_INCH, layout="constrained")
    panels = picture.subplots(1, len(QUALITY) + 2, sharey=True, gridspec_kw={"width_ratios": [1.7, *[1.0] * 6]})
    for axes, (name, label) in zip(panels, QUALITY, strict=False):
        figures = [models[row][name] for row in order]
        means = [figure["mean"] or 0.0 for figure in figures]
        bars(axes, means, [figure["standard_error"] or 0.0 for figure in figures], colours, label)
    _seconds(panels[-2], [models[row]["fit_seconds"] for row in order], colours, "fit, seconds")
    memory = [models[row]["peak_memory_mb"] for row in order]
    bars(panels[-1], memory, [0.0] * len(order), colours, "peak memory, MB", "{:,.0f}")
    panels[0].set_yticks(range(len(order)), [plain(title(name)) for name in order])
    for tick, name in zip(panels[0].get_yticklabels(), order, strict=True):
        tick.set(color=BLUE if name == first else "black", fontweight="bold" if name == first else "normal")
    picture.suptitle(heading, x=0.01, ha="left", fontsize=13, fontweight="bold")
    picture.savefig(path)


def bars(
    axes: Axes, means: list[float], errors: list[float], colours: list[str], label: str, form: str = "{:.3f}"
) -> None:
    places = range(len(means))
    axes.barh(places, means, color=colours, height=0.6)
    if any(errors):
        axes.errorbar(means, places, xerr=errors, fmt="none", ecolor=INK, elinewidth=1.0, capsize=2.5)
    ends = [mean + error for mean, error in zip(means, errors, strict=True)]
    most = max(ends) or 1.0
    for place, mean, end in zip(places, means, ends, strict=True):
        axes.text(end + 0.03 * most, place, form.format(mean), va="center", fontsize=8, color=INK)
    axes.set_xlim(0, 1.4 * most)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _plain_axes(axes, label)


def _seconds(axes: Axes, values: list[float], colours: list[str], label: str) -> None:
    """On a logarithmic scale: fits differ by orders of magnitude. Less than a hundredth of a second is not told."""
    shown = [max(value, 0.01) for value in values]
    places = range(len(shown))
    axes.set_xscale("log")
    axes.hlines(places, 0.005, shown, color=PALE, linewidth=2, zorder=1)
    axes.scatter(shown, places, color=colours, s=26, zorder=2)
    for place, value, point in zip(places, values, shown, strict=True):
        text = "< 0.01" if value < 0.01 else f"{value:.2f}" if value < 1 else f"{value:,.3g}"
        axes.annotate(text, (point, place), (6, 0), textcoords="offset points", va="center", fontsize=8, color=INK)
    axes.set_xlim(0.005, max(max(shown), 1.0) * 30)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    _plain_axes(axes, label)


def _plain_axes(axes: Axes, label: str) -> None:
    axes.set_title(label, fontsize=9.5, loc="left")
    axes.tick_params(axis="both", labelsize=8, length=0)
    axes.tick_params(axis="y", labelsize=9.5)
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)


def plain(text: str) -> str:
    return text.replace("*", "").replace("`", "")
