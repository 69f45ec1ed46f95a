"""Training in one process of its own: niced, one thread below the cores, gone when the bot is gone."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bot.errors import ModelError
from bot.jobs.base import Progress, TrainedVersion, TrainingJob
from bot.settings import Settings

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "bot.jobs.worker")
THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LINE_LIMIT = 1 << 20  # bytes of one message
LOG_LINES = 200  # of what a worker writes to stderr; a library in a loop must not fill the disk


def training_threads() -> int:
    """One below the cores that this process may use, so that the bot always finds one free."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


class ProcessExecutor:
    """Speaks JSON lines with a worker: the job on its stdin, progress and the report from its stdout.

    The worker's stdin stays open for as long as the bot lives; the worker ends itself when it closes.
    """

    def __init__(self, worker: Sequence[str] = WORKER) -> None:
        self._worker = worker

    async def train(self, job: TrainingJob, progress: Callable[[Progress], None]) -> TrainedVersion:
        process = await asyncio.create_subprocess_exec(
            *self._worker,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_LIMIT,
            env=_environment(),
            # A group of its own, so that it can be killed whole and a Ctrl-C is the bot's alone. Not a session of its
            # own: Linux may schedule sessions as equals, whatever the nice value (autogroup).
            process_group=0,
        )
        try:
            return await _talk(process, job, progress)
        finally:
            _kill_group(process)
            await process.communicate()  # reaps the dead and closes the pipes


async def _talk(process: Process, job: TrainingJob, progress: Callable[[Progress], None]) -> TrainedVersion:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # a worker that died at once is told by its exit status
        process.stdin.write(job.to_json().encode() + b"\n")
        await process.stdin.drain()
    errors = asyncio.create_task(_log_errors(process))
    try:
        outcome = await _listen(process, progress)
        if outcome is None:
            await errors
            raise ModelError(_last_words(await process.wait()))
    finally:
        errors.cancel()
    if "error" in outcome:
        raise ModelError(str(outcome["error"]))
    return TrainedVersion(Path(outcome["version"]), outcome["report"])


async def _listen(process: Process, progress: Callable[[Progress], None]) -> dict[str, Any] | None:
    """Hand on progress until the worker has said how it ended; None if it ended without a word."""
    assert process.stdout is not None
    async for line in process.stdout:
        message = json.loads(line)
        if "stage" not in message:
            return dict(message)
        progress(Progress(message["stage"], message["fraction"]))
    return None


async def _log_errors(process: Process) -> None:
    """The worker knows members by number only, so its words may stand in the log."""
    assert process.stderr is not None
    count = 0
    async for line in process.stderr:
        count += 1
        if count <= LOG_LINES:
            log.warning("training: %s", line.decode(errors="replace").rstrip())


def _last_words(status: int) -> str:
    if status == -signal.SIGKILL:
        return (
            "The training process was killed from outside. Most often that means that the machine ran out of memory: "
            "give it more, or stop what else runs there."
        )
    if status < 0:
        return f"The training process was ended by {signal.Signals(-status).name}; the log may say why."
    return f"The training process failed (exit status {status}); the log says why."


def _kill_group(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses to signal a group of zombies
        os.killpg(process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """This process's environment without the bot's settings: the worker needs no token and no key."""
    environment = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return environment | dict.fromkeys(THREAD_SETTINGS, str(training_threads()))
