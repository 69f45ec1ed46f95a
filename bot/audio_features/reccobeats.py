"""ReccoBeats: all nine features by Spotify id, free, without a key and without promises."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import aiohttp

from bot.audio_features.base import AudioFeatures, Wanted, read_features
from bot.audio_features.breaker import Breaker
from bot.clock import Clock
from bot.errors import AudioFeaturesError

IDS_PER_CALL = 40  # one more is refused
RETRY_DELAYS = (0.5, 1.0)  # seconds
PATIENCE_SECONDS = 30.0  # a 429 that asks for no more is waited for
HEADERS = {"User-Agent": "SpecRec (self-hosted Discord bot)", "Accept": "application/json"}  # without: 403
_TRACK = re.compile(r"/track/([0-9A-Za-z]+)")


class ReccoBeats:
    name = "reccobeats"
    batch = IDS_PER_CALL
    is_open = True

    def __init__(
        self,
        url: str,
        http: aiohttp.ClientSession,
        clock: Clock,
        *,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        breaker: Breaker | None = None,
    ) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._retry_delays = retry_delays
        self._breaker = breaker or Breaker(clock)
        self._one_at_a_time = asyncio.Lock()

    async def look_up(self, wanted: Sequence[Wanted]) -> Mapping[int, AudioFeatures]:
        """Rows come in any order and misses are left out, so each row is joined by the Spotify id in its `href`."""
        tracks = {one.spotify_id: one.track_id for one in wanted}
        async with self._one_at_a_time:
            content = await self._ask(list(tracks))
        found: dict[int, AudioFeatures] = {}
        for row in content:
            href = row.get("href") if isinstance(row, dict) else None
            match = _TRACK.search(href) if isinstance(href, str) else None
            track_id = tracks.get(match[1]) if match else None
            if track_id is not None and not (features := read_features(row)).is_empty:
                found[track_id] = features
        return found

    async def _ask(self, ids: Sequence[str]) -> list[Any]:
        delays = iter(self._retry_delays)
        self._breaker.check()
        while True:
            try:
                content = await self._call(ids)
            except _WaitError as wait:
                delay = wait.seconds
                if delay > PATIENCE_SECONDS:
                    self._breaker.open_until(self._clock() + timedelta(seconds=delay))
                else:
                    self._breaker.failed()  # waited for in vain again and again is a failure too
            except AudioFeaturesError:
                self._breaker.failed()
                delay = next(delays, -1.0)
                if delay < 0:
                    raise
            else:
                self._breaker.succeeded()
                return content
            self._breaker.check()
            await asyncio.sleep(delay)

    async def _call(self, ids: Sequence[str]) -> list[Any]:
        try:
            async with self._http.get(
                f"{self._url}/audio-features", params={"ids": ",".join(ids)}, headers=HEADERS
            ) as response:
                if response.status == 429:
                    raise _WaitError(_seconds(response.headers.get("Retry-After")))
                if response.status != 200:
                    raise AudioFeaturesError(f"reccobeats: {response.status}")
                body = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise AudioFeaturesError(f"reccobeats: no answer ({type(error).__name__})") from error
        content = body.get("content") if isinstance(body, dict) else None
        if not isinstance(content, list):
            raise AudioFeaturesError("reccobeats: the answer was none of what it describes")
        return content


class _WaitError(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def _seconds(value: str | None) -> float:
    """Where nothing usable is said, a short while."""
    return min(float(value), 86_400.0) if value is not None and value.isascii() and value.isdigit() else 5.0
