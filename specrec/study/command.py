"""`specrec evaluate`: what it may be asked, and what it prints and writes."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from math import inf
from pathlib import Path

from specrec.errors import SpecrecError
from specrec.progress import Progress
from specrec.tables import read_interactions, read_tracks

PROTOCOLS = ("split", "leave-one-out", "cold-start", "time", "unseen-tracks")


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    positive: Callable[[str], int],
    days: Callable[[str], float],
) -> argparse.ArgumentParser:
    parser = commands.add_parser("evaluate", help="measure the network beside its tuned peers")
    parser.add_argument("--interactions", type=Path, required=True, metavar="FILE", help="CSV or CSV.gz")
    parser.add_argument("--tracks", type=Path, metavar="FILE", help="titles, artists, audio features; CSV or CSV.gz")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="split", help="what is held out")
    parser.add_argument("--baselines", choices=("all", "none"), default="all", help="the peers in the same run")
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N", help="how often the data is cut anew; default: once"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network trains")
    parser.add_argument(
        "--half-life", type=days, metavar="DAYS", default=inf, help="within which what was done counts half"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="where the PNG goes; default: beside the JSON, or else here"
    )
    return parser


def run(options: argparse.Namespace, show: Callable[[Progress], None]) -> list[str]:
    """Measure, write the files, and return the lines to print. Raises SpecrecError; OSError where the disk refuses."""
    # Here and not above: `specrec recommend` starts without torch and scipy.
    from specrec import protocols
    from specrec.baselines.base import Sample
    from specrec.baselines.grids import GRIDS
    from specrec.contender import NCFContender
    from specrec.study.comparison import compare
    from specrec.study.record import record
    from specrec.study.table import markdown
    from specrec.study.tuning import require_measurable

    if options.json is not None and not options.json.absolute().parent.is_dir():
        raise SpecrecError(f"the folder of {options.json} does not exist: make it first, or name another file")
    folder: Path = options.pictures or (options.json.parent if options.json else Path())
    folder.mkdir(parents=True, exist_ok=True)
    show(Progress("reading", 0.0))
    table = read_interactions(options.interactions)
    tracks = read_tracks(options.tracks) if options.tracks is not None else table.tracks
    sample = Sample.over(table.interactions, tracks, options.half_life)
    protocol = protocols.PROTOCOLS[options.protocol]
    require_measurable(protocol(sample, 0))  # whoever cannot be cut like that hears of it before anything is fitted
    found = record(
        compare(
            NCFContender(device=options.device),
            GRIDS if options.baselines == "all" else (),
            [partial(protocol, sample, seed) for seed in range(options.seeds)],
            ablate=options.seeds,
            on_progress=show,
        ),
        sample,
        options.protocol,
        datetime.now(UTC).date(),
    )
    lines = markdown(found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if find_spec("matplotlib") is None:
        return [*lines, "", "No picture: it needs matplotlib, the extra named pictures, as in specrec[pictures]."]
    from specrec.study.pictures import draw

    path = folder / f"evaluate-{options.protocol}.png"
    draw(found, f"{options.interactions.name.partition('.')[0]}, {options.protocol}", path)
    return [*lines, "", f"wrote {path}"]
