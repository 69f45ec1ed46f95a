"""The network trained on a GPU and on the processor beside it: `python -m benchmarks.devices [--data DIR]`.

How good both are on the same cuts of lastfm_listening, and how far two trainings on the processor that differ in their
seed alone are from each other: what one device adds must be no more. Then the seconds that a fit takes on each. Writes
benchmarks/devices.md, and all figures to benchmarks/devices.json.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.quality import data_set
from benchmarks.speed import LASTFM, SIZES
from benchmarks.synthetic import Size, community
from specrec.baselines.base import Sample
from specrec.contender import NCFContender
from specrec.measuring import Measures, measure
from specrec.protocols import Split, split
from specrec.study.record import Record, differences, hardware
from specrec.study.table import signed

HERE = Path(__file__).parent
DEVICES = ("cpu", "cuda")
ANOTHER = 1_000  # added to a seed: another training on the same cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="for lastfm_listening; without it only seconds")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="cuts of lastfm_listening; default: 3")
    parser.add_argument("--sizes", nargs="*", default=["dense", "wide"], choices=SIZES, help="of which seconds count")
    parser.add_argument("--output", type=Path, default=HERE / "devices.json", metavar="FILE")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "there is no CUDA device here, so there is nothing to put beside the processor\n")
    found: Record = {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": hardware() | {"torch": torch.__version__, "gpu": torch.cuda.get_device_name()},
        "seconds": {},
    }
    _seconds(community(Size(300, 500, 6_000)), "cuda")  # the first touch of a GPU takes seconds of its own
    if options.data is not None:
        cuts = [split(data_set(options.data, "lastfm_listening"), seed) for seed in range(options.seeds)]
        found |= _quality(cuts)
        found["seconds"][LASTFM] = {device: _seconds(cuts[0].sample, device) for device in DEVICES}
        _write(found, options.output)
    for name in options.sizes:
        sample = community(SIZES[name])
        found["seconds"][name] = {device: _seconds(sample, device) for device in DEVICES}
        _write(found, options.output)


def _seconds(sample: Sample, device: str) -> float:
    started = time.perf_counter()
    NCFContender(device=device).fit(sample)
    return round(time.perf_counter() - started, 1)


def _quality(cuts: list[Split]) -> Record:
    """NDCG@10 on each device, and paired differences to the processor: of the GPU, and of the processor with other
    seeds."""
    found = {device: [_measures(cut, device, cut.seed) for cut in cuts] for device in DEVICES}
    others = [_measures(cut, "cpu", cut.seed + ANOTHER) for cut in cuts]
    return {
        "seeds": [cut.seed for cut in cuts],
        "ndcg_at_10": {device: [float(one.ndcg_at_10.mean()) for one in found[device]] for device in DEVICES},
        "other_seeds": [float(one.ndcg_at_10.mean()) for one in others],
        "cuda_less_cpu": differences(found["cuda"], found["cpu"])["ndcg_at_10"],
        "other_seeds_less_cpu": differences(others, found["cpu"])["ndcg_at_10"],
    }


def _measures(cut: Split, device: str, seed: int) -> Measures:
    return measure(NCFContender(seed=seed, device=device).fit(cut.sample), cut, cut.seed)


def _write(found: Record, raw: Path) -> None:
    raw.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", "utf-8")
    machine = found["hardware"]
    lines = [
        "# On a GPU",
        "",
        f"Measured on {found['date']} on one {machine['gpu']} beside {machine['cores']} cores "
        f"({machine['processor']}), Python {machine['python']}, torch {machine['torch']}. Written by `python -m "
        f"benchmarks.devices --data DIR`; raw figures in [{raw.name}]({raw.name}).",
        "",
    ]
    if "seeds" in found:
        means = {device: sum(values) / len(values) for device, values in found["ndcg_at_10"].items()}
        lines += [
            f"NDCG@10 on {len(found['seeds'])} splits of lastfm_listening: {means['cuda']:.4f} trained on the GPU, "
            f"{means['cpu']:.4f} on the processor. Paired over members, with standard errors: GPU less processor "
            f"{signed(found['cuda_less_cpu'])}; two trainings on the processor with different seeds "
            f"{signed(found['other_seeds_less_cpu'])}.",
            "",
        ]
    if "note" in found:  # by hand
        lines += [found["note"], ""]
    lines += ["| trained on | GPU, s | processor, s |", "|---|---:|---:|"]
    for name, seconds in found["seconds"].items():
        heading = "lastfm_listening" if name == LASTFM else str(SIZES[name])
        lines.append(f"| {heading} | {seconds['cuda']:.1f} | {seconds['cpu']:.1f} |")
    raw.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
