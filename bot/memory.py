"""What glibc is told about memory. Other C libraries have no such settings."""

import contextlib
import ctypes

M_ARENA_MAX = -8  # of <malloc.h>


def one_heap() -> None:
    """Before any thread begins: each would get a heap of its own otherwise and hand little of it back, 8 MB for a dozen
    threads that mostly wait."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """What was free already goes back to the system: the start, a picture, an import leave megabytes behind."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
