"""Asking a service that counts requests: one at a time, not too often, and not before it allows the next one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from bot.clock import Clock
from bot.errors import ServiceBusyError, ServiceDownError

USER_AGENT = "SpecRec (self-hosted Discord bot)"
ANSWER_LIMIT = 32 * 1024 * 1024  # bytes; a thousand listens of the largest size that ListenBrainz takes are a third
PATIENCE_S = 60.0  # longer waits are not sat out: whoever asked comes back later
RETRY_DELAYS = (1.0, 5.0)  # seconds, after no answer or a server's error
BUSY_TRIES = 4  # so often in a row a service may ask for a short wait

Json = Any


class Pace:
    """When the next request may go out. `clock` counts seconds."""

    def __init__(
        self,
        every_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.every_s = every_s
        self.sleep = sleep
        self._clock = clock
        self._free_at = clock()
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Those who wait go one after another. Raises `TooLongError` where the wait is longer than patience."""
        async with self._one_at_a_time:
            wait = self._free_at - self._clock()
            if wait > PATIENCE_S:
                raise TooLongError(wait)
            if wait > 0:
                await self.sleep(wait)
            self._free_at = max(self._free_at, self._clock() + self.every_s)
            yield

    def hold_off(self, seconds: float) -> None:
        """The service allows nothing for so long."""
        self._free_at = max(self._free_at, self._clock() + seconds)


class TooLongError(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Answer:
    """`body` is None where it was no JSON."""

    status: int
    body: Json
    headers: Mapping[str, str]

    @property
    def wait(self) -> float:
        """What a service that is busy asks for; where it says nothing usable, a short while."""
        for name in ("Retry-After", "X-RateLimit-Reset-In"):
            said = seconds(self.headers.get(name))
            if said is not None:
                return said
        return 10.0

    @property
    def is_used_up(self) -> bool:
        return self.headers.get("X-RateLimit-Remaining", "").strip() == "0"


class PoliteClient:
    """`service` is its name as members know it. A subclass says by `is_busy` and `is_down` what its answers mean."""

    def __init__(
        self,
        service: str,
        http: aiohttp.ClientSession,
        clock: Clock,
        pace: Pace,
        *,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self.service = service
        self._http = http
        self._clock = clock
        self._pace = pace
        self._retry_delays = retry_delays

    def is_busy(self, answer: Answer) -> bool:
        return answer.status == 429

    def is_down(self, answer: Answer) -> bool:
        return answer.status >= 500

    async def ask(self, url: str, *, headers: Mapping[str, str] | None = None, payload: Json = None) -> Answer:
        """GET, or POST where there is a `payload`. Raises `ServiceDownError`, and `ServiceBusyError` where the service
        wants a longer pause."""
        delays, busy = iter(self._retry_delays), 0
        while True:
            try:
                async with self._pace.turn():
                    if self._http.closed:  # the bot is stopping
                        raise ServiceDownError(self.service, "no more questions")
                    answer = await self._call(url, headers or {}, payload)
                    if self.is_busy(answer) or answer.is_used_up:
                        self._pace.hold_off(answer.wait)
            except TooLongError as error:
                raise self._busy(error.seconds) from error
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                failure = ServiceDownError(self.service, f"no answer ({type(error).__name__})")
                failure.__cause__ = error
            else:
                if self.is_busy(answer):
                    busy += 1
                    if busy >= BUSY_TRIES:
                        raise self._busy(answer.wait)
                    continue
                if not self.is_down(answer):
                    return answer
                failure = ServiceDownError(self.service, f"status {answer.status}")
            delay = next(delays, None)
            if delay is None:
                raise failure
            await self._pace.sleep(delay)

    def _busy(self, wait: float) -> ServiceBusyError:
        retry_at = self._clock() + timedelta(seconds=wait)
        return ServiceBusyError(self.service, f"wait {wait:.0f} s", retry_at)

    async def _call(self, url: str, headers: Mapping[str, str], payload: Json) -> Answer:
        said = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}
        body = None if payload is None else {"json": payload}
        method = "GET" if payload is None else "POST"
        # Redirects are not followed: a token must not go anywhere else.
        async with self._http.request(method, url, headers=said, allow_redirects=False, **body or {}) as response:
            raw = bytearray()
            async for chunk in response.content.iter_any():
                raw += chunk
                if len(raw) > ANSWER_LIMIT:
                    raise ValueError("an answer without an end")
            return Answer(response.status, _parsed(bytes(raw)), response.headers)


def seconds(value: str | None) -> float | None:
    """Of a header; at most a day is believed."""
    if value is None or not value.strip().isascii() or not value.strip().isdigit():
        return None
    return min(float(value), 86_400.0)


def _parsed(raw: bytes) -> Json:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
