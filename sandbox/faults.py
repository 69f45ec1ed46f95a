"""What can go wrong at a far end, asked for by a test or by the demo: errors, slow answers, dead connections."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Body = Mapping[str, Any] | str
"""An object is sent as JSON, text as it is."""


@dataclass
class Fault:
    """One thing that goes wrong for requests to paths like `path` (`*` matches anything, slashes too).

    It leaves the first `skip` matching requests alone, spoils the next `times` (None: all of them) and then sleeps.
    A fault that only slows (`delay_s`, `hold`) lets the request through to the real answer afterwards.
    """

    path: str
    method: str | None = None
    skip: int = 0
    times: int | None = None
    status: int | None = None
    body: Body | None = None
    content_type: str | None = None
    retry_after: float | None = None
    delay_s: float = 0.0
    disconnect: bool = False
    hold: "Hold | None" = None
    hits: int = field(default=0, init=False)
    """How many requests it has spoiled."""

    def meets(self, method: str, path: str) -> bool:
        """Whether this request is one to spoil; counts it, so ask once for each request."""
        if (self.method is not None and self.method != method) or not fnmatchcase(path, self.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def clear(self) -> None:
        """From now on it spoils nothing."""
        self.times = 0
        if self.hold is not None:
            self.hold.release()


class Hold:
    """Requests that arrived and wait for `release`: the moment in which a test kills, cancels or looks."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let everybody through who waits and who comes later."""
        self._released.set()

    async def wait(self) -> None:
        """For the server: report the arrival, then wait."""
        self.arrived.set()
        await self._released.wait()
