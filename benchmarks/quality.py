"""What the recommender reaches beside its tuned peers: `python -m benchmarks.quality --data DIR`.

Part by part (`--only NAME`, several times if need be; `--missing` for those that have no result yet): each part's
figures go into benchmarks/quality.json as soon as they are known, and benchmarks/quality.md and quality.png are written
anew from all that is there. The data itself is not part of this project.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.original_listeners import aims, lines_of
from specrec.baselines.base import Sample
from specrec.baselines.grids import GRIDS
from specrec.catalogue import Catalogue
from specrec.interactions import Interactions
from specrec.progress import Progress
from specrec.protocols import PROTOCOLS, Split, fold_in
from specrec.study.comparison import compare
from specrec.study.record import Record, against, differences, hardware, record
from specrec.study.table import deep_sentence, markdown, signed, title
from specrec.tables import read_interactions, read_tracks

# What fits a peer loads this file: torch and matplotlib are imported where they are needed, and weigh on nobody else.

HERE = Path(__file__).parent
RESULTS = HERE / "quality.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the table: a data set, a protocol, and what is aimed at."""

    data: str
    protocol: str
    seeds: int
    heading: str
    peer: str | None = None
    """Whom it has to hold against; None: the best single peer."""
    aim: float | None = None
    """Times the peer's NDCG@10."""
    members: int | None = None
    """Each seed draws as many and knows nobody else."""
    tracks: int | None = None
    """Only as many, those that most members have, and members with at least `ENOUGH` of them: denser."""
    share: float = 1.0
    """Of the interactions, drawn at random: sparser."""
    tuned_on: int = 1


PARTS = {
    "lastfm-split": Part("lastfm_listening", "split", 5, "lastfm_listening, split", aim=1.05),
    "lastfm-cold": Part("lastfm_listening", "cold-start", 5, "lastfm_listening, cold start", aim=1.05),
    "lastfm-leave-one-out": Part("lastfm_listening", "leave-one-out", 1, "lastfm_listening, leave one out"),
    "playlists-split": Part("playlists_audio", "split", 5, "playlists_audio, split", aim=1.05),
    "playlists-cold": Part("playlists_audio", "cold-start", 5, "playlists_audio, cold start", aim=1.05),
    "lastfm-50": Part(
        "lastfm_listening", "split", 20, "lastfm_listening, 50 members drawn, split", aim=1.1, members=50, tuned_on=20
    ),
    "lastfm-12": Part(
        "lastfm_listening", "split", 20, "lastfm_listening, 12 members drawn, split", aim=1.1, members=12, tuned_on=20
    ),
    "lastfm-dense": Part("lastfm_listening", "split", 5, "lastfm_listening, its 300 most heard, split", tracks=300),
    "lastfm-sparse": Part("lastfm_listening", "split", 5, "lastfm_listening, a quarter of it, split", share=0.25),
    "original-split": Part(
        "original_five_listeners", "split", 20, "original five listeners, split", peer="artist_count", tuned_on=5
    ),
    "playlists-unseen": Part(
        "playlists_audio", "unseen-tracks", 5, "playlists_audio, unseen tracks", peer="content", aim=1.25
    ),
}
ENOUGH = 12
ABLATED = 2  # cuts on which the parts of the network are tried one by one
FOLD_IN = "fold-in"
FOLD_IN_SEEDS = 3
ORIGINAL = "original"
EVERYTHING = (ORIGINAL, *PARTS, FOLD_IN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", action="append", choices=EVERYTHING, metavar="NAME", help=", ".join(EVERYTHING))
    parser.add_argument("--missing", action="store_true", help="only what has no result yet")
    parser.add_argument("--seeds", type=int, metavar="N", help="fewer cuts, to try a part out; not for the report")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FILE", help="default: benchmarks/quality.json")
    options = parser.parse_args()
    results: Record = json.loads(options.output.read_text("utf-8")) if options.output.exists() else {}
    for name in options.only or EVERYTHING:
        if options.missing and name in results:
            continue
        started = time.perf_counter()
        results[name] = _run(name, options.data, options.seeds)
        results[name]["seconds"] = round(time.perf_counter() - started, 1)
        print(f"{name}: {results[name]['seconds']:.0f} s", file=sys.stderr, flush=True)
        options.output.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", "utf-8")
        _write(results, options.output)
    _write(results, options.output)
    print(options.output.with_suffix(".md").read_text("utf-8"))


def _run(name: str, data: Path, seeds: int | None) -> Record:
    if name == ORIGINAL:
        return aims(data / "original_five_listeners.csv")
    if name == FOLD_IN:
        return _fold_in(data_set(data, "lastfm_listening"), seeds or FOLD_IN_SEEDS)
    from specrec.contender import NCFContender

    part = PARTS[name]
    sample = _cut_down(data_set(data, part.data), part)
    comparison = compare(
        NCFContender(),
        GRIDS,
        [partial(_cut, sample, part.protocol, part.members, seed) for seed in range(seeds or part.seeds)],
        tuned_on=part.tuned_on,
        ablate=ABLATED,
        on_progress=_show(name),
    )
    return record(comparison, sample, part.protocol, _today())


def _fold_in(sample: Sample, seeds: int) -> Record:
    """The same members with the same histories, inside the training and outside of it: the network alone."""
    from specrec.contender import NCFContender

    found = {}
    for side, place in enumerate(("inside", "outside")):
        cuts = [partial(_side, sample, side, seed) for seed in range(seeds)]
        comparison = compare(NCFContender(), (), cuts, on_progress=_show(f"{FOLD_IN}, {place}"))
        found[place] = [trial.measures for trial in comparison.entries["ncf"].trials]
    means = {
        place: float(np.concatenate([one.ndcg_at_10 for one in measures]).mean()) for place, measures in found.items()
    }
    return {
        "date": _today().isoformat(),
        "hardware": hardware(),
        "seeds": list(range(seeds)),
        "ndcg_at_10": means,
        "ratio": means["outside"] / means["inside"],
        "difference": differences(found["outside"], found["inside"])["ndcg_at_10"],
    }


def _cut(sample: Sample, protocol: str, members: int | None, seed: int) -> Split:
    return PROTOCOLS[protocol](sample if members is None else _drawn(sample, members, seed), seed)


def _side(sample: Sample, side: int, seed: int) -> Split:
    return fold_in(sample, seed)[side]


def _drawn(sample: Sample, members: int, seed: int) -> Sample:
    """A community of `members` members at random, and of the tracks that they have."""
    users = sample.interactions.users.ids
    chosen = np.random.default_rng(seed).permutation(len(users))[:members]
    return _part_of(sample, np.isin(sample.interactions.user_rows, chosen))


def _cut_down(sample: Sample, part: Part) -> Sample:
    """To the tracks that most have, or to a share of the interactions."""
    interactions = sample.interactions
    if part.tracks is not None:
        heard = np.bincount(interactions.track_rows)
        sample = _part_of(sample, np.isin(interactions.track_rows, np.argsort(-heard, kind="stable")[: part.tracks]))
        counts = np.bincount(sample.interactions.user_rows)
        sample = _part_of(sample, counts[sample.interactions.user_rows] >= ENOUGH)
    if part.share < 1:
        sample = _part_of(sample, np.random.default_rng(0).random(len(interactions)) < part.share)
    return sample


def _part_of(sample: Sample, rows: NDArray[np.bool_]) -> Sample:
    """Some of the interactions, and the tracks that are in them."""
    whole = sample.interactions
    interactions = Interactions.from_columns(
        [whole.users.ids[user] for user in whole.user_rows[rows]],
        [whole.tracks.ids[track] for track in whole.track_rows[rows]],
        whole.kinds[rows],
        whole.weights[rows],
        whole.timestamps[rows],
    )
    tracks = [
        sample.catalogue.track(row) for id_ in interactions.tracks if (row := sample.catalogue.ids.row(id_)) is not None
    ]
    return Sample.over(interactions, Catalogue.from_tracks(tracks))


@cache
def data_set(data: Path, name: str) -> Sample:
    if name == "original_five_listeners":
        table = read_interactions(data / f"{name}.csv")
        return Sample.over(table.interactions, table.tracks)
    interactions = read_interactions(data / f"{name}.interactions.csv.gz").interactions
    return Sample.over(interactions, read_tracks(data / f"{name}.tracks.csv.gz"))


def _show(name: str) -> Callable[[Progress], None]:
    said: set[tuple[str, int]] = set()

    def show(progress: Progress) -> None:
        place = (progress.stage, int(progress.fraction * 20))
        if place not in said:
            said.add(place)
            now = f"{datetime.now(UTC):%H:%M:%S}"
            print(f"{now} {name}: {progress.fraction:4.0%} {progress.stage}", file=sys.stderr, flush=True)

    return show


def _today() -> date:
    return datetime.now(UTC).date()


# The report


def _write(results: Record, raw: Path) -> None:
    measured = {name: results[name] for name in PARTS if name in results}
    lines = ["# Quality", "", *_where(results), ""]
    if measured:
        from benchmarks.quality_picture import draw

        lines += _reach(results, measured)
        picture = raw.with_suffix(".png")
        draw([(PARTS[name].heading, found) for name, found in measured.items()], picture)
        lines += ["", f"![NDCG@10 of the network and its peers, with standard errors]({picture.name})", ""]
    if ORIGINAL in results:
        lines += ["## The original project's five listeners, as served", "", *lines_of(results[ORIGINAL]), ""]
    for name, found in measured.items():
        lines += [f"## {PARTS[name].heading}", "", *markdown(found), ""]
    raw.with_suffix(".md").write_text("\n".join(lines).rstrip() + "\n", "utf-8")


def _where(results: Record) -> list[str]:
    machines = sorted({_machine(found["hardware"]) for found in results.values()})
    dates = sorted({found["date"] for found in results.values()})
    when = dates[0] if len(set(dates)) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""
    seconds = sum(found["seconds"] for found in results.values())
    return [
        f"Measured {when} on {'; '.join(machines)}; {seconds / 60:.0f} minutes in all. Written by `python -m "
        "benchmarks.quality --data DIR`; every figure, with those of each peer's tuning, is in "
        "[quality.json](quality.json).",
        "",
        "The network has one set of defaults for all data. Each peer is tuned on validation sets inside the training "
        "part, once for each data set and protocol on that of the first seed, and keeps its settings for the other "
        "seeds; for drawn communities on those of all draws together, for the original's five listeners on those of "
        "five splits. The best single peer is the one that is best on the *test* sets. The network's parts are tried "
        f"one by one on the first {ABLATED} cuts. Each fit has a process of its own; its peak memory holds Python, the "
        "libraries and the data. Seconds are those of one thread beside other work: [speed.md](speed.md) has the quiet "
        "ones. A drawn community knows its own members and their tracks only.",
    ]


def _machine(found: Record) -> str:
    return f"{found['cores']} cores ({found['processor']}), Python {found['python']}, torch {found['torch']}"


def _reach(results: Record, measured: Record) -> list[str]:
    lines = [
        "*Holds*: NDCG@10 less the peer's, paired over members, all seeds together, is not below −1 standard error "
        "(members who are measured with several seeds count once in it).",
        "",
        "| data | peer | its NDCG@10 | the network's | ratio | aim | paired difference | holds |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for name, found in measured.items():
        part = PARTS[name]
        peer = part.peer or found["best_peer"]
        beside = against(found, peer)
        own, other = (found["models"][model]["ndcg_at_10"]["mean"] for model in ("ncf", peer))
        ratio = "–" if beside["ratio"] is None else f"{beside['ratio']:.2f} ×"
        lines.append(
            f"| {part.heading} ({len(found['seeds'])}) | {title(peer)} | {other:.3f} | {own:.3f} | {ratio} | "
            f"{_aim(part.aim)} | {signed(beside)} | {_verdict(beside['holds'])} |"
        )
    if FOLD_IN in results:
        found = results[FOLD_IN]
        inside, outside = (found["ndcg_at_10"][place] for place in ("inside", "outside"))
        heading = f"the same members outside the training ({len(found['seeds'])})"
        lines.append(
            f"| {heading} | inside | {inside:.3f} | {outside:.3f} | "
            f"{found['ratio']:.2f} × | ≥ 0.97 × | {signed(found['difference'])} | {_verdict(found['ratio'] >= 0.97)} |"
        )
    notes: dict[str, list[str]] = {}
    for name, found in results.items():
        if "note" in found:  # by hand, where something was measured with other code
            notes.setdefault(found["note"], []).append(name)
    lines += [line for note, names in notes.items() for line in ("", f"{note}: {', '.join(names)}.")]
    lines += ["", "In brackets: seeds. What the deep branch adds to the other parts:", ""]
    lines += [
        f"- {PARTS[name].heading}: {sentence}" for name, found in measured.items() for sentence in deep_sentence(found)
    ]
    return lines


def _aim(aim: float | None) -> str:
    return "–" if aim is None else f"≥ {aim:.2f} ×"


def _verdict(holds: bool | None) -> str:
    return {True: "yes", False: "**no**", None: "–"}[holds]


if __name__ == "__main__":
    main()
