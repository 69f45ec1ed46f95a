"""Something that goes on in the background while its progress is shown."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Generic, TypeVar

P = TypeVar("P")


class Run(Generic[P]):
    """Under way, or just ended. `progress` moves while it goes."""

    def __init__(self, progress: P) -> None:
        self.progress = progress
        self.task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self.task is None or self.task.done()

    async def wait(self, seconds: float | None = None) -> None:
        """Until it ended, or so long. Never raises what the task raised."""
        if self.task is not None:
            await asyncio.wait({self.task}, timeout=seconds)

    async def follow(self, every_s: float = 2.0, at_most_s: float = 14 * 60) -> AsyncIterator[P]:
        """The progress now and then, and once more at the end; for less than the 15 minutes in which a command's reply
        can be edited."""
        async for _ in follow([self], every_s, at_most_s):
            yield self.progress


async def follow(runs: Sequence[Run[Any]], every_s: float = 2.0, at_most_s: float = 14 * 60) -> AsyncIterator[None]:
    """The same for several that are shown together: until all of them have ended."""
    clock = asyncio.get_running_loop()
    until = clock.time() + at_most_s
    while (tasks := [run.task for run in runs if run.task is not None and not run.is_over]) and clock.time() < until:
        yield
        await asyncio.wait(tasks, timeout=min(every_s, max(0.0, until - clock.time())))
    yield
