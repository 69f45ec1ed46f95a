"""All parts of the quality report in one picture: a panel for each, the network beside its peers."""

from math import ceil
from pathlib import Path

from matplotlib.figure import Figure

from specrec.study.pictures import BLUE, DOTS_PER_INCH, GREY, bars, plain
from specrec.study.record import Record
from specrec.study.table import title

COLUMNS = 3


def draw(parts: list[tuple[str, Record]], path: Path) -> None:
    """NDCG@10 with its standard error; in each panel the best model is on top."""
    rows = ceil(len(parts) / COLUMNS)
    picture = Figure(figsize=(13, 2.9 * rows), dpi=DOTS_PER_INCH, layout="constrained")
    panels = picture.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (heading, found) in zip(panels, parts, strict=False):
        models: Record = found["models"]
        order = sorted(models, key=lambda name: models[name]["ndcg_at_10"]["mean"])
        figures = [models[name]["ndcg_at_10"] for name in order]
        bars(
            axes,
            [figure["mean"] for figure in figures],
            [figure["standard_error"] or 0.0 for figure in figures],
            [BLUE if name == "ncf" else GREY for name in order],
            heading,
        )
        axes.set_yticks(range(len(order)), [plain(title(name)) for name in order])
        for tick, name in zip(axes.get_yticklabels(), order, strict=True):
            tick.set(color=BLUE if name == "ncf" else "black", fontweight="bold" if name == "ncf" else "normal")
    for axes in panels[len(parts) :]:
        axes.set_visible(False)
    picture.suptitle("NDCG@10, full ranking", x=0.01, ha="left", fontsize=13, fontweight="bold")
    picture.savefig(path)
