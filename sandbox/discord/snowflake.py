"""Discord's ids: milliseconds since 2015 and a counter."""

import time

_EPOCH_MS = 1_420_070_400_000


class Snowflakes:
    """Makes ids of now, growing and unique.

    They carry the machine's real time whatever clock the server was given: discord.py compares them with its own.
    """

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> str:
        self._last = max((time.time_ns() // 1_000_000 - _EPOCH_MS) << 22, self._last + 1)
        return str(self._last)
