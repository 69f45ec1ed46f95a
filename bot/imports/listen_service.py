"""A service that keeps what its users listen to: what it is asked, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from bot.imports.base import Kept, Listen, Skip, Song
from bot.sources import Source

LOVED = "loved"  # the key of a list of loved tracks
NAME_LIMIT = 64  # characters of a user's name that are believed


@dataclass(frozen=True, slots=True)
class Dated:
    """What stands at a time. `second` counts since 1970, as the service says it, whatever became of the item."""

    second: int
    item: Listen | Skip


@dataclass(frozen=True, slots=True)
class ListenPage:
    """A page of listens, whatever their order. `undated` ones (now playing) are no listens yet."""

    dated: tuple[Dated, ...]
    last: bool  # nothing older is left
    unreadable: int = 0  # entries without a time


@dataclass(frozen=True, slots=True)
class LovedPage:
    items: tuple[Kept | Skip, ...]
    last: bool
    total: int | None = None


class ListenService(Protocol):
    """Every question raises the errors under `ServiceError`."""

    @property
    def source(self) -> Source: ...

    @property
    def label(self) -> str:
        """Its name as members know it."""
        ...

    @property
    def room(self) -> int | None:
        """So many listens of all members together may be kept; None: as many as there are."""
        ...

    async def identify(self, name: str) -> str:
        """The name as its owner writes it."""
        ...

    async def owner_of(self, token: str) -> str | None:
        """Whose token that is; None for nobody's. A service that has no tokens knows none."""
        ...

    async def count(self, name: str) -> int | None:
        """How many listens there are; None where it is not said."""
        ...

    async def listens(self, name: str, *, after: int | None, before: int | None) -> ListenPage:
        """The newest of those before (and not at) `before`; a service may leave out those until `after`."""
        ...

    async def loved(self, name: str, page: int) -> LovedPage:
        """Pages count from 0."""
        ...


class SpotifyIds(Protocol):
    """Where the Spotify ids of songs are asked for."""

    @property
    def batch(self) -> int: ...

    async def look_up(self, songs: Sequence[Song]) -> Mapping[int, str]:
        """Place in `songs` -> Spotify id, of those that are known. Raises `ServiceError`."""
        ...


def user_name(typed: str) -> str | None:
    """What a member typed as a user's name; the address of a profile page will do. None: it can be nobody's name."""
    name = typed.strip()
    if name.startswith(("http://", "https://")):
        try:
            parts = [part for part in urlsplit(name).path.split("/") if part]
        except ValueError:
            return None
        name = unquote(parts[parts.index("user") + 1]) if "user" in parts[:-1] else ""
    name = name.removeprefix("@").strip()
    usable = 0 < len(name) <= NAME_LIMIT and name.isprintable() and name not in (".", "..") and "/" not in name
    return name if usable else None
