"""A circuit breaker: a source that fails again and again is left alone for a while."""

from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import AudioFeaturesError


class Breaker:
    """Closed: questions pass. Open: they are refused at once, until the pause is over; then one failure opens it
    again."""

    def __init__(self, clock: Clock, *, failures: int = 3, pause: timedelta = timedelta(minutes=10)) -> None:
        self._clock = clock
        self._allowed = failures
        self._pause = pause
        self._failed = 0
        self._open_until: datetime | None = None

    def check(self) -> None:
        """Raises `AudioFeaturesError` while it is open."""
        if self._open_until is not None and self._clock() < self._open_until:
            raise AudioFeaturesError(f"left alone until {self._open_until:%H:%M:%S} UTC")

    def succeeded(self) -> None:
        self._failed, self._open_until = 0, None

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self._allowed:
            self.open_until(self._clock() + self._pause)

    def open_until(self, moment: datetime) -> None:
        self._open_until = moment
