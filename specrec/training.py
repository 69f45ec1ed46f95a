"""train(): interactions and tracks -> a model and a report of how good it is."""

import resource
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from specrec.catalogue import Catalogue
from specrec.checkpoint import open_version, write_version
from specrec.dataset import Dataset
from specrec.errors import CheckpointError, TrainingError
from specrec.evaluation import HeldOut, evaluate
from specrec.features import Scaling
from specrec.fitting import Schedule, fit_compatibility
from specrec.fusion import BRANCHES
from specrec.interactions import KINDS, Histories, Interactions, set_aside
from specrec.learning import Fusion, Learned, find_fusion, learn_branches
from specrec.ncf import NCF, NCFConfig
from specrec.progress import Progress, silent
from specrec.rankers import VersionRanker
from specrec.scoring import ModelScorer
from specrec.tables import read_interactions, read_tracks

SMALL = 20_000  # interactions below which one thread is as fast as two, and steady on a busy machine


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a run goes; what the network is stands in `NCFConfig`."""

    seed: int = 0
    device: str = "auto"
    """auto, cpu or cuda."""
    threads: int | None = None
    """Of the processor; None: one for small data, where several only wait for each other, else torch's choice."""
    hold_out: bool = True
    """Set a tenth of the interactions aside, never seen by any version's weights, and measure on them."""
    live: Path | None = None
    """The version in use: it is measured on the same interactions."""
    leave_out: frozenset[str] = frozenset()
    """Members who take no part in the comparison with it; see `specrec.evaluation.evaluate`."""
    on_progress: Callable[[Progress], None] = field(default=silent, compare=False)
    schedule: Schedule = field(default_factory=Schedule)
    half_life_days: float = np.inf
    """Within which what was done counts half; see `specrec.recency`. Histories are folded in by it, too."""


@dataclass(frozen=True, slots=True)
class Model:
    """What a version holds: the catalogue, the arrays by name, and the calibration among them."""

    catalogue: Catalogue
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A version on disk, not active yet, and its report."""

    path: Path
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """`report` is ready for JSON: plain values, None where nothing could be measured, never NaN."""

    model: Model
    report: dict[str, Any]
    network: NCF


def train(
    interactions: Interactions,
    tracks: Catalogue,
    config: NCFConfig | None = None,
    options: TrainingOptions = TrainingOptions(),
) -> TrainingResult:
    """Train one model. The same data, seed and machine give the same arrays; the order of rows does not matter.

    `config` None: a size that follows the data. Raises TrainingError where nobody likes anything, or the numbers
    stop being numbers.
    """
    started = time.perf_counter()
    catalogue = tracks.with_ids(interactions.tracks.ids)
    rows = np.array([catalogue.ids.row(id_) for id_ in interactions.tracks], dtype=np.int64)
    everything = Histories.of(interactions, rows, options.half_life_days)
    if not (everything.weights > 0).any():
        raise TrainingError("there is nothing to learn from: no interaction says that anybody likes a track")
    hidden = np.zeros(len(everything.tracks), dtype=np.bool_)
    if options.hold_out:
        hidden = set_aside(everything, interactions.users.ids, catalogue.ids.ids)
    given = everything.keep(~hidden)
    config = config or NCFConfig.for_data(int((np.diff(given.starts) > 0).sum()), len(catalogue))
    device = _device(options.device)
    scaling = Scaling.fit(catalogue.features)
    values, known = scaling.apply(catalogue.features)
    data = Dataset(given, values, known, device)
    hidden_pairs = (everything.members * len(catalogue) + everything.tracks)[hidden]

    threads = options.threads or (1 if len(given.tracks) < SMALL else None)
    report = options.on_progress
    with _torch(options.seed, threads, device):
        rng = np.random.default_rng(options.seed)
        artists = csr_array(
            (np.ones(len(catalogue.artist_rows)), catalogue.artist_rows, catalogue.artist_starts),
            shape=(len(catalogue), len(catalogue.artists)),
        )
        fusion = find_fusion(
            config,
            data,
            artists,
            options.schedule,
            rng,
            lambda stage, share, step, loss: report(Progress(stage, 0.5 * share, step, loss)),
        )
        schedule = options.schedule
        learned = learn_branches(
            config,
            data,
            artists,
            None,
            replace(schedule, max_steps=fusion.steps or schedule.max_steps // 2),
            rng,
            lambda stage, share, step, loss: report(Progress(stage, 0.5 + 0.3 * share, step, loss)),
        )
        network = learned.network
        network.gates.copy_(torch.from_numpy(fusion.gates))
        fit_compatibility(
            network,
            data,
            hidden_pairs,
            schedule,
            rng,
            lambda share, step, loss: report(Progress("learning compatibility", 0.8 + 0.1 * share, step, loss)),
        )
        arrays = _export(learned, scaling, fusion)
        arrays["heard"] = np.bincount(everything.tracks, minlength=len(catalogue)) > 0  # what was set aside too
    report(Progress("measuring", 0.9))
    live, live_version = _live(options.live, catalogue)
    measured = evaluate(
        VersionRanker(ModelScorer(catalogue, arrays), catalogue),
        HeldOut(given, everything.keep(hidden), interactions.users.ids, values, known),
        live,
        options.leave_out,
    )
    measured["finite"] = measured["finite"] and all(bool(np.isfinite(array).all()) for array in arrays.values())
    return TrainingResult(
        Model(catalogue, arrays),
        {
            "seed": options.seed,
            "device": str(device),
            "torch": torch.__version__,
            "members": int((np.diff(everything.starts) > 0).sum()),
            "tracks": len(catalogue),
            "tracks_with_features": int(known.any(axis=1).sum()),
            "tracks_with_artist": int((np.diff(catalogue.artist_starts) > 0).sum()),
            "interactions": len(interactions),
            "interactions_by_kind": _by_kind(interactions),
            "steps": learned.steps,
            "config": asdict(config),
            "half_life_days": options.half_life_days if np.isfinite(options.half_life_days) else None,
            "gates": {branch.name: float(gate) for branch, gate in zip(BRANCHES, fusion.gates, strict=True)},
            "members_held_out": fusion.members,
            "calibration": asdict(fusion.calibration),
            **measured,
            "live": live_version,
            "seconds": round(time.perf_counter() - started, 2),
            "peak_memory_mb": peak_memory_mb(),
        },
        network,
    )


def _live(path: Path | None, catalogue: Catalogue) -> tuple[VersionRanker | None, dict[str, str] | None]:
    """What ranks as the live version does, and its name; a damaged one is no reason not to train: `fault` says so."""
    if path is None:
        return None, None
    try:
        version = open_version(path)
    except CheckpointError as error:
        return None, {"version": path.name, "fault": str(error)}
    return VersionRanker(ModelScorer(version.catalogue, version.arrays), catalogue), {"version": path.name}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError("there is no CUDA device here; use --device cpu or auto")
    return torch.device(name)


@contextmanager
def _torch(seed: int, wanted: int | None, device: torch.device) -> Iterator[None]:
    """Seeds and threads for the time of a run; both are as they were afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        torch.set_num_threads(wanted or threads)
        torch.set_flush_denormal(True)  # probabilities near 0 would slow the processor down many times over
        try:
            yield
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(threads)


@torch.no_grad()
def _export(learned: Learned, scaling: Scaling, fusion: Fusion) -> dict[str, NDArray[Any]]:
    """The arrays that `specrec.scoring` reads, by name. What a branch without a gate needs is left out."""
    network = learned.network
    arrays = {
        name: value.cpu().numpy().copy()
        for name, value in network.state_dict().items()
        if name in EXPORTED or name.startswith("profile_tower.")
    }
    arrays["track_vectors"] = network.track_tower(network.values, network.known).cpu().numpy()
    if fusion.has("deep"):
        arrays["track_units"] = _turned(network.track_embedding)
        for name in DEEP:
            arrays[name] = network.get_parameter(name).cpu().numpy().copy()
    if fusion.has("audio"):
        arrays["sound_units"] = _turned(network.sound_vectors())
        for name in AUDIO:
            arrays[name] = network.state_dict()[name].cpu().numpy().copy()
    for name, links in (("wide", learned.wide), ("neighbour", learned.neighbour)):
        if fusion.has(name):
            arrays |= links.arrays(name)
    arrays["scaling.centre"], arrays["scaling.spread"] = scaling.centre, scaling.spread
    arrays["calibration"] = fusion.calibration.as_array()
    return arrays


EXPORTED = {"gates", "listeners", "distance_bias"}
AUDIO = ("history_sound.weight", "history_sound.bias", "wave_directions", "wave_phases")
DEEP = ("history_embedding", "hidden_bias", "track_bias")


def _turned(vectors: Tensor) -> NDArray[np.float32]:
    """(T, units) -> (units, T): all tracks at once are multiplied twice as quickly that way."""
    return np.ascontiguousarray(vectors.cpu().numpy().T)


def _by_kind(interactions: Interactions) -> dict[str, int]:
    counts = np.bincount(interactions.kinds, minlength=len(KINDS))
    return {kind.value: int(count) for kind, count in zip(KINDS, counts, strict=True) if count}


def peak_memory_mb() -> float:
    """The most memory that this process has had so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024), 1)


def train_version(
    interactions_path: Path,
    tracks_path: Path | None,
    model_dir: Path,
    *,
    now: datetime,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    about: Mapping[str, Any] | None = None,
    on_progress: Callable[[Progress], None] = silent,
    live: Path | None = None,
    leave_out: Collection[str] = (),
    half_life_days: float = np.inf,
) -> TrainedVersion:
    """Files in, a version's directory out: what a worker process calls. The version is written, but not made active.
    `about` is what the caller knows of the data; it stands in the report beside what was measured.

    `live`, `leave_out` and `half_life_days` are as in `TrainingOptions`.
    Raises TableError or TrainingError with one sentence for whoever asked, and OSError where the disk refuses.
    """
    on_progress(Progress("reading", 0.0))
    table = read_interactions(interactions_path)
    tracks = read_tracks(tracks_path) if tracks_path is not None else table.tracks
    result = train(
        table.interactions,
        tracks if tracks is not None else Catalogue.from_tracks([]),
        options=TrainingOptions(
            seed=seed,
            device=device,
            threads=threads,
            live=live,
            leave_out=frozenset(leave_out),
            half_life_days=half_life_days,
            on_progress=on_progress,
        ),
    )
    on_progress(Progress("writing", 0.99))
    report = {**(about or {}), **result.report}
    path = write_version(model_dir, result.model.catalogue, result.model.arrays, report, now)
    on_progress(Progress("done", 1.0))
    return TrainedVersion(path, report)
