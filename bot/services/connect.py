"""Services of listens that members connect by a user's name: connecting and collecting in the background.

What is public there may be read by anybody, so a name is a claim: the first member who makes it has it. A token proves
whose it is, and a proof takes the name from a claim: what was collected for that is deleted at once.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bot.clock import Clock
from bot.errors import (
    AudioFeaturesError,
    HostKeyError,
    MemberError,
    NoSuchUserError,
    PausedError,
    PrivateUserError,
    ServiceBusyError,
    SpecRecError,
    UnforeseenError,
)
from bot.imports.listen_service import ListenService, user_name
from bot.services.listen_collecting import DisconnectedError, FullError, ListenCollector
from bot.services.listen_progress import ListenProgress, ListenStage
from bot.services.matching import Matcher
from bot.services.run import Run, Runs
from bot.sources import Source
from bot.storage import connections, syncs
from bot.storage.connections import ENDED, connections_of, folded, holder_of
from bot.storage.database import Connection, Database
from bot.storage.members import ensure_member, paused_since
from bot.storage.syncs import SyncAccount, account_of, due_accounts
from bot.storage.training_members import condemn

log = logging.getLogger(__name__)

LABELS: Mapping[Source, str] = {Source.LISTENBRAINZ: "ListenBrainz", Source.LASTFM: "Last.fm"}
CALLED_OFF = "You took that back before it was done, so nothing is connected. Type the command again to connect."
AT_ONCE = 4  # collections that the daily task has under way at a time
OUTAGE_PAUSE = timedelta(minutes=30)  # until a collection that the service did not answer goes on
REFUSAL_PAUSE = timedelta(days=1)  # mistakes of ours or the host's: nothing changes sooner
HIDDEN_PAUSE = timedelta(days=7)  # a user who is not there, or hides what they listen to
GONE_AFTER = timedelta(days=7)  # a user who is not there for so long is gone, and what came from them goes too


class MissingFeatures(Protocol):
    async def look_up(self, member_id: int | None) -> None:
        """The audio features that this member's tracks lack. Raises `AudioFeaturesError`."""
        ...


class ListenRun(Run[ListenProgress]):
    """One collection for one account."""

    def __init__(self, account: SyncAccount, service: ListenService) -> None:
        super().__init__(ListenProgress(Source(account.source), service.label))
        self.account = account
        self.service = service


@dataclass(eq=False, slots=True)
class _Asked:
    """A /connect that waits for the service's answer."""

    discord_id: str
    source: Source
    is_called_off: bool = False  # its member deleted their data, or disconnected, meanwhile


@dataclass(frozen=True, slots=True)
class Connected:
    """What a member connected, as /status shows it. `is_over`: nothing is held of it but the note."""

    label: str
    source: Source
    account: SyncAccount
    proven: bool
    under_way: ListenProgress | None

    @property
    def is_over(self) -> bool:
        return self.account.status == ENDED


class ConnectService:
    """Owner of the tasks; needs `close`. `services`: those that this host can ask. `keep_for` is how long versions of
    the model may stay that were trained with what is deleted here."""

    def __init__(
        self,
        database: Database,
        services: Mapping[Source, ListenService],
        matcher: Matcher,
        features: MissingFeatures,
        keep_for: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._services = services
        self._matcher = matcher
        self._features = features
        self._keep_for = keep_for
        self._clock = clock
        self._runs: Runs[ListenRun] = Runs("listens")
        self._asked: set[_Asked] = set()

    async def close(self) -> None:
        """Collections stop between two pages and go on after the next start."""
        await self._runs.close()

    async def forget(self, discord_id: str, source: Source | None = None) -> None:
        """This member is about to delete what came from `source` (None: everything): a /connect that is still waiting
        for an answer connects nothing any more."""
        for one in self._asked:
            if one.discord_id == discord_id and source in (None, one.source):
                one.is_called_off = True

    async def connect(self, discord_id: str, source: Source, user: str, token: str | None = None) -> ListenRun:
        """Connect, and begin to collect; again under the same name does no harm. The token is not kept.

        Raises `MemberError` for everything that the member or the host has to mend, and `ServiceError`.
        """
        service = self._services.get(source)
        if service is None:
            raise MemberError(no_service(source))
        typed = user_name(user)
        if typed is None:
            raise NoSuchUserError(service.label)
        async with self._database.read() as connection:
            if await paused_since(connection, discord_id) is not None:
                raise PausedError
        asked = _Asked(discord_id, source)
        self._asked.add(asked)
        try:
            return await self._connect(service, typed, token, asked)
        finally:
            self._asked.discard(asked)

    async def _connect(self, service: ListenService, typed: str, token: str | None, asked: _Asked) -> ListenRun:
        discord_id, source = asked.discord_id, asked.source
        name = await service.identify(typed)
        proven = token is not None and await self._prove(service, name, token.strip())
        async with self._database.write() as connection:
            if asked.is_called_off:
                raise MemberError(CALLED_OFF)
            member_id = await ensure_member(connection, discord_id, self._clock())
            own = await account_of(connection, discord_id, source)
            if own is not None and own.status != ENDED and folded(own.user_id) != folded(name):
                raise MemberError(
                    f"You have connected another {service.label} user. Type `/disconnect service:{service.label}` "
                    "first: it deletes what came from there."
                )
            taken = await self._take(connection, service, member_id, name, proven=proven)
            await connections.connect(connection, member_id, source, name, proven=proven, now=self._clock())
            account = await account_of(connection, discord_id, source)
        if taken:
            await self._database.truncate_log()
        assert account is not None
        log.info("connected account %d to %s", account.id, source)
        return self.start_account(account)[0]

    async def _prove(self, service: ListenService, name: str, token: str) -> bool:
        owner = await service.owner_of(token) if token and token.isascii() and token.isprintable() else None
        if owner is None:
            raise MemberError(
                f"{service.label} does not know that token. Copy it again from your settings there, or connect "
                "without one."
            )
        if folded(owner) != folded(name):
            raise MemberError(f"That token belongs to another {service.label} user than the one you named.")
        return True

    async def _take(
        self, connection: Connection, service: ListenService, member_id: int, name: str, *, proven: bool
    ) -> bool:
        """Whether the name was taken from somebody. Raises `MemberError` where it cannot be."""
        holder = await holder_of(connection, service.source, name)
        if holder is None or holder.member_id == member_id:
            return False
        if proven and not holder.proven:
            note = (
                "Somebody else proved that the user you had named is theirs, so it is no longer connected and what "
                "came from there was deleted."
            )
            await self._end(connection, holder.member_id, service.source, note)
            log.info("a proof took a name from account %d", holder.account_id)
            return True
        if holder.proven:
            raise MemberError(
                f"Another member here has proved that this {service.label} user is theirs. If it is yours too, "
                "disconnect it there first."
            )
        proof = (
            "If it is yours, prove it: type the command again with your `token`."
            if service.source is Source.LISTENBRAINZ
            else f"If it is yours, ask on the server who took it: `/disconnect service:{service.label}` frees it."
        )
        raise MemberError(f"Another member here has connected this {service.label} user already. {proof}")

    async def start(self, discord_id: str) -> list[tuple[ListenRun, bool]]:
        """A collection for each service that the member connected, and whether it is a new one. Raises
        `PausedError`."""
        async with self._database.read() as connection:
            if await paused_since(connection, discord_id) is not None:
                raise PausedError
            found = await connections_of(connection, discord_id, self._services)
        return [self.start_account(account) for account, _ in found if account.status != ENDED]

    async def connected(self, discord_id: str) -> tuple[Connected, ...]:
        """Also of services that this host cannot ask any more."""
        async with self._database.read() as connection:
            found = await connections_of(connection, discord_id, LABELS)
        return tuple(
            Connected(LABELS[Source(one.source)], Source(one.source), one, proven, self.under_way(one.id))
            for one, proven in found
        )

    def start_account(self, account: SyncAccount) -> tuple[ListenRun, bool]:
        under_way = self._runs.of(account.id)
        if under_way is not None:
            return under_way, False
        run = ListenRun(account, self._services[Source(account.source)])
        if not self._runs.begin(account.id, run, self._run):
            run.progress.stage = ListenStage.STOPPED
        return run, True

    def under_way(self, account_id: int) -> ListenProgress | None:
        run = self._runs.of(account_id)
        return None if run is None else run.progress

    async def start_due(self, interval: timedelta) -> None:
        """For the daily task: begin what is due, some at a time; the others wait until it comes round again."""
        now = self._clock()
        for source in self._services:
            async with self._database.read() as connection:
                due = await due_accounts(connection, source, now, now - interval)
            for account in due:
                if len(self._runs) >= AT_ONCE:
                    return
                self.start_account(account)

    async def _run(self, run: ListenRun) -> None:
        account, progress = run.account, run.progress
        collector = ListenCollector(self._database, run.service, self._matcher, self._clock, account, progress)
        try:
            try:
                await collector.collect()
            except NoSuchUserError as error:
                if await collector.nobody(error, GONE_AFTER):
                    return await self._gone(run)
                raise
            progress.stage = ListenStage.FEATURES
            await self._look_up_features(account.member_id)
            await collector.count_waiting()
            progress.stage = ListenStage.COMPLETE
            log.info("collected for account %d: %d listens, %d new", account.id, progress.read, progress.counts.new)
        except DisconnectedError:
            progress.stage = ListenStage.GONE
        except PausedError as error:  # it goes on by itself once the member does
            progress.stage, progress.reason = ListenStage.STOPPED, error.told
        except asyncio.CancelledError:
            progress.stage = ListenStage.STOPPED
            progress.reason = "The bot is restarting. Nothing was lost; it goes on by itself afterwards."
            raise
        except SpecRecError as error:
            log.info("collecting for account %d stopped: %s", account.id, type(error).__name__)
            await self._stopped(run, error)
            await collector.count_waiting()
        except Exception:
            unforeseen = UnforeseenError()
            log.exception("%s collecting for account %d failed", unforeseen, account.id)
            await self._stopped(run, unforeseen)

    async def _stopped(self, run: ListenRun, error: SpecRecError) -> None:
        """Keep why, and when it goes on by itself."""
        progress, now = run.progress, self._clock()
        progress.reason = error.told
        progress.resumes_at = now + OUTAGE_PAUSE
        if isinstance(error, ServiceBusyError):
            progress.resumes_at = error.retry_at
        elif isinstance(error, NoSuchUserError | PrivateUserError):
            progress.resumes_at = now + HIDDEN_PAUSE
        elif isinstance(error, HostKeyError | FullError | UnforeseenError):
            progress.resumes_at = now + REFUSAL_PAUSE
        progress.stage = ListenStage.STOPPED
        async with self._database.write() as connection:
            if not await syncs.still_there(connection, run.account):
                progress.stage = ListenStage.GONE
                return
            await syncs.note_stopped(connection, run.account.id, error.told, resumes_at=progress.resumes_at)

    async def _gone(self, run: ListenRun) -> None:
        """The user deleted their account there: that is honoured here."""
        note = f"{run.service.label} has no such user any more, so what came from there was deleted here too."
        async with self._database.write() as connection:
            if await syncs.still_there(connection, run.account):
                await self._end(connection, run.account.member_id, run.service.source, note)
        await self._database.truncate_log()
        run.progress.reason, run.progress.stage = note, ListenStage.GONE

    async def _end(self, connection: Connection, member_id: int, source: Source, note: str) -> None:
        """Everything that came from there goes, and in time the versions of the model that were trained with it."""
        await condemn(connection, member_id, self._clock() + self._keep_for, [source])
        await connections.end(connection, member_id, source, note, self._clock())

    async def _look_up_features(self, member_id: int) -> None:
        """The collection is complete without them; the daily task tries again."""
        try:
            await self._features.look_up(member_id)
        except AudioFeaturesError as error:
            log.info("audio features later: %s", error)


def no_service(source: Source) -> str:
    return f"This host has no {LABELS[source]}: it is up to them to set it up."
