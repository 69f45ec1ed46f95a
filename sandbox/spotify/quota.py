"""The day's quota of an application: so many requests to each group of endpoints within any twenty-four hours."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

DAY = timedelta(days=1)
EVERYTHING: Mapping[str, Sequence[str]] = {"everything": ("*",)}
OBSERVED: Mapping[str, Sequence[str]] = {
    "playlists": ("/me/playlists", "/playlists/*"),
    "saved tracks": ("/me/tracks",),
    "albums": ("/artists/*", "/albums/*"),
    "everything else": ("*",),
}
"""Groups as applications have seen them close one by one; Spotify publishes none."""


@dataclass
class Quota:
    """`limit` requests a group and day. `names_time` False: a refusal does not say when to come back."""

    limit: int
    groups: Mapping[str, Sequence[str]] = field(default_factory=lambda: OBSERVED)
    names_time: bool = True
    served: dict[str, deque[datetime]] = field(default_factory=dict, init=False)
    closed_until: dict[str, datetime] = field(default_factory=dict, init=False)
    refused: int = field(default=0, init=False)
    """Requests that met a used-up quota …"""
    wasted: int = field(default=0, init=False)
    """… and of these the ones whose group had said so before."""

    def refuses(self, path: str, now: datetime) -> timedelta | None:
        """How long the group of `path` stays closed; None: the request is served, and counts."""
        group = next((name for name, paths in self.groups.items() if any(fnmatchcase(path, one) for one in paths)), "")
        served = self.served.setdefault(group, deque())
        while served and now - served[0] >= DAY:
            served.popleft()
        if len(served) < self.limit:
            served.append(now)
            return None
        self.refused += 1
        if self.closed_until.get(group, now) > now:
            self.wasted += 1
        self.closed_until[group] = served[0] + DAY
        return served[0] + DAY - now
