"""One collection from a service of listens: the listens page by page, newest first, then the loved tracks. Each page is
one transaction with the place in the reading, so whatever stops it loses nothing, and the next one goes on from there.

The first reading goes back to the beginning. Later ones go back to the newest listen that is known and a little
further, for plays that reached the service late. Older ones that were added there (an import, say) show in the number
of listens, and then everything is read once more; what is there already adds nothing.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, timedelta

from bot.clock import Clock
from bot.errors import MemberError, NoSuchUserError, PausedError
from bot.imports.base import Counts, Kept, Listen, Skip
from bot.imports.listen_service import LOVED, Dated, ListenPage, ListenService
from bot.services.listen_progress import ListenProgress, ListenStage
from bot.services.matching import Matcher
from bot.storage import interactions, listings, syncs
from bot.storage.database import Connection, Database
from bot.storage.listens import LISTING, count_listens, count_waiting, store_kept, store_listens, wait_for
from bot.storage.listings import Listing
from bot.storage.members import paused_since
from bot.storage.syncs import SyncAccount

log = logging.getLogger(__name__)

OVERLAP_S = 2 * 86_400  # players without a connection send their plays later
ALL_AGAIN = timedelta(days=7)  # between two readings from the beginning
LOVED_PAGES = 200  # more than anybody has


class DisconnectedError(Exception):
    """The member disconnected while it was under way: nothing more may be written."""


class FullError(MemberError):
    """The service allows no more of its data to be kept here."""


@dataclass(frozen=True)
class Reading:
    """Where the reading of the listens stands; seconds since 1970. Kept as the listing's cursor."""

    newest: int | None = None  # everything up to here was read
    counted: int = 0  # listens that were read so far
    all_read_at: int | None = None  # when the last reading from the beginning began
    under_way: bool = False
    after: int | None = None  # this one goes back to here; None: to the beginning
    before: int | None = None  # … and is here
    edge: int = 0  # listens read at the second just before `before`: they come again
    top: int | None = None  # the newest it has seen
    fresh: int = 0  # listens it has read that no earlier one had
    gone_since: int | None = None  # when the service first said that there is no such user

    def begun(self, now: int, *, from_the_beginning: bool) -> "Reading":
        new = replace(self, under_way=True, before=None, edge=0, top=None, fresh=0, gone_since=None)
        if from_the_beginning or self.newest is None:
            return replace(new, after=None, all_read_at=now)
        return replace(new, after=self.newest - OVERLAP_S)

    def past(self, page: ListenPage, late: int) -> "Reading":
        """`late`: how many of those that an earlier reading could have had are new."""
        if not page.dated:
            return self
        times = [one.second for one in page.dated]
        oldest = min(times)
        again = 0 if self.before is None else min(self.edge, times.count(self.before - 1))
        if self.after is None:
            fresh = len(times) - again
        else:
            edge_is_new = self.before is not None and self.is_new(self.before - 1)
            fresh = late + sum(self.is_new(at) for at in times) - (again if edge_is_new else 0)
        # All of the page at one second: what else there is at this second cannot be asked for.
        before = oldest + 1 if self.before is None or oldest + 1 < self.before else oldest
        return replace(
            self,
            before=before,
            edge=times.count(oldest) if before == oldest + 1 else 0,
            top=max(self.top or 0, *times),
            fresh=self.fresh + fresh,
        )

    def is_over(self, page: ListenPage) -> bool:
        if page.last or not page.dated:
            return True
        return self.after is not None and min(one.second for one in page.dated) <= self.after

    def ended(self, there: int | None) -> "Reading":
        """`there`: how many listens the service had when it began. A number that no reading ever reaches must not make
        everything be read again each week."""
        counted = self.fresh if self.after is None else self.counted + self.fresh
        if there is not None and self.after is None:
            counted = max(counted, there)
        newest = self.top if self.newest is None else max(self.newest, self.top or 0)
        return replace(self, newest=newest, counted=counted, under_way=False, after=None, before=None, edge=0, fresh=0)

    def misses_older(self, there: int | None, now: int) -> bool:
        if there is None or self.all_read_at is None or self.newest is None:
            return False
        return there > self.counted and now - self.all_read_at >= ALL_AGAIN.total_seconds()

    def is_new(self, at: int) -> bool:
        """Later than everything that was read before this reading."""
        return self.newest is None or at > self.newest


_READING = {one.name for one in fields(Reading)}


class ListenCollector:
    """Raises `DisconnectedError`, `PausedError`, `FullError` and the errors under `ServiceError`."""

    def __init__(
        self,
        database: Database,
        service: ListenService,
        matcher: Matcher,
        clock: Clock,
        account: SyncAccount,
        progress: ListenProgress,
    ) -> None:
        self._database = database
        self._service = service
        self._matcher = matcher
        self._clock = clock
        self._account = account
        self._progress = progress

    async def collect(self) -> None:
        async with self._page() as connection:
            await syncs.note_started(connection, self._account.id, self._clock())
        there = await self._service.count(self._account.user_id)
        self._progress.there = there
        self._progress.stage = ListenStage.LISTENS
        await self._listens(there)
        self._progress.stage = ListenStage.LOVED
        loved, steady = await self._loved()
        self._progress.stage = ListenStage.MATCHING
        async with self._page() as connection:
            await wait_for(connection, [one.song for one in loved], self._account.source, self._clock())
        await self._matcher.match(self._progress)
        await self._keep(loved, steady=steady)
        async with self._page() as connection:
            await syncs.note_complete(connection, self._account.id, self._clock())

    async def count_waiting(self) -> None:
        async with self._database.read() as connection:
            self._progress.waiting = await count_waiting(connection, self._account.member_id)
            self._progress.tracks = await interactions.count_tracks(connection, self._account.member_id)

    async def nobody(self, error: NoSuchUserError, life: timedelta) -> bool:
        """The service knows no such user. True when it has said so for `life`: then the user is gone."""
        now = self._now()
        async with self._page() as connection:
            listing = await self._listing(connection)
            reading = _reading(listing)
            if reading.gone_since is None:
                await listings.keep_place(connection, listing.id, asdict(replace(reading, gone_since=now)))
                return False
        log.info("%s for %d s", error, now - reading.gone_since)
        return now - reading.gone_since >= life.total_seconds()

    async def _listens(self, there: int | None) -> None:
        async with self._page() as connection:
            reading = _reading(await self._listing(connection))
        if reading.under_way:
            await self._read(replace(reading, gone_since=None), there)
        else:
            await self._read(reading.begun(self._now(), from_the_beginning=False), there)
        async with self._page() as connection:
            reading = _reading(await self._listing(connection))
        if reading.misses_older(there, self._now()):
            await self._read(reading.begun(self._now(), from_the_beginning=True), there)

    async def _read(self, reading: Reading, there: int | None) -> None:
        user = self._account.user_id
        while True:
            page = await self._service.listens(user, after=reading.after, before=reading.before)
            over = reading.is_over(page)
            async with self._page() as connection:
                await self._make_sure_of_room(connection)
                late = await self._store(connection, reading, page)
                reading = reading.past(page, late)
                listing = await self._listing(connection)
                if over:
                    cursor = asdict(reading.ended(there))
                    await listings.complete_reading(connection, listing.id, self._clock(), snapshot=None, cursor=cursor)
                else:
                    await listings.keep_place(connection, listing.id, asdict(reading))
            self._progress.read += len(page.dated)
            if over:
                return

    async def _store(self, connection: Connection, reading: Reading, page: ListenPage) -> int:
        """Returns how many are new of those that an earlier reading could have had."""
        total, late = Counts(), 0
        for is_new in (True, False):
            some = [one for one in page.dated if reading.is_new(one.second) is is_new]
            counts = await store_listens(
                connection, self._account.member_id, self._account.source, _listens(some), self._clock()
            )
            total.add(counts)
            late = counts.new
        total.skipped.update(one.item for one in page.dated if isinstance(one.item, Skip))
        if page.unreadable:
            total.skipped[Skip.UNREADABLE] += page.unreadable
        self._progress.counts.add(total)
        return late

    async def _make_sure_of_room(self, connection: Connection) -> None:
        room = self._service.room
        if room is not None and await count_listens(connection, self._account.source) >= room:
            raise FullError(
                f"{self._service.label} lets this bot keep only so much of its data, and that is reached. What was "
                "collected stays and counts; tell the host if more members want to join this way."
            )

    async def _loved(self) -> tuple[list[Kept], bool]:
        """All of them, and whether none can have slipped through between two pages."""
        loved: list[Kept] = []
        totals: set[int | None] = set()
        for number in range(LOVED_PAGES):
            page = await self._service.loved(self._account.user_id, number)
            totals.add(page.total)
            loved += [one for one in page.items if isinstance(one, Kept)]
            if page.last:
                return loved, len(totals) == 1
        return loved, False

    async def _keep(self, loved: list[Kept], *, steady: bool) -> None:
        """In one transaction, so that what is loved no longer can go in it too."""
        async with self._page() as connection:
            listing = await listings.open_listing(connection, self._account.member_id, self._account.source, LOVED)
            since = await interactions.reading_mark(connection, listing.id, self._clock())
            counts = await store_kept(connection, self._account.member_id, self._account.source, loved, since)
            if steady:
                await interactions.forget_unseen(connection, listing.id, since)
            await listings.complete_reading(connection, listing.id, since, snapshot=None)
        self._progress.loved = counts.new + counts.already_there
        self._progress.loved_unknown = counts.unmatched

    async def _listing(self, connection: Connection) -> Listing:
        return await listings.open_listing(connection, self._account.member_id, self._account.source, LISTING)

    @asynccontextmanager
    async def _page(self) -> AsyncIterator[Connection]:
        """A transaction that writes nothing for somebody who disconnected or paused meanwhile."""
        async with self._database.write() as connection:
            if not await syncs.still_there(connection, self._account):
                raise DisconnectedError
            if await paused_since(connection, self._account.discord_id) is not None:
                raise PausedError
            yield connection

    def _now(self) -> int:
        return int(self._clock().astimezone(UTC).timestamp())


def _listens(some: list[Dated]) -> list[Listen]:
    return [one.item for one in some if isinstance(one.item, Listen)]


def _reading(listing: Listing) -> Reading:
    """Begins anew after another version of this bot."""
    if listing.cursor is None or set(listing.cursor) != _READING:
        return Reading()
    return Reading(**listing.cursor)
