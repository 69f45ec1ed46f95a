"""Waiting for the world to change, without polling."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""After which nobody waits any longer for what a bot does: much more than it takes, for busy machines."""


class Bell:
    """Rung at every change; whoever waits looks again at each ring."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait_until(self, look: Callable[[], T | None], timeout: float, what: str) -> T:
        """The first true value of `look`.

        :raises TimeoutError: when `timeout` seconds passed; the message says `what` was waited for.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (seen := look()):
                    await self._rung.wait()
                return seen
        except TimeoutError:
            raise TimeoutError(f"Waited {timeout:g} s for {what}.") from None
