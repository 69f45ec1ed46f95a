"""Syncs under way: one a member, in the background, stopped without loss, resumed by themselves."""

import asyncio
import logging
from datetime import timedelta
from typing import Protocol

from bot.clock import Clock
from bot.errors import (
    AudioFeaturesError,
    NeedsReconnectError,
    NoPremiumError,
    NotLinkedError,
    NotRegisteredError,
    PausedError,
    RateLimitError,
    SpecRecError,
    TurnedAwayError,
    UnavailableError,
    UnforeseenError,
)
from bot.services.allowance import Allowance
from bot.services.collecting import Collector
from bot.services.host import HostNotices, Trouble
from bot.services.listing_reader import UnlinkedError
from bot.services.progress import Progress, Stage
from bot.services.run import Run, Runs
from bot.services.turned_away import TurnedAway
from bot.sources import Source
from bot.spotify.gateway import Gateway
from bot.storage import syncs
from bot.storage.database import Database
from bot.storage.interactions import count_tracks
from bot.storage.listens import match_waiting
from bot.storage.members import paused_since
from bot.storage.syncs import NEEDS_RECONNECT, SyncAccount

log = logging.getLogger(__name__)

OUTAGE_PAUSE = timedelta(minutes=30)  # until a sync that Spotify did not answer goes on
REFUSAL_PAUSE = timedelta(days=1)  # 403 for the whole account, and mistakes of ours: nothing changes sooner


class MissingFeatures(Protocol):
    async def look_up(self, member_id: int | None, progress: Progress | None = None) -> None:
        """The audio features that this member's tracks lack. Raises `AudioFeaturesError`."""
        ...


class SyncRun(Run[Progress]):
    """One sync of one account."""

    def __init__(self, account: SyncAccount) -> None:
        super().__init__(Progress())
        self.account = account


class SyncService:
    """Owner of the tasks. Needs `close`."""

    def __init__(
        self,
        database: Database,
        gateway: Gateway,
        features: MissingFeatures,
        allowance: Allowance,
        host: HostNotices,
        clock: Clock,
        *,
        artist_tracks: int = 0,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._allowance = allowance
        self._host = host
        self._features = features
        self._clock = clock
        self._artist_tracks = artist_tracks
        self._turned_away = TurnedAway(database, gateway, clock)
        self._runs: Runs[SyncRun] = Runs("sync")

    async def close(self) -> None:
        """Syncs stop between two pages and go on after the next start."""
        await self._runs.close()

    async def start(self, discord_id: str) -> tuple[SyncRun, bool]:
        """The member's sync, and whether it is a new one: while one is under way there is no second.

        Raises `NotLinkedError`, `PausedError` and `NeedsReconnectError`.
        """
        async with self._database.read() as connection:
            account = await syncs.account_of(connection, discord_id, Source.SPOTIFY)
            paused = await paused_since(connection, discord_id)
        if account is None:
            raise NotLinkedError("You have not linked a Spotify account yet. Type /link to connect one.")
        if paused is not None:
            raise PausedError
        if account.status == NEEDS_RECONNECT:
            raise NeedsReconnectError("sync: the consent ended before")
        return self.start_account(account)

    def start_account(self, account: SyncAccount) -> tuple[SyncRun, bool]:
        under_way = self._runs.of(account.id)
        if under_way is not None:
            return under_way, False
        run = SyncRun(account)
        if not self._runs.begin(account.id, run, self._run):
            run.progress.stage = Stage.STOPPED
        return run, True

    def under_way(self, account_id: int) -> Progress | None:
        run = self._runs.of(account_id)
        return None if run is None else run.progress

    def used_lately(self, account_id: int) -> int:
        """How many requests went to Spotify for this account within the last days."""
        return self._allowance.used_lately(account_id)

    async def _run(self, run: SyncRun) -> None:
        account, progress = run.account, run.progress
        try:
            collector = Collector(
                self._database, self._gateway, self._clock, account, progress, artist_tracks=self._artist_tracks
            )
            await collector.collect()
            self._turned_away.answered(account.id)
            async with self._database.write() as connection:  # plays from elsewhere may have waited for these tracks
                await match_waiting(connection, self._clock())
            await self._count(run)
            progress.stage = Stage.FEATURES
            await self._look_up_features(run)
            progress.stage = Stage.COMPLETE
            log.info("synced account %d: %d entries, %d new", account.id, progress.entries, progress.added)
        except UnlinkedError:
            progress.stage = Stage.UNLINKED
        except PausedError as error:  # it goes on by itself once the member does
            progress.stage, progress.reason = Stage.STOPPED, error.told
        except asyncio.CancelledError:
            progress.stage = Stage.STOPPED
            progress.reason = "The bot is restarting. Nothing was lost; the sync goes on by itself afterwards."
            raise
        except SpecRecError as error:
            log.info("the sync of account %d stopped: %s", account.id, error)
            await self._stopped(run, error)
        except Exception:
            unforeseen = UnforeseenError()
            log.exception("%s the sync of account %d failed", unforeseen, account.id)
            await self._stopped(run, unforeseen)

    async def _stopped(self, run: SyncRun, error: SpecRecError) -> None:
        """Keep why, and when it goes on by itself."""
        progress, now = run.progress, self._clock()
        if isinstance(error, TurnedAwayError) and await self._turned_away.is_lost(run.account):
            error = NeedsReconnectError("sync: what Spotify renews, it turns away")
        progress.reason = error.told
        progress.stage = Stage.STOPPED
        if isinstance(error, RateLimitError):
            progress.resumes_at = error.retry_at
        elif isinstance(error, UnavailableError):
            progress.resumes_at = now + OUTAGE_PAUSE
        elif not isinstance(error, NeedsReconnectError):
            progress.resumes_at = now + REFUSAL_PAUSE
        if isinstance(error, NoPremiumError):
            await self._host.tell(Trouble.NO_PREMIUM)
        elif isinstance(error, NotRegisteredError):
            await self._host.tell(Trouble.NOT_REGISTERED, run.account.discord_id)
        async with self._database.write() as connection:
            if not await syncs.still_there(connection, run.account):
                progress.stage = Stage.UNLINKED
                return
            await syncs.note_stopped(
                connection,
                run.account.id,
                error.told,
                resumes_at=progress.resumes_at,
                reconnect=isinstance(error, NeedsReconnectError),
            )
        await self._count(run)

    async def _count(self, run: SyncRun) -> None:
        async with self._database.read() as connection:
            run.progress.tracks = await count_tracks(connection, run.account.member_id)

    async def _look_up_features(self, run: SyncRun) -> None:
        """The sync is complete without them; the daily task tries again."""
        try:
            await self._features.look_up(run.account.member_id, run.progress)
        except AudioFeaturesError as error:
            log.info("audio features later: %s", error)
