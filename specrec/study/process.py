"""Work in a process of its own: its memory is the work's alone, and what the system kills there is not all."""

import gc
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from specrec.errors import TrainingError
from specrec.progress import Progress, silent

Answer = TypeVar("Answer")
Say = Callable[[Progress], None]
PATIENCE = 10.0  # seconds
NO_MEMORY = "its process ended before it was done, most likely for want of memory: a larger machine may help"


def apart(function: Callable[..., Answer], *arguments: Any, on_progress: Say = silent) -> Answer:
    """`function(*arguments, say)` in a spawned process; what it says arrives at `on_progress`.

    Function, arguments and answer have to be picklable. Raises what the function raises, and TrainingError where the
    process ended without an answer.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    answered = False
    try:
        while isinstance(message := ours.recv(), Progress):
            on_progress(message)
        answered = True
    except EOFError:
        process.join()
        raise TrainingError(f"{NO_MEMORY} (exit code {process.exitcode})") from None
    finally:
        # Whoever has answered may tidy up; whoever has not is not waited for.
        process.join(PATIENCE if answered else 0)
        process.terminate()
        process.join()
        ours.close()
    if isinstance(message, BaseException):
        raise message
    answer: Answer = message
    return answer


def _work(channel: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits; it ends this one
    with suppress(BrokenPipeError):
        try:
            answer = function(*arguments, channel.send)
        except MemoryError:
            answer = TrainingError(NO_MEMORY)
        except Exception as error:
            answer = error
        channel.send(answer)


def forget_peak() -> None:
    """Let `peak_memory_mb` begin anew, where the system can do that."""
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """The most memory that this process has had so far, or since `forget_peak`, MB."""
    # Not getrusage where there is better: its figure is inherited from the process that has started this one.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)
