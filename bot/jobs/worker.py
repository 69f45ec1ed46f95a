"""The training process, `python -m bot.jobs.worker`: started by process.py, and alone in paying for torch."""

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TextIO

from bot.jobs.base import TrainingJob
from specrec.errors import SpecrecError

NICE = 19  # beside a busy bot it gets what is left over
TOO_LITTLE_MEMORY = "The machine has too little free memory for this training: give it more, or stop what else runs."


def main() -> int:
    os.nice(NICE)
    with suppress(OSError):  # Linux: when memory runs out, this process goes and the bot stays
        Path("/proc/self/oom_score_adj").write_text("500")
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log and not between our messages
    job = TrainingJob.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_the_bot, daemon=True).start()
    try:
        outcome = _train(job, pipe)
    except SpecrecError as error:
        outcome = {"error": str(error)}
    except OSError as error:
        outcome = {"error": f"The training could not write its files: {error.strerror}."}
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # torch's way of saying it
            raise
        outcome = {"error": TOO_LITTLE_MEMORY}
    _send(pipe, outcome)
    return 0


def _train(job: TrainingJob, pipe: TextIO) -> dict[str, object]:
    _send(pipe, {"stage": "starting", "fraction": 0.0})
    from specrec.progress import Progress
    from specrec.training import train_version  # takes seconds, so not before the bot has heard of us

    def tell(progress: Progress) -> None:
        _send(pipe, {"stage": progress.stage, "fraction": progress.fraction})

    version = train_version(
        job.interactions,
        job.tracks,
        job.output,
        now=job.now,
        seed=job.seed,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        about={"sources": list(job.sources)},
        on_progress=tell,
        live=job.live,
        leave_out=job.leave_out,
        half_life_days=job.half_life_days or inf,
    )
    return {"version": str(version.path), "report": version.report}


def _send(pipe: TextIO, message: object) -> None:
    pipe.write(json.dumps(message) + "\n")


def _end_with_the_bot() -> None:
    """The bot holds the other end of stdin for as long as it lives, and says nothing more on it."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
