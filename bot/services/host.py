"""What only the host can put right: told to the application's owner, and not again and again."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.clock import Clock

log = logging.getLogger(__name__)

AGAIN = timedelta(days=1)  # the same thing about the same member is not told more often


class Trouble(StrEnum):
    NOT_REGISTERED = "not registered"  # a member is not among the users of the host's Spotify app
    NO_PREMIUM = "no Premium"  # the owner of the Spotify app has none, so the whole app stands still


@dataclass(frozen=True, slots=True)
class Seats:
    """How many accounts are linked, of those that the Spotify app has room for."""

    used: int
    total: int

    @property
    def are_full(self) -> bool:
        return self.used >= self.total


@dataclass(frozen=True, slots=True)
class HostNotice:
    """`discord_id`: whom it happened to; None where it concerns everybody."""

    trouble: Trouble
    discord_id: str | None = None
    seats: Seats | None = None


class HostMessages(Protocol):
    async def tell(self, notice: HostNotice) -> None:
        """A direct message to the application's owner. Never raises."""
        ...


class HostNotices:
    def __init__(self, messages: HostMessages, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock
        self._told: dict[tuple[Trouble, str | None], datetime] = {}

    async def tell(self, trouble: Trouble, discord_id: str | None = None, seats: Seats | None = None) -> None:
        key, now = (trouble, discord_id), self._clock()
        told_at = self._told.get(key)
        if told_at is None or now - told_at >= AGAIN:
            self._told[key] = now
            log.warning("for the host: %s", _WORDS[trouble])
            await self._messages.tell(HostNotice(trouble, discord_id, seats))


_WORDS = {
    Trouble.NOT_REGISTERED: "a member's Spotify account is not among the users of your Spotify app "
    "(developer.spotify.com, User Management), so Spotify answers 403",
    Trouble.NO_PREMIUM: "the owner of your Spotify app has no Premium, so Spotify answers 403 to everything",
}
