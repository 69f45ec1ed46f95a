"""How often a bot may ask, and what goes wrong on purpose."""

import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

GLOBAL_PER_SECOND = 50
INVALID_PER_TEN_MINUTES = 10_000

# route -> (requests, seconds), per channel, guild or webhook in the path; the rest have DEFAULT. Discord does not
# publish them and changes them at will: these are what bots are used to, and only the headers may be relied on.
ROUTES: dict[tuple[str, str], tuple[int, float]] = {
    ("POST", "/channels/{channel}/messages"): (5, 5.0),
    ("PATCH", "/channels/{channel}/messages/{message}"): (5, 5.0),
    ("POST", "/webhooks/{application}/{token}"): (5, 2.0),
    ("PATCH", "/webhooks/{application}/{token}/messages/{message}"): (5, 2.0),
}
DEFAULT = (10, 1.0)


@dataclass
class Window:
    """A fixed window of one bucket: `left` requests until `ends` (monotonic seconds)."""

    most: int
    left: int
    ends: float


class RateLimits:
    """Buckets per route and major parameter, fifty requests a second over all, and the ban for invalid ones."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._windows: dict[tuple[str, str, str], Window] = {}
        self._recent: deque[float] = deque()
        self._invalid: deque[float] = deque()

    def take(self, method: str, route: str, major: str) -> tuple[dict[str, str], float]:
        """Counts one request: the answer's headers, and the seconds to wait when it was one too many (else 0)."""
        most, per = ROUTES.get((method, route), DEFAULT)
        now = self._seconds()
        if len(self._windows) > 10_000:
            self._windows = {key: window for key, window in self._windows.items() if window.ends > now}
        window = self._windows.get((method, route, major))
        if window is None or window.ends <= now:
            window = self._windows[method, route, major] = Window(most, most, now + per)
        wait = 0.0 if window.left else window.ends - now
        window.left = max(window.left - 1, 0)
        headers = {
            "X-RateLimit-Limit": str(window.most),
            "X-RateLimit-Remaining": str(window.left),
            "X-RateLimit-Reset": f"{time.time() + window.ends - now:.3f}",
            "X-RateLimit-Reset-After": f"{window.ends - now:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(f"{method} {route}".encode()).hexdigest()[:32],
        }
        return headers, wait

    def take_global(self) -> float:
        """Counts one request of the bot; the seconds to wait when it was the fifty-first of a second (else 0)."""
        now = self._seconds()
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= GLOBAL_PER_SECOND:
            return self._recent[0] + 1.0 - now
        self._recent.append(now)
        return 0.0

    def count_invalid(self) -> None:
        """A 401, 403 or 429 went out; ten thousand in ten minutes ban the address."""
        self._invalid.append(self._seconds())

    @property
    def banned(self) -> bool:
        """Whether the address is banned just now."""
        while self._invalid and self._invalid[0] <= self._seconds() - 600:
            self._invalid.popleft()
        return len(self._invalid) >= INVALID_PER_TEN_MINUTES


@dataclass
class Fault:
    """An answer planned for the next `times` requests that fit `method` and `pattern` (`*` matches all)."""

    method: str
    pattern: str
    status: int
    times: int
    retry_after: float = 0.0
    via: bool = True
    applied: bool = False
    is_global: bool = False


class Faults:
    """The planned faults, in the order they were planned."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        """Adds one."""
        self._planned.append(fault)

    def next(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted as used."""
        for fault in self._planned:
            if fault.method in ("*", method) and fnmatchcase(path, fault.pattern):
                fault.times -= 1
                if not fault.times:
                    self._planned.remove(fault)
                return fault
        return None
