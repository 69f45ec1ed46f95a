"""One tour for all tests that look at one: it takes the better part of a minute. They stand in one file, so that tests
that run on several cores play it once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

TOUR_SECONDS = 600
"""Much more than it takes, for machines that do other things as well."""


class Played(NamedTuple):
    """`python -m sandbox --once --json … --record …` as it ended."""

    code: int
    output: str
    report: dict[str, Any]
    exchanges: list[dict[str, Any]]


@pytest.fixture(scope="session")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour")
    report, recording = folder / "tour.json", folder / "tour.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--once", "--json", report, "--record", recording],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOUR_SECONDS,
        check=False,
    )
    assert report.exists(), done.stdout
    exchanges = [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]
    return Played(done.returncode, done.stdout, json.loads(report.read_text(encoding="utf-8")), exchanges)
