"""What the recommender costs beside its peers: `python -m benchmarks.speed [--data DIR]`.

Training time and peak memory of the network and of each peer that can do it at all, lists per second, and what serving
one member takes. Each fit has a process of its own. `--only NAME` measures single parts; every figure goes into
benchmarks/speed.json as soon as it is known, and benchmarks/speed.md is written anew from all that is there.
"""

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.synthetic import Size, community
from specrec.baselines.als import ALS
from specrec.baselines.artist_count import ArtistCount
from specrec.baselines.base import Contender, Sample
from specrec.baselines.content import Content
from specrec.baselines.ease import EASE
from specrec.baselines.item_knn import ItemKNN
from specrec.baselines.popularity import Popularity
from specrec.checkpoint import write_version
from specrec.errors import SpecrecError
from specrec.history import HistoryItem
from specrec.serving import ServedModel
from specrec.study.process import Say, apart, forget_peak, peak_memory_mb
from specrec.study.record import Record, hardware
from specrec.study.table import title
from specrec.tables import read_interactions, read_tracks

HERE = Path(__file__).parent
RESULTS = HERE / "speed.json"
LASTFM = "lastfm"
SIZES = {
    "dense": Size(6_000, 3_400, 1_000_000),
    "wide": Size(50_000, 200_000, 1_000_000),
    "large": Size(200_000, 500_000, 10_000_000),
}
TRAINING_AIMS = {LASTFM: "≤ 60 s", "dense": "≤ 600 s, ≤ 3 GB", "wide": "≤ 600 s, ≤ 3 GB", "large": "≤ 1,800 s, ≤ 8 GB"}
LISTS, SERVING_SMALL, SERVING_LARGE = "lists", "serving-20000", "serving-200000"
LISTING = Size(10_000, 20_000, 500_000)
SERVING = {SERVING_SMALL: LISTING, SERVING_LARGE: SIZES["wide"]}
SERVING_AIMS = {SERVING_SMALL: "≤ 5 ms, ≤ 150 MB", SERVING_LARGE: "≤ 50 ms, ≤ 150 MB"}
EVERYTHING = (LASTFM, *SIZES, LISTS, *SERVING)
PEERS: tuple[Contender, ...] = (Popularity(), Content(), ArtistCount(), ItemKNN(), EASE(), ALS(64))
LISTED, TOP = 2_000, 100  # members, tracks
SERVED = 200  # members


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="for lastfm_listening; without it that part is left out"
    )
    parser.add_argument("--only", action="append", choices=EVERYTHING, metavar="NAME", help=", ".join(EVERYTHING))
    parser.add_argument(
        "--model", action="append", metavar="NAME", help="of a training part only these, as ncf or ease"
    )
    parser.add_argument("--missing", action="store_true", help="only what has no result yet")
    parser.add_argument("--minutes", type=int, default=40, help="after which a fit is given up; default: 40")
    parser.add_argument("--gigabytes", type=float, default=12.0, help="of addresses that a fit may take; default: 12")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FILE", help="default: benchmarks/speed.json")
    options = parser.parse_args()
    results: Record = json.loads(options.output.read_text("utf-8")) if options.output.exists() else {}
    for name in options.only or EVERYTHING:
        if (options.missing and name in results) or (name == LASTFM and options.data is None):
            continue
        found = results.setdefault(name, {})
        for key, measure in _measurements(name, options):
            print(f"{datetime.now(UTC):%H:%M:%S} {name}: {key}", file=sys.stderr, flush=True)
            try:
                found[key] = measure()
            except SpecrecError as error:
                late = f"exit code -{int(signal.SIGALRM)})" in str(error)
                found[key] = {"refused": f"not done in {options.minutes} minutes" if late else str(error)}
            print(f"  {found[key]}", file=sys.stderr, flush=True)
            about = {"hardware": hardware(), "date": datetime.now(UTC).date().isoformat()}
            results.setdefault("about", {})[name] = about
            options.output.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", "utf-8")
    text = "\n".join(_report(results)).rstrip() + "\n"
    options.output.with_suffix(".md").write_text(text, "utf-8")
    print(text)


def _measurements(name: str, options: argparse.Namespace) -> list[tuple[str, Any]]:
    """(key, what measures it) one after the other."""
    limits = (options.minutes, options.gigabytes)
    if name in SERVING:
        return [("ncf", lambda: _served(SERVING[name], limits))]
    from specrec.contender import NCFContender  # torch: a process that fits a peer loads this file, but not that

    contenders = [one for one in (NCFContender(), *PEERS) if not options.model or one.name in options.model]
    if name == LISTS:
        return [(one.name, lambda one=one: apart(_listed, one, limits)) for one in contenders]
    source = options.data if name == LASTFM else SIZES[name]
    return [(one.name, lambda one=one: apart(_fitted, source, one, limits)) for one in contenders]


def _sample(source: Path | Size) -> Sample:
    if isinstance(source, Size):
        return community(source)
    interactions = read_interactions(source / "lastfm_listening.interactions.csv.gz").interactions
    return Sample.over(interactions, read_tracks(source / "lastfm_listening.tracks.csv.gz"))


def _limit(limits: tuple[int, float]) -> None:
    """This process and no other pays for a fit that would take all memory, or no end."""
    minutes, gigabytes = limits
    size = int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    signal.alarm(60 * minutes)


def _fitted(source: Path | Size, contender: Contender, limits: tuple[int, float], say: Say) -> Record:
    sample = _sample(source)
    _limit(limits)
    forget_peak()
    before = peak_memory_mb()
    started = time.perf_counter()
    contender.fit(sample)
    return {
        "seconds": round(time.perf_counter() - started, 3),
        "peak_memory_mb": peak_memory_mb(),
        "before_mb": before,
    }


def _listed(contender: Contender, limits: tuple[int, float], say: Say) -> Record:
    sample = community(LISTING)
    _limit(limits)
    scorer = contender.fit(sample)
    started = time.perf_counter()
    size = 200
    for first in range(0, LISTED, size):
        histories = sample.histories[first : first + size]
        scores = np.array(scorer.score(histories).ranking)
        scores[np.repeat(np.arange(len(scores)), np.diff(histories.indptr)), histories.indices] = -np.inf
        best = np.argpartition(scores, -TOP, axis=1)[:, -TOP:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        np.take_along_axis(best, order, axis=1)
    return {"members_per_second": round(LISTED / (time.perf_counter() - started), 1)}


def _served(size: Size, limits: tuple[int, float]) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        path, arrays = apart(_version, size, Path(folder), limits)
        return {**apart(_serve, size, path), "arrays_mb": arrays}


def _version(size: Size, folder: Path, limits: tuple[int, float], say: Say) -> tuple[Path, float]:
    from specrec.training import TrainingOptions, train

    sample = community(size)
    _limit(limits)
    result = train(sample.interactions, sample.catalogue, options=TrainingOptions(hold_out=False))
    path = write_version(folder, result.model.catalogue, result.model.arrays, {}, datetime.now(UTC))
    return path, round(sum(array.nbytes for array in result.model.arrays.values()) / 1e6, 1)


def _serve(size: Size, path: Path, say: Say) -> Record:
    """`recommend` for members evenly spread over all; memory that is not the mapped arrays', above what was there."""
    sample = community(size)
    users = np.linspace(0, size.members - 1, SERVED + 20).astype(np.int64)
    histories = []
    for user in users:
        rows = sample.interactions.of_user(sample.interactions.users.ids[user])
        histories.append([HistoryItem(row.track_id, row.kind, row.weight) for row in rows])
    del sample
    forget_peak()
    before = _anonymous_mb()
    model = ServedModel.open(path)
    for history in histories[:20]:
        model.recommend(history)
    forget_peak()
    seconds = []
    for history in histories[20:]:
        started = time.perf_counter()
        model.recommend(history)
        seconds.append(time.perf_counter() - started)
    milliseconds = 1e3 * np.array(seconds)
    return {
        "milliseconds_median": round(float(np.median(milliseconds)), 2),
        "milliseconds_95": round(float(np.quantile(milliseconds, 0.95)), 2),
        # At the peak as many pages of the arrays were mapped as are now: all that 200 members need.
        "beyond_arrays_mb": round(peak_memory_mb() - _status_mb("RssFile") - before, 1),
        "history_mean": round(float(np.mean([len(history) for history in histories])), 1),
    }


def _anonymous_mb() -> float:
    return _status_mb("RssAnon")


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))


# The report


def _report(results: Record) -> list[str]:
    lines = ["# Speed", ""]
    if "about" in results:
        lines += [
            "Written by `python -m benchmarks.speed --data DIR`; raw figures in [speed.json](speed.json).",
            "",
            *_machines(results["about"]),
            "",
            "Synthetic communities have members with three tastes each, popular and rare tracks, artists, and features "
            "for 70 % of the tracks. Peers have their grids' first settings, ALS 64 factors. Peak memory is of the "
            "whole process: Python, the libraries, the data and the fit.",
        ]
    for name in (LASTFM, *SIZES):
        if name in results:
            heading = "lastfm_listening" if name == LASTFM else str(SIZES[name])
            lines += ["", f"## Training: {heading}", "", f"Aim for the network: {TRAINING_AIMS[name]}.", ""]
            lines += ["| model | seconds | peak, MB |", "|---|---:|---:|"]
            lines += [_training_row(model, found) for model, found in results[name].items()]
    if LISTS in results:
        lines += ["", f"## Top-{TOP} lists: {LISTING}", "", "Aim for the network: ≥ 1,000 members/s.", ""]
        lines += ["| model | members/s |", "|---|---:|"]
        lines += [f"| {title(model)} | {_per_second(found)} |" for model, found in results[LISTS].items()]
    served = [(name, results[name]["ncf"]) for name in SERVING if name in results]
    if served:
        lines += [
            "",
            "## Serving one member",
            "",
            "| tracks | history | median, ms | 95 %, ms | beyond the arrays, MB | arrays, MB | aim |",
        ]
        lines += ["|---:|---:|---:|---:|---:|---:|---|"]
        lines += [_serving_row(name, found) for name, found in served]
    return lines


def _machines(about: Record) -> list[str]:
    """A line for each machine and day, with the parts that were measured there."""
    parts: dict[str, list[str]] = {}
    for name, one in about.items():
        machine = one["hardware"]
        where = (
            f"{machine['cores']} cores ({machine['processor']}), Python {machine['python']}, torch {machine['torch']}"
        )
        said = f"{name} ({one['note']})" if "note" in one else name  # by hand, where something was measured otherwise
        parts.setdefault(f"{where}, {one['date']}", []).append(said)
    return [f"- {where}: {', '.join(names)}" for where, names in parts.items()]


def _per_second(found: Record) -> str:
    return f"cannot: {found['refused']}" if "refused" in found else f"{found['members_per_second']:,.0f}"


def _training_row(model: str, found: Record) -> str:
    if "refused" in found:
        return f"| {title(model)} | cannot: {found['refused']} | – |"
    return f"| {title(model)} | {found['seconds']:,.1f} | {found['peak_memory_mb']:,.0f} |"


def _serving_row(name: str, found: Record) -> str:
    tracks = f"{SERVING[name].tracks:,}"
    if "refused" in found:
        return f"| {tracks} | cannot: {found['refused']} | – | – | – | – | {SERVING_AIMS[name]} |"
    figures = (
        f"{found['history_mean']:.0f}",
        f"{found['milliseconds_median']:.1f}",
        f"{found['milliseconds_95']:.1f}",
        f"{found['beyond_arrays_mb']:.0f}",
        f"{found['arrays_mb']:,.0f}",
    )
    return f"| {tracks} | {' | '.join(figures)} | {SERVING_AIMS[name]} |"


if __name__ == "__main__":
    main()
