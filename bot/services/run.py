"""Something that goes on in the background while its progress is shown."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Generic, TypeVar

P = TypeVar("P")
R = TypeVar("R", bound="Run[Any]")


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


class Runs(Generic[R]):
    """Those under way, one an account. Needs `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._runs: dict[int, R] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[R]:
        return iter(tuple(self._runs.values()))

    def of(self, account_id: int) -> R | None:
        return self._runs.get(account_id)

    def begin(self, account_id: int, run: R, work: Callable[[R], Coroutine[Any, Any, None]]) -> bool:
        """`work` in the background; False when nothing begins any more, as the bot is stopping."""
        if self._closing:
            return False
        self._runs[account_id] = run
        run.task = asyncio.create_task(work(run), name=self._name)
        run.task.add_done_callback(lambda _: self._runs.pop(account_id))
        return True

    async def close(self) -> None:
        """All are cancelled, and have ended when this returns."""
        self._closing = True
        tasks = [run.task for run in self if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def follow(runs: Sequence[Run[Any]], every_s: float = 2.0, at_most_s: float = 14 * 60) -> AsyncIterator[None]:
    """The same for several that are shown together: until all of them have ended."""
    clock = asyncio.get_running_loop()
    until = clock.time() + at_most_s
    while (tasks := [run.task for run in runs if run.task is not None and not run.is_over]) and clock.time() < until:
        yield
        await asyncio.wait(tasks, timeout=min(every_s, max(0.0, until - clock.time())))
    yield
