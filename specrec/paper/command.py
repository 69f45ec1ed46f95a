"""`specrec paper`: what it may be asked, and what it prints and writes."""

import argparse
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from specrec.errors import SpecrecError
from specrec.progress import Progress


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    parser = commands.add_parser("paper", help="replay the original project, and see why it collapsed")
    parser.add_argument(
        "--interactions", type=Path, required=True, metavar="FILE", help="of the original's 17 columns; CSV or CSV.gz"
    )
    parser.add_argument("--setting", choices=("best", "worst"), default="best", help="the report's best or worst")
    parser.add_argument(
        "--hypotheses", action="store_true", help="also try what the report suspected, and what was found (minutes)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="where the PNGs go; default: beside the JSON, or else here"
    )
    return parser


def run(options: argparse.Namespace, show: Callable[[Progress], None]) -> list[str]:
    """Replay, write the files, and return the lines to print. Raises SpecrecError; OSError where the disk refuses."""
    if find_spec("matplotlib") is None:
        raise SpecrecError("the curves need matplotlib: install the extra named pictures, as in specrec[pictures]")
    # Here and not above: the other commands start without torch and matplotlib.
    from specrec.paper.hypotheses import EVERYTHING, markdown, run_trials, trials
    from specrec.paper.network import BEST, WORST, Epoch
    from specrec.paper.pictures import draw_accuracy, draw_loss, draw_predictions
    from specrec.paper.replay import replay

    folder = options.pictures or (options.json.parent if options.json else Path())
    folder.mkdir(parents=True, exist_ok=True)
    setting = {"best": BEST, "worst": WORST}[options.setting]

    def on_epoch(number: int, epoch: Epoch) -> None:
        show(Progress("training", number / setting.epochs, number, epoch.train_loss))

    replayed = replay(options.interactions, setting, options.seed, on_epoch)
    pictures = [folder / f"paper-{options.setting}-{curve}.png" for curve in ("loss", "accuracy")]
    draw_loss(replayed.epochs, f"Loss of the original, {options.setting} setting", pictures[0])
    draw_accuracy(replayed.epochs, f"Accuracy of the original, {options.setting} setting", pictures[1])
    report: dict[str, Any] = dict(replayed.report)
    lines = _lines(report)
    if options.hypotheses:
        outcomes = run_trials(
            options.interactions,
            trials(setting),
            options.seed,
            lambda done, of: show(Progress("trying hypotheses", done / of)),
        )
        report["hypotheses"] = [outcome.as_record() for outcome in outcomes]
        pictures.append(folder / f"paper-{options.setting}-predictions.png")
        mended = next(outcome.run for outcome in outcomes if outcome.trial.change == EVERYTHING)
        draw_predictions([("as published", replayed), ("every cause mended", mended)], pictures[-1])
        lines += ["", *markdown(outcomes)]
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return [*lines, "", *(f"wrote {path}" for path in pictures)]


def _lines(report: dict[str, Any]) -> list[str]:
    """Each figure under its name in the JSON; shares in per cent."""
    width = max(map(len, report)) + 2
    return [f"{name:<{width}}{_shown(name, value)}" for name, value in report.items()]


def _shown(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{user} {_shown(name, figure)}" for user, figure in value.items())
    if value is None:
        return "–"
    if name.startswith(("accuracy", "within")):
        return f"{value:.1%}"
    return f"{value:.5f}" if isinstance(value, float) and name != "seconds" else str(value)
