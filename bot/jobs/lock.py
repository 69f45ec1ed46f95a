"""A lock that dies with its process: who holds it is training, whoever else says so is dead."""

import fcntl
import os
from pathlib import Path


class RunLock:
    """An exclusive lock on a file in MODEL_DIR, which all processes share; it holds the number of the last run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """At once; False if anybody holds it, this object included."""
        if self._descriptor is not None:
            return False
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    @property
    def run_id(self) -> int | None:
        """The run that was last trained under this lock."""
        text = self._path.read_text() if self._path.exists() else ""
        return int(text) if text.isdecimal() else None

    def name(self, run_id: int) -> None:
        """Say for which run it is held."""
        self._path.write_text(str(run_id))

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
