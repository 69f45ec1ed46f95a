"""How one listing of an account is read, page by page: each page is one transaction (tracks, interactions, the place in
the listing), so whatever stops it loses nothing, and the next sync goes on from there.

What is gone at the source is removed only in the transaction that completes a whole reading: begun at the start, ended
at the announced total, and with the same total on every page. Otherwise the rows stay until the next whole reading.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from bot.clock import Clock
from bot.errors import PausedError
from bot.services.head import Head
from bot.services.progress import Progress
from bot.spotify.records import Entry, Page
from bot.storage import interactions, listings, syncs
from bot.storage.database import Connection, Database
from bot.storage.interactions import Sighting
from bot.storage.listings import Listing
from bot.storage.members import paused_since
from bot.storage.syncs import SyncAccount
from bot.storage.tracks import store_tracks
from specrec.interactions import Kind

Fetch = Callable[[int], Awaitable[Page[Entry]]]
"""The page that begins at this place."""


class UnlinkedError(Exception):
    """The member unlinked while the sync was under way: nothing more may be written."""


@dataclass(frozen=True)
class Place:
    """Where a reading stands. `steady`: every page so far announced the same total, so nothing was shifted between
    pages and whatever was not seen is gone."""

    offset: int = 0
    total: int | None = None
    steady: bool = True
    snapshot: str | None = None
    after: str | None = None  # for listings with cursors

    def past(self, page: Page[Any]) -> "Place":
        steady = self.steady and (self.offset == 0 or page.total == self.total)
        return replace(self, offset=self.offset + page.entries, total=page.total, steady=steady, after=page.after)

    @property
    def is_whole(self) -> bool:
        return self.steady and self.total is not None and self.offset >= self.total


_PLACE = {one.name for one in fields(Place)}


class ListingReader:
    """The listings of one account, within one sync that began at `started`. Counts into `progress`; `read` is how many
    were read or confirmed. Raises `UnlinkedError` and `PausedError`, and whatever a `Fetch` raises."""

    def __init__(
        self, database: Database, clock: Clock, account: SyncAccount, progress: Progress, started: datetime
    ) -> None:
        self._database = database
        self._clock = clock
        self._account = account
        self._progress = progress
        self.started = started
        self.read = 0

    async def read_newest_first(self, key: str, kind: Kind, fetch: Fetch) -> None:
        """A listing in which the newest stand first. Where the first entries of the last reading come again, moved down
        by as many as the total has grown, those are all that is new; the rest is confirmed without being read."""
        listing = await self.open(key)
        if self.is_done(listing):
            return
        head, first = Head.read(listing.snapshot), None
        if head is not None and listing.cursor is None:
            first = await fetch(0)
            if await self._only_grew(listing, kind, head, first, fetch):
                return
        await self.read_pages(key, kind, fetch, first=first)

    async def _only_grew(self, listing: Listing, kind: Kind, head: Head, first: Page[Entry], fetch: Fetch) -> bool:
        """Stores what came in front, if that is all that happened; otherwise False, and nothing is stored."""
        added, pages, entries = head.added(first), [first], first.entries
        if added is None:
            return False
        while entries <= added and not pages[-1].last:
            pages.append(await fetch(entries))
            entries += pages[-1].entries
        if not head.continues(pages, added):
            return False
        new = [entry for page in pages for entry in page.records][:added]
        async with self.transaction() as connection:
            await interactions.confirm(connection, listing.id, self.seen_at(listing))
            await self.store(connection, listing, kind, replace(first, records=tuple(new)), since=None)
            await listings.complete_reading(connection, listing.id, self.seen_at(listing), snapshot=Head.of(first).text)
        self._progress.unchanged += not new
        self.read += 1
        return True

    async def read_pages(
        self,
        key: str,
        kind: Kind,
        fetch: Fetch,
        *,
        snapshot: str | None = None,
        most: int = 0,
        first: Page[Entry] | None = None,
    ) -> None:
        """Read a listing with offsets. `snapshot`: what the source calls its state; None: it does not say, and the
        first page stands for it where new entries come first (a change shows there or in the total). `most`: of a
        ranking only so many pages, which are then the whole. `first`: the first page, if it was fetched already."""
        listing = await self.open(key)
        if self.is_done(listing):
            return
        place = place_of(listing)
        if snapshot is not None and place is None and listing.snapshot == snapshot:
            await self._confirm(listing, snapshot)
            return
        if place is None or (snapshot is not None and place.snapshot != snapshot):
            listing, place = await self.restart(listing), Place(snapshot=snapshot)
        pages, seen = 0, listing.snapshot
        while True:
            page = first if first is not None and place.offset == 0 else await fetch(place.offset)
            if place.offset == 0 and snapshot is None and not key.startswith("playlist:"):
                place = replace(place, snapshot=Head.of(page).text)
                if place.snapshot == seen:
                    await self._confirm(listing, seen)
                    return
            place, pages = place.past(page), pages + 1
            ended = page.last or place.is_whole or pages == most
            whole = place.is_whole or (pages == most and (page.entries > 0 or page.total == 0))
            async with self.transaction() as connection:
                await self.store(connection, listing, kind, page, since=listing.reading_since)
                if ended:
                    await self.complete(connection, listing, place, whole=whole)
                else:
                    await listings.keep_place(connection, listing.id, asdict(place))
            if ended:
                self.read += 1
                return

    async def open(self, key: str) -> Listing:
        async with self.transaction() as connection:
            return await listings.open_listing(connection, self._account.member_id, self._account.source, key)

    async def restart(self, listing: Listing) -> Listing:
        async with self.transaction() as connection:
            since = await interactions.reading_mark(connection, listing.id, self._clock())
            await listings.begin_reading(connection, listing.id, since)
        return replace(listing, cursor=None, reading_since=since)

    async def _confirm(self, listing: Listing, snapshot: str | None) -> None:
        async with self.transaction() as connection:
            await interactions.confirm(connection, listing.id, self.seen_at(listing))
            await listings.complete_reading(connection, listing.id, self.seen_at(listing), snapshot=snapshot)
        self._progress.unchanged += 1
        self.read += 1

    async def complete(self, connection: Connection, listing: Listing, place: Place, *, whole: bool) -> None:
        """Not whole: the state that was read has no name, so that the next sync reads it all again."""
        if whole and listing.reading_since is not None:
            self._progress.removed += await interactions.forget_unseen(connection, listing.id, listing.reading_since)
        snapshot = place.snapshot if whole else None
        await listings.complete_reading(connection, listing.id, self.seen_at(listing), snapshot=snapshot)

    async def drop(self, keys: Sequence[str]) -> None:
        """Listings that do not exist any more."""
        if not keys:
            return
        async with self.transaction() as connection:
            for key in keys:
                self._progress.removed += await listings.delete_listing(
                    connection, self._account.member_id, self._account.source, key
                )

    async def store(
        self,
        connection: Connection,
        listing: Listing,
        kind: Kind,
        page: Page[Entry],
        *,
        since: datetime | None,
    ) -> None:
        keys = await store_tracks(
            connection, [entry.track for entry in page.records], listing.source, self.seen_at(listing)
        )
        seen = [(key, Sighting(1, entry.at)) for key, entry in zip(keys, page.records, strict=True)]
        await self.see(connection, listing, kind, seen, since=since)
        self._progress.entries += len(page.records)
        self._progress.skipped.update(page.skipped)

    async def see(
        self,
        connection: Connection,
        listing: Listing,
        kind: Kind,
        seen: Sequence[tuple[int, Sighting]],
        *,
        since: datetime | None = None,
    ) -> None:
        sightings: dict[int, Sighting] = {}
        for key, one in seen:
            sightings[key] = sightings[key].and_also(one) if key in sightings else one
        now = self.seen_at(listing)
        self._progress.added += await interactions.see(connection, listing, kind, sightings, now, since=since)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that writes nothing for somebody who unlinked or paused meanwhile."""
        async with self._database.write() as connection:
            if not await syncs.still_there(connection, self._account):
                raise UnlinkedError
            if await paused_since(connection, self._account.discord_id) is not None:
                raise PausedError
            yield connection

    def is_done(self, listing: Listing) -> bool:
        """Read to the end since this sync began, before something stopped it."""
        return listing.completed_at is not None and listing.completed_at >= self.started

    def now(self) -> datetime:
        """Never before the sync began, whatever the clock does."""
        return max(self._clock(), self.started)

    def seen_at(self, listing: Listing) -> datetime:
        return max(self.now(), listing.reading_since or self.started)


def place_of(listing: Listing) -> Place | None:
    """None: no reading is under way, or one of another version of this bot, which begins anew."""
    if listing.cursor is None or listing.reading_since is None or set(listing.cursor) != _PLACE:
        return None
    return Place(**listing.cursor)
