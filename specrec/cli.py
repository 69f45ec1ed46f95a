"""specrec train | recommend | evaluate | paper: the library without the bot.

Every refusal is one sentence, and exit code 2.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from specrec.catalogue import Catalogue, Track
from specrec.checkpoint import active_version, publish
from specrec.errors import SpecrecError
from specrec.explanation import MAX_REASON
from specrec.history import HistoryItem
from specrec.paper import command as paper
from specrec.progress import Progress
from specrec.serving import Recommendation, ServedModel
from specrec.study import command as study
from specrec.tables import InteractionTable, read_interactions, read_users, write_recommendations


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for a refusal, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except SpecrecError as error:
        return _refuse(str(error))
    except BrokenPipeError:  # the reader of stdout has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        return _refuse(f"{error.filename} cannot be used: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _refuse(sentence: str) -> int:
    print(f"specrec: {sentence}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="specrec", description="Train a recommender and ask it for tracks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    training = commands.add_parser("train", help="train a model and make it the active version")
    training.set_defaults(command=_train)
    training.add_argument("--interactions", type=Path, required=True, metavar="FILE", help="CSV or CSV.gz")
    training.add_argument("--tracks", type=Path, metavar="FILE", help="titles, artists, audio features; CSV or CSV.gz")
    training.add_argument("--model", type=Path, required=True, metavar="DIR", help="where versions are kept")
    training.add_argument("--seed", type=_seed, default=0, metavar="N")
    training.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    training.add_argument(
        "--half-life",
        type=_days,
        default=inf,
        metavar="DAYS",
        help="within which what was done counts half; default: no end",
    )
    training.add_argument("--json", type=Path, metavar="FILE", help="write the report here")

    recommending = commands.add_parser("recommend", help="write lists as CSV")
    recommending.set_defaults(command=_recommend)
    recommending.add_argument("--model", type=Path, required=True, metavar="DIR")
    recommending.add_argument(
        "--history", type=Path, required=True, metavar="FILE", help="interactions of those asked for; CSV or CSV.gz"
    )
    who = recommending.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", metavar="ID")
    who.add_argument("--users", type=Path, metavar="FILE", help="CSV with a user_id column")
    who.add_argument("--all", action="store_true", help="everybody in the history")
    recommending.add_argument("--top", type=_positive, default=10, metavar="N")
    recommending.add_argument("--kind", choices=("mix", "new", "familiar"), default="mix")
    recommending.add_argument(
        "--per-artist", type=_natural, default=2, metavar="N", help="tracks of one artist at most; 0: no cap"
    )
    recommending.add_argument(
        "--explore", type=_natural, default=0, metavar="N", help="places kept for tracks that nobody has yet"
    )
    recommending.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")

    study.add_parser(commands, _positive, _days).set_defaults(command=_evaluate)

    replaying = paper.add_parser(commands)
    replaying.set_defaults(command=_paper)
    replaying.add_argument("--seed", type=_seed, default=0, metavar="N")
    return parser


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 on, found {text}")
    return int(text)


def _seed(text: str) -> int:
    seed = _natural(text)
    if seed >= 2**63:  # what torch takes
        raise argparse.ArgumentTypeError(f"expected a whole number below 2**63, found {text}")
    return seed


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days < inf:
        raise argparse.ArgumentTypeError(f"expected a number of days above 0, found {text}")
    return days


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, found {text}")
    return int(text)


def _train(options: argparse.Namespace) -> None:
    # The only command that needs torch: `recommend` starts without its two seconds and 200 MB.
    from specrec.training import train_version

    if options.json is not None and not options.json.absolute().parent.is_dir():
        raise SpecrecError(f"the folder of {options.json} does not exist: make it first, or name another file")
    with _progress() as show:
        trained = train_version(
            options.interactions,
            options.tracks,
            options.model,
            now=datetime.now(UTC),
            seed=options.seed,
            device=options.device,
            half_life_days=options.half_life,
            on_progress=show,
        )
    publish(trained.path)
    if options.json is not None:
        text = json.dumps({"version": trained.path.name, **trained.report}, indent=1, allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    for line in _summary(trained.path.name, trained.report):
        print(line)


def _recommend(options: argparse.Namespace) -> None:
    model = ServedModel.open(active_version(options.model))
    table = read_interactions(options.history)
    rows: list[tuple[object, ...]] = []
    for user in _users(options, table):
        lines = model.recommend(
            _history(table, user),
            top=options.top,
            kind=options.kind,
            per_artist=options.per_artist,
            explore=options.explore,
        )
        rows += [(user, line.rank, line.track_id, line.match, line.known, _reason(line)) for line in lines]
    write_recommendations(rows, sys.stdout if options.output is None else options.output)


def _paper(options: argparse.Namespace) -> None:
    with _progress() as show:
        lines = paper.run(options, show)
    for line in lines:
        print(line)


def _evaluate(options: argparse.Namespace) -> None:
    with _progress() as show:
        lines = study.run(options, show)
    for line in lines:
        print(line)


def _users(options: argparse.Namespace, table: InteractionTable) -> list[str]:
    """Who was asked for. One user without a history is refused; of several, those without are named and left out."""
    if options.all:
        return list(table.interactions.users)
    asked = [options.user] if options.user is not None else read_users(options.users)
    found = [user for user in asked if user in table.interactions.users]
    if not found:
        who = f"user {asked[0]}" if len(asked) == 1 else f"any of the {len(asked)} users asked for"
        raise SpecrecError(f"{options.history} holds no interaction of {who}: ask for a user_id that stands in it")
    if missing := [user for user in asked if user not in table.interactions.users]:
        named = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        print(f"specrec: left out, as {options.history} holds nothing of theirs: {named}", file=sys.stderr)
    return found


def _reason(line: Recommendation) -> str:
    """At most 120 characters."""
    text = f"new to everybody here; {line.reason}" if line.unheard else line.reason
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1].rstrip()}…"


def _history(table: InteractionTable, user: str) -> list[HistoryItem]:
    return [
        HistoryItem(row.track_id, row.kind, row.weight, row.timestamp, _track(table.tracks, row.track_id))
        for row in table.interactions.of_user(user)
    ]


def _track(tracks: Catalogue | None, track_id: str) -> Track | None:
    row = None if tracks is None else tracks.ids.row(track_id)
    return None if tracks is None or row is None else tracks.track(row)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere a line for each tenth of the way and each new stage."""
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description:<20}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Bar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("reading", total=1.0)
            yield lambda progress: bar.update(task, description=progress.stage, completed=progress.fraction)
        return
    said: set[tuple[str, int]] = set()

    def say(progress: Progress) -> None:
        place = (progress.stage, int(progress.fraction * 10))
        if place not in said:
            said.add(place)
            loss = "" if progress.loss is None else f", loss {progress.loss:.4f}"
            print(f"{progress.fraction:4.0%} {progress.stage}{loss}", file=sys.stderr, flush=True)

    yield say


def _summary(version: str, report: dict[str, Any]) -> list[str]:
    ndcg, r2 = report["ndcg_at_10"], report["compatibility_r2"]
    lines = [
        f"version {version}: {report['members']} members, {report['tracks']} tracks, "
        f"{report['interactions']} interactions, {report['seconds']:.1f} s, {report['peak_memory_mb']:.0f} MB"
    ]
    if ndcg["model"] is None:
        lines.append("held-out interactions: too few to measure")
    else:
        lines.append(f"held-out NDCG@10: {ndcg['model']:.3f} (popularity {ndcg['popularity']:.3f})")
    if r2 is not None:
        lines.append(f"held-out compatibility: R² {r2:.3f}")
    if report["mean_jaccard"] is not None:
        lines.append(f"mean pairwise Jaccard of the top tens: {report['mean_jaccard']:.3f}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
