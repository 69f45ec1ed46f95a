"""Small workers in the training process's place: they speak its protocol and then do as a test says."""

import json
import sys
from pathlib import Path

import psutil

_OPENING = """
import hashlib, json, os, shutil, signal, subprocess, sys, time
from pathlib import Path
job = json.loads(sys.stdin.readline())
def say(**message):
    print(json.dumps(message), flush=True)
"""


def worker(folder: Path, name: str, code: str) -> tuple[str, ...]:
    """The command line of a worker that runs `code` once it has read its `job`."""
    path = folder / f"{name}.py"
    path.write_text(_OPENING + code)
    return (sys.executable, str(path))


def publisher(folder: Path, version: Path, report: dict[str, object], name: str = "publisher") -> tuple[str, ...]:
    """Hands over a copy of `version` under a name of its own, and `report` as what was measured."""
    code = f"""
target = Path(job["output"]) / (job["now"].replace("-", "").replace(":", "")[:15] + "Z-" + os.urandom(4).hex())
shutil.copytree({str(version)!r}, target)
metadata = json.loads((target / "version.json").read_text())
metadata["report"] = json.loads({json.dumps(report)!r})
del metadata["checksum"]
metadata["checksum"] = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()
(target / "version.json").write_text(json.dumps(metadata))
say(stage="learning taste", fraction=0.5)
say(version=str(target), report=json.loads({json.dumps(report)!r}))
"""
    return worker(folder, name, code)


def sleeper(folder: Path) -> tuple[str, ...]:
    """Never ends by itself."""
    return worker(folder, "sleeper", 'say(stage="learning taste", fraction=0.5)\ntime.sleep(600)\n')


def training_processes() -> list[psutil.Process]:
    """What this test process has started and what is still there.

    Without Python's own resource tracker, which any earlier test in the same process may have left running.
    """
    return [child for child in psutil.Process().children() if "resource_tracker" not in " ".join(child.cmdline())]
