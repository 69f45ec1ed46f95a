"""Where a training run goes: plain records and paths in, progress and a report out.

Nothing here is tied to a process on this machine, so that another executor can do the same work.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Read the tables `interactions` and `tracks`, write one complete model version into the directory `output`, which
    says that it was trained on `sources`."""

    interactions: Path
    tracks: Path
    output: Path
    now: datetime
    seed: int = 0
    sources: tuple[str, ...] = ()
    live: Path | None = None
    """The version that answers now, to be measured beside the new one."""
    leave_out: tuple[str, ...] = ()
    """Members who take no part in that comparison."""
    half_life_days: float | None = None
    """Within which what members did counts half; None: it does not fade."""

    def to_json(self) -> str:
        """One line of text; `from_json` reads it back."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, line: str) -> "TrainingJob":
        job = json.loads(line)
        return cls(
            Path(job["interactions"]),
            Path(job["tracks"]),
            Path(job["output"]),
            datetime.fromisoformat(job["now"]),
            job["seed"],
            tuple(job["sources"]),
            None if job["live"] is None else Path(job["live"]),
            tuple(job["leave_out"]),
            job["half_life_days"],
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """`stage` is in words; `fraction` 0–1 of the whole run, None where nobody can tell."""

    stage: str
    fraction: float | None = None


Report = dict[str, Any]
"""What the training measured, as specrec.training describes it."""


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A version's directory, complete but not in use yet."""

    path: Path
    report: Report


class Executor(Protocol):
    """Runs one training job at a time, off the event loop."""

    async def train(self, job: TrainingJob, progress: Callable[[Progress], None]) -> TrainedVersion:
        """Raises `ModelError` in plain words if the work fails or dies. Cancelling this coroutine ends the work; when
        it has returned or raised, nothing of it runs any more."""
        ...
