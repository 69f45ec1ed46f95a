"""What tests send to a process of its own: in a file that loads little, as that process has to load it."""

import os
import signal
from dataclasses import dataclass

import numpy as np

from specrec.errors import TrainingError
from specrec.progress import Progress
from specrec.study.process import forget_peak, peak_memory_mb


def work(number, say):
    say(Progress("half", 0.5))
    return number + 1, os.getpid()


def fail(say):
    raise TrainingError("this cannot be")


def exhaust(say):
    raise MemoryError


def vanish(say):
    os.kill(os.getpid(), signal.SIGKILL)


def hold(megabytes, say):
    forget_peak()
    before = peak_memory_mb()
    held = np.ones(megabytes * 125_000)
    return peak_memory_mb() - before, held.sum()


@dataclass(frozen=True)
class Refuses:
    name: str = "refuses"

    def fit(self, sample):
        raise TrainingError("it does not like this data")
