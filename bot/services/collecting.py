"""One sync of one account: every listing, page by page. Each page is one transaction (tracks, interactions, the place
in the listing), so whatever stops it loses nothing, and the next sync goes on from there.

What is gone at the source is removed only in the transaction that completes a whole reading: begun at the start, ended
at the announced total, and with the same total on every page. Otherwise the rows stay until the next whole reading.

A kind of call that is used up for today stops what needs it, and nothing else.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bot.clock import Clock
from bot.errors import (
    GoneError,
    NeedsReconnectError,
    NoPremiumError,
    NotRegisteredError,
    PausedError,
    RateLimitError,
    SpotifyError,
    UnavailableError,
)
from bot.services.head import Head
from bot.services.progress import Progress, Stage
from bot.services.recent_plays import RecentPlays, milliseconds
from bot.spotify.gateway import Gateway
from bot.spotify.records import Entry, Page, PlaylistRecord
from bot.storage import interactions, listings, syncs
from bot.storage.database import Connection, Database
from bot.storage.interactions import Sighting
from bot.storage.listings import Listing
from bot.storage.members import paused_since
from bot.storage.syncs import SyncAccount
from bot.storage.tracks import store_artists, store_tracks
from specrec.interactions import Kind

log = logging.getLogger(__name__)

TIME_RANGES = ("short_term", "medium_term", "long_term")
RESUME_LIFE = timedelta(days=7)  # what a stopped sync read before counts as read so long; then it begins anew
ARTIST_LIFE = timedelta(days=21)  # a followed artist's albums are not asked for again before: the quota dies of it
Fetch = Callable[[int], Awaitable[Page[Entry]]]


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


class Collector:
    """Raises `UnlinkedError`, `PausedError` and the errors of `Gateway` that stop a whole sync; what concerns one
    listing only (403, 404) skips that listing."""

    def __init__(
        self,
        database: Database,
        gateway: Gateway,
        clock: Clock,
        account: SyncAccount,
        progress: Progress,
        *,
        artist_tracks: int = 0,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock
        self._account = account
        self._progress = progress
        self._artist_tracks = artist_tracks
        now = clock()
        resumed = account.started_at is not None and now - account.started_at < RESUME_LIFE
        self._started = account.started_at if resumed and account.started_at else now
        self._resumed = resumed
        self._read = 0
        self._refusal: SpotifyError | None = None
        self._limit: RateLimitError | None = None  # of those that stopped a part, the one that ends first

    async def collect(self) -> None:
        """The cheapest and strongest first. Where a quota stopped a part of it, the rest is read all the same, and then
        its `RateLimitError` is raised: the sync is not complete."""
        account, gateway = self._account.id, self._gateway
        await self._begin()
        self._progress.stage = Stage.RECENT
        await self._skipping_refusals("recent", self._recent())
        self._progress.stage = Stage.TOP
        for time_range in TIME_RANGES:
            fetch = partial(gateway.top, account, time_range)
            await self._skipping_refusals(
                f"top:{time_range}", self._pages(f"top:{time_range}", Kind.TOP, fetch, most=1)
            )
        self._progress.stage = Stage.SAVED
        await self._skipping_refusals("saved", self._saved())
        self._progress.stage = Stage.FOLLOWED
        await self._skipping_refusals("followed", self._followed())
        self._progress.stage = Stage.PLAYLISTS
        await self._skipping_refusals("playlists", self._playlists())
        self._progress.stage = Stage.ARTISTS
        await self._skipping_refusals("artists", self._artists())
        if self._limit is not None:
            raise self._limit
        if self._refusal is not None and self._read == 0:
            raise self._refusal
        await self._finish()

    async def _begin(self) -> None:
        async with self._page() as connection:
            if not self._resumed:
                latest = await listings.last_completed(connection, self._account.member_id, self._account.source)
                if latest is not None:  # a clock that stands still must not make this sync look done
                    self._started = max(self._started, latest + timedelta(microseconds=1))
            await syncs.note_started(connection, self._account.id, self._started)

    async def _skipping_refusals(self, key: str, reading: Awaitable[None]) -> None:
        try:
            await reading
        except (NeedsReconnectError, UnavailableError, NotRegisteredError, NoPremiumError):
            raise
        except RateLimitError as error:
            if key.startswith(("playlist:", "artist:")):
                raise  # the others of its kind have to wait too
            if self._limit is None or error.retry_at < self._limit.retry_at:
                self._limit = error
        except SpotifyError as error:
            if isinstance(error, GoneError) and key.startswith("playlist:"):
                await self._drop([key])
                return
            self._progress.refused += 1
            self._refusal = error

    async def _recent(self) -> None:
        """Each play is counted once, by its time and track. Plays are never removed, as Spotify itself forgets all but
        about fifty."""
        listing = await self._open("recent")
        if self._is_done(listing):
            return
        page = await self._gateway.recent(self._account.id)
        counted = RecentPlays.read(listing.cursor)
        async with self._page() as connection:
            played = [entry for entry in page.records if entry.at is not None]
            keys = await store_tracks(connection, [one.track for one in played], listing.source, self._now())
            plays = {
                (milliseconds(one.at), key): Sighting(1, one.at)
                for key, one in zip(keys, played, strict=True)
                if one.at
            }
            new = {play: seen for play, seen in plays.items() if counted.is_new(play)}
            await self._see(connection, listing, Kind.RECENTLY_PLAYED, [(key, seen) for (_, key), seen in new.items()])
            self._progress.entries += len(new)
            self._progress.skipped.update(page.skipped)
            await listings.complete_reading(
                connection, listing.id, self._now(), snapshot=None, cursor=counted.and_also(new).cursor
            )
        self._read += 1

    async def _saved(self) -> None:
        """The newest stand first. Where the first entries of the last reading come again, moved down by as many as the
        total has grown, those are all that is new; the rest is confirmed without being read."""
        listing = await self._open("saved")
        if self._is_done(listing):
            return
        fetch = partial(self._gateway.saved, self._account.id)
        head, first = Head.read(listing.snapshot), None
        if head is not None and listing.cursor is None:
            first = await fetch(0)
            if await self._only_grew(listing, head, first, fetch):
                return
        await self._pages("saved", Kind.SAVED, fetch, first=first)

    async def _only_grew(self, listing: Listing, head: Head, first: Page[Entry], fetch: Fetch) -> bool:
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
        async with self._page() as connection:
            await interactions.confirm(connection, listing.id, self._seen_at(listing))
            await self._store(connection, listing, Kind.SAVED, replace(first, records=tuple(new)), since=None)
            await listings.complete_reading(
                connection, listing.id, self._seen_at(listing), snapshot=Head.of(first).text
            )
        self._progress.unchanged += not new
        self._read += 1
        return True

    async def _pages(
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
        listing = await self._open(key)
        if self._is_done(listing):
            return
        place = _place(listing)
        if snapshot is not None and place is None and listing.snapshot == snapshot:
            await self._confirm(listing, snapshot)
            return
        if place is None or (snapshot is not None and place.snapshot != snapshot):
            listing, place = await self._restart(listing), Place(snapshot=snapshot)
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
            async with self._page() as connection:
                await self._store(connection, listing, kind, page, since=listing.reading_since)
                if ended:
                    await self._complete(connection, listing, place, whole=whole)
                else:
                    await listings.keep_place(connection, listing.id, asdict(place))
            if ended:
                self._read += 1
                return

    async def _followed(self) -> None:
        listing = await self._open("followed")
        if self._is_done(listing):
            return
        place = _place(listing)
        if place is None:
            listing, place = await self._restart(listing), Place()
        while True:
            page = await self._gateway.followed(self._account.id, place.after)
            before, place = place, place.past(page)
            ended = page.last or place.after is None or place.after == before.after
            async with self._page() as connection:
                keys = await store_artists(connection, page.records)
                await interactions.follow(connection, listing, list(keys.values()), self._seen_at(listing))
                self._progress.skipped.update(page.skipped)
                if ended:
                    if place.is_whole and listing.reading_since is not None:
                        await interactions.unfollow_unseen(connection, listing.id, listing.reading_since)
                    await listings.complete_reading(connection, listing.id, self._seen_at(listing), snapshot=None)
                else:
                    await listings.keep_place(connection, listing.id, asdict(place))
            if ended:
                self._read += 1
                return

    async def _playlists(self) -> None:
        """Those that the member owns or collaborates on; Spotify refuses the contents of others. A playlist that left
        the list is removed once that list was read whole."""
        readable: dict[str, PlaylistRecord] = {}
        place = Place()
        while True:
            page = await self._gateway.playlists(self._account.id, place.offset)
            place = place.past(page)
            mine = (one for one in page.records if one.owner_id == self._account.user_id or one.collaborative)
            readable.update((f"playlist:{one.id}", one) for one in mine)
            if page.last or place.is_whole:
                break
        if place.is_whole:
            async with self._database.read() as connection:
                known = await listings.listings_of(
                    connection, self._account.member_id, self._account.source, "playlist:"
                )
            await self._drop([listing.key for listing in known if listing.key not in readable])
        self._progress.playlists = len(readable)
        self._read += 1
        for key, playlist in readable.items():
            fetch = partial(self._gateway.playlist, self._account.id, playlist.id)
            await self._skipping_refusals(key, self._pages(key, Kind.PLAYLIST, fetch, snapshot=playlist.snapshot))
            self._progress.playlists_done += 1

    async def _artists(self) -> None:
        """More tracks of each followed artist, from their newest albums and singles, a few calls an artist."""
        async with self._database.read() as connection:
            followed = []
            if self._artist_tracks:
                followed = await interactions.followed_artists(connection, self._account.member_id)
            known = await listings.listings_of(connection, self._account.member_id, self._account.source, "artist:")
        wanted = {f"artist:{artist}" for artist in followed}
        await self._drop([listing.key for listing in known if listing.key not in wanted])
        for artist in followed:
            await self._skipping_refusals(f"artist:{artist}", self._artist(artist))

    async def _artist(self, artist: str) -> None:
        listing = await self._open(f"artist:{artist}")
        if listing.completed_at is not None and self._clock() - listing.completed_at < ARTIST_LIFE:
            return
        listing = await self._restart(listing)
        tracks: dict[str, Entry] = {}
        for album in (await self._gateway.albums(self._account.id, artist)).records:
            page = await self._gateway.album(self._account.id, album)
            theirs = (one for one in page.records if any(by.spotify_id == artist for by in one.track.artists))
            tracks.update((one.track.spotify_id or "", one) for one in theirs)
            if len(tracks) >= self._artist_tracks:
                break
        entries = list(tracks.values())[: self._artist_tracks]
        found = Page(tuple(entries), len(entries), len(entries), last=True)
        async with self._page() as connection:
            await self._store(connection, listing, Kind.FOLLOWED_ARTIST, found, since=listing.reading_since)
            await self._complete(connection, listing, Place().past(found), whole=True)

    async def _finish(self) -> None:
        """Mark the member's tracks by followed artists, anew each time, and say that the sync is complete."""
        async with self._page() as connection:
            member, source = self._account.member_id, self._account.source
            listing = await listings.open_listing(connection, member, source, "followed")
            since = await interactions.reading_mark(connection, listing.id, self._clock())
            tracks = await interactions.tracks_by_followed(connection, member, source, Kind.FOLLOWED_ARTIST)
            seen = dict.fromkeys(tracks, Sighting())
            self._progress.added += await interactions.see(
                connection, listing, Kind.FOLLOWED_ARTIST, seen, since, since=since
            )
            await interactions.forget_unseen(connection, listing.id, since)
            await syncs.note_complete(connection, self._account.id, self._clock())

    async def _open(self, key: str) -> Listing:
        async with self._page() as connection:
            return await listings.open_listing(connection, self._account.member_id, self._account.source, key)

    async def _restart(self, listing: Listing) -> Listing:
        async with self._page() as connection:
            since = await interactions.reading_mark(connection, listing.id, self._clock())
            await listings.begin_reading(connection, listing.id, since)
        return replace(listing, cursor=None, reading_since=since)

    async def _confirm(self, listing: Listing, snapshot: str | None) -> None:
        async with self._page() as connection:
            await interactions.confirm(connection, listing.id, self._seen_at(listing))
            await listings.complete_reading(connection, listing.id, self._seen_at(listing), snapshot=snapshot)
        self._progress.unchanged += 1
        self._read += 1

    async def _complete(self, connection: Connection, listing: Listing, place: Place, *, whole: bool) -> None:
        """Not whole: the state that was read has no name, so that the next sync reads it all again."""
        if whole and listing.reading_since is not None:
            self._progress.removed += await interactions.forget_unseen(connection, listing.id, listing.reading_since)
        snapshot = place.snapshot if whole else None
        await listings.complete_reading(connection, listing.id, self._seen_at(listing), snapshot=snapshot)

    async def _drop(self, keys: Sequence[str]) -> None:
        """Listings that do not exist any more."""
        if not keys:
            return
        async with self._page() as connection:
            for key in keys:
                self._progress.removed += await listings.delete_listing(
                    connection, self._account.member_id, self._account.source, key
                )

    async def _store(
        self,
        connection: Connection,
        listing: Listing,
        kind: Kind,
        page: Page[Entry],
        *,
        since: datetime | None,
    ) -> None:
        keys = await store_tracks(
            connection, [entry.track for entry in page.records], listing.source, self._seen_at(listing)
        )
        seen = [(key, Sighting(1, entry.at)) for key, entry in zip(keys, page.records, strict=True)]
        await self._see(connection, listing, kind, seen, since=since)
        self._progress.entries += len(page.records)
        self._progress.skipped.update(page.skipped)

    async def _see(
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
        now = self._seen_at(listing)
        self._progress.added += await interactions.see(connection, listing, kind, sightings, now, since=since)

    @asynccontextmanager
    async def _page(self) -> AsyncIterator[Connection]:
        """A transaction that writes nothing for somebody who unlinked or paused meanwhile."""
        async with self._database.write() as connection:
            if not await syncs.still_there(connection, self._account):
                raise UnlinkedError
            if await paused_since(connection, self._account.discord_id) is not None:
                raise PausedError
            yield connection

    def _is_done(self, listing: Listing) -> bool:
        """Read to the end since this sync began, before something stopped it."""
        return listing.completed_at is not None and listing.completed_at >= self._started

    def _now(self) -> datetime:
        """Never before the sync began, whatever the clock does."""
        return max(self._clock(), self._started)

    def _seen_at(self, listing: Listing) -> datetime:
        return max(self._now(), listing.reading_since or self._started)


def _place(listing: Listing) -> Place | None:
    """None: no reading is under way, or one of another version of this bot, which begins anew."""
    if listing.cursor is None or listing.reading_since is None or set(listing.cursor) != _PLACE:
        return None
    return Place(**listing.cursor)
