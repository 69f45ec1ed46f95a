"""Where a member stands: what is linked, what was collected, and what to do next."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.services.connect import Connected
from bot.services.progress import Progress
from bot.sources import Source
from bot.spotify.oauth import consent_ends
from bot.storage import syncs
from bot.storage.audio_features import count_known
from bot.storage.database import Database
from bot.storage.holdings import Holding, holdings_of
from bot.storage.interactions import count_tracks
from bot.storage.listens import count_waiting
from bot.storage.members import member_of
from bot.storage.syncs import NEEDS_RECONNECT, SyncAccount


class Next(StrEnum):
    """The one thing that helps most now."""

    LINK = "link"
    IMPORT = "import"  # this host has no Spotify
    RECONNECT = "reconnect"
    WAIT = "wait"  # a sync is under way, or goes on by itself
    SYNC = "sync"
    LISTEN = "listen"  # linked and read, but there is nothing to learn from yet
    MATCH = "match"  # there are plays, but none of their tracks is known here yet
    RECOMMEND = "recommend"


@dataclass(frozen=True, slots=True)
class Status:
    has_spotify: bool  # whether this host can link Spotify at all
    account: SyncAccount | None
    under_way: Progress | None
    holdings: tuple[Holding, ...]
    tracks: int  # different ones, from everywhere
    with_features: int  # of these
    next: Next
    connected: tuple[Connected, ...] = ()
    waiting: int = 0  # plays whose track is not known here yet

    @property
    def consent_ends_at(self) -> datetime | None:
        """When Spotify lets the consent end, while there is one."""
        return None if self.account is None or self.needs_reconnect else consent_ends(self.account.authorised_at)

    @property
    def needs_reconnect(self) -> bool:
        return self.account is not None and self.account.status == NEEDS_RECONNECT


class Syncs(Protocol):
    def under_way(self, account_id: int) -> Progress | None: ...


class Connections(Protocol):
    async def connected(self, discord_id: str) -> tuple[Connected, ...]: ...


class StatusService:
    """`syncs_under_way` is None on a host without Spotify."""

    def __init__(self, database: Database, syncs_under_way: Syncs | None, connections: Connections) -> None:
        self._database = database
        self._syncs = syncs_under_way
        self._connections = connections

    async def status(self, discord_id: str) -> Status:
        """Somebody unknown has nothing, and is told how to begin."""
        account, holdings, tracks, known, waiting = None, [], 0, 0, 0
        async with self._database.read() as connection:
            member_id = await member_of(connection, discord_id)
            if member_id is not None:
                account = await syncs.account_of(connection, discord_id, Source.SPOTIFY)
                holdings = await holdings_of(connection, member_id)
                tracks = await count_tracks(connection, member_id)
                known = await count_known(connection, member_id)
                waiting = await count_waiting(connection, member_id)
        connected = await self._connections.connected(discord_id)
        under_way = None if account is None or self._syncs is None else self._syncs.under_way(account.id)
        if account is None and not tracks and any(self._is_coming(one) for one in connected):
            following = Next.WAIT
        elif account is None and not tracks and waiting:
            following = Next.MATCH
        else:
            following = self._next(account, under_way, tracks)
        return Status(
            self._syncs is not None, account, under_way, tuple(holdings), tracks, known, following, connected, waiting
        )

    def _is_coming(self, one: Connected) -> bool:
        return not one.is_over and (one.under_way is not None or one.account.last_synced_at is None)

    def _next(self, account: SyncAccount | None, under_way: Progress | None, tracks: int) -> Next:
        if account is None and tracks:
            return Next.RECOMMEND
        if self._syncs is None:
            return Next.IMPORT
        if account is None:
            return Next.LINK
        if account.status == NEEDS_RECONNECT:
            return Next.RECONNECT
        if tracks:
            return Next.RECOMMEND
        if under_way is not None or account.resumes_at is not None:
            return Next.WAIT
        return Next.SYNC if account.last_synced_at is None else Next.LISTEN
