"""A connection on which every operation comes to its end, whatever happens to the task that asked for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


class SteadyConnection(AsyncConnection):
    """One transaction from `open` to `close`.

    The driver works in a thread, which a cancelled `await` leaves running: SQLAlchemy then throws the connection away,
    and a second cancellation stops it from doing so, with SQLite's write lock held by nobody who could let go of it.
    Here a cancellation waits for what is under way and goes on after it, so that the transaction can be ended in order.
    """

    __slots__ = ()

    async def open(self, **options: Any) -> None:
        """With SQLAlchemy's execution `options`. Raises what the driver raises, and needs `close` even then."""
        await to_its_end(self._open(options))

    async def execute(self, *args: Any, **named: Any) -> Any:
        return await to_its_end(super().execute(*args, **named))

    async def exec_driver_sql(self, *args: Any, **named: Any) -> Any:
        return await to_its_end(super().exec_driver_sql(*args, **named))

    async def run_sync(self, *args: Any, **named: Any) -> Any:
        return await to_its_end(super().run_sync(*args, **named))

    async def commit(self) -> None:
        await to_its_end(super().commit())

    async def close(self) -> None:
        """Rolls back what was not committed, and gives the connection back to the pool."""
        if self.sync_connection is not None:
            await to_its_end(super().close())

    async def interrupt(self) -> None:
        """From another task: the statement that runs now fails. A server's connection has no such thing."""
        if self.sync_connection is not None and not self.closed:
            driver = (await self.get_raw_connection()).driver_connection
            if driver is not None and hasattr(driver, "interrupt"):
                await driver.interrupt()

    async def cut(self) -> None:
        """From another task: rolled back and closed, whatever its owner is waiting for."""
        if self.sync_connection is not None and not self.closed:
            await to_its_end(self.invalidate())

    async def _open(self, options: dict[str, Any]) -> None:
        await self.start()
        await self.execution_options(**options)
        await self.begin()


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; a task that is cancelled meanwhile is cancelled when `work` is over."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not log it as forgotten
    raise cancelled
