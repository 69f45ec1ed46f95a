"""One sync of one account: which listings there are, in which order, and what stops one of them or all. How each is
read, `ListingReader` knows.

A kind of call that is used up for today stops what needs it, and nothing else.
"""

from collections.abc import Awaitable
from dataclasses import asdict
from datetime import timedelta
from functools import partial

from bot.clock import Clock
from bot.errors import (
    GoneError,
    NeedsReconnectError,
    NoPremiumError,
    NotRegisteredError,
    RateLimitError,
    SpotifyError,
    UnavailableError,
)
from bot.services.listing_reader import ListingReader, Place, place_of
from bot.services.progress import Progress, Stage
from bot.services.recent_plays import RecentPlays, milliseconds
from bot.spotify.gateway import Gateway
from bot.spotify.records import Entry, Page, PlaylistRecord
from bot.storage import interactions, listings, syncs
from bot.storage.database import Database
from bot.storage.interactions import Sighting
from bot.storage.syncs import SyncAccount
from bot.storage.tracks import store_artists, store_tracks
from specrec.interactions import Kind

TIME_RANGES = ("short_term", "medium_term", "long_term")
RESUME_LIFE = timedelta(days=7)  # what a stopped sync read before counts as read so long; then it begins anew
ARTIST_LIFE = timedelta(days=21)  # a followed artist's albums are not asked for again before: the quota dies of it


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
        self._resumed = resumed
        started = account.started_at if resumed and account.started_at else now
        self._reader = ListingReader(database, clock, account, progress, started)
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
                f"top:{time_range}", self._reader.read_pages(f"top:{time_range}", Kind.TOP, fetch, most=1)
            )
        self._progress.stage = Stage.SAVED
        fetch = partial(gateway.saved, account)
        await self._skipping_refusals("saved", self._reader.read_newest_first("saved", Kind.SAVED, fetch))
        self._progress.stage = Stage.FOLLOWED
        await self._skipping_refusals("followed", self._followed())
        self._progress.stage = Stage.PLAYLISTS
        await self._skipping_refusals("playlists", self._playlists())
        self._progress.stage = Stage.ARTISTS
        await self._skipping_refusals("artists", self._artists())
        if self._limit is not None:
            raise self._limit
        if self._refusal is not None and self._reader.read == 0:
            raise self._refusal
        await self._finish()

    async def _begin(self) -> None:
        async with self._reader.transaction() as connection:
            if not self._resumed:
                latest = await listings.last_completed(connection, self._account.member_id, self._account.source)
                if latest is not None:  # a clock that stands still must not make this sync look done
                    self._reader.started = max(self._reader.started, latest + timedelta(microseconds=1))
            await syncs.note_started(connection, self._account.id, self._reader.started)

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
                await self._reader.drop([key])
                return
            self._progress.refused += 1
            self._refusal = error

    async def _recent(self) -> None:
        """Each play is counted once, by its time and track. Plays are never removed, as Spotify itself forgets all but
        about fifty."""
        listing = await self._reader.open("recent")
        if self._reader.is_done(listing):
            return
        page = await self._gateway.recent(self._account.id)
        counted = RecentPlays.read(listing.cursor)
        async with self._reader.transaction() as connection:
            played = [entry for entry in page.records if entry.at is not None]
            keys = await store_tracks(connection, [one.track for one in played], listing.source, self._reader.now())
            plays = {
                (milliseconds(one.at), key): Sighting(1, one.at)
                for key, one in zip(keys, played, strict=True)
                if one.at
            }
            new = {play: seen for play, seen in plays.items() if counted.is_new(play)}
            await self._reader.see(
                connection, listing, Kind.RECENTLY_PLAYED, [(key, seen) for (_, key), seen in new.items()]
            )
            self._progress.entries += len(new)
            self._progress.skipped.update(page.skipped)
            await listings.complete_reading(
                connection, listing.id, self._reader.now(), snapshot=None, cursor=counted.and_also(new).cursor
            )
        self._reader.read += 1

    async def _followed(self) -> None:
        listing = await self._reader.open("followed")
        if self._reader.is_done(listing):
            return
        place = place_of(listing)
        if place is None:
            listing, place = await self._reader.restart(listing), Place()
        while True:
            page = await self._gateway.followed(self._account.id, place.after)
            before, place = place, place.past(page)
            ended = page.last or place.after is None or place.after == before.after
            async with self._reader.transaction() as connection:
                keys = await store_artists(connection, page.records)
                await interactions.follow(connection, listing, list(keys.values()), self._reader.seen_at(listing))
                self._progress.skipped.update(page.skipped)
                if ended:
                    if place.is_whole and listing.reading_since is not None:
                        await interactions.unfollow_unseen(connection, listing.id, listing.reading_since)
                    await listings.complete_reading(
                        connection, listing.id, self._reader.seen_at(listing), snapshot=None
                    )
                else:
                    await listings.keep_place(connection, listing.id, asdict(place))
            if ended:
                self._reader.read += 1
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
            await self._reader.drop([listing.key for listing in known if listing.key not in readable])
        self._progress.playlists = len(readable)
        self._reader.read += 1
        for key, playlist in readable.items():
            fetch = partial(self._gateway.playlist, self._account.id, playlist.id)
            await self._skipping_refusals(
                key, self._reader.read_pages(key, Kind.PLAYLIST, fetch, snapshot=playlist.snapshot)
            )
            self._progress.playlists_done += 1

    async def _artists(self) -> None:
        """More tracks of each followed artist, from their newest albums and singles, a few calls an artist."""
        async with self._database.read() as connection:
            followed = []
            if self._artist_tracks:
                followed = await interactions.followed_artists(connection, self._account.member_id)
            known = await listings.listings_of(connection, self._account.member_id, self._account.source, "artist:")
        wanted = {f"artist:{artist}" for artist in followed}
        await self._reader.drop([listing.key for listing in known if listing.key not in wanted])
        for artist in followed:
            await self._skipping_refusals(f"artist:{artist}", self._artist(artist))

    async def _artist(self, artist: str) -> None:
        listing = await self._reader.open(f"artist:{artist}")
        if listing.completed_at is not None and self._clock() - listing.completed_at < ARTIST_LIFE:
            return
        listing = await self._reader.restart(listing)
        tracks: dict[str, Entry] = {}
        for album in (await self._gateway.albums(self._account.id, artist)).records:
            page = await self._gateway.album(self._account.id, album)
            theirs = (one for one in page.records if any(by.spotify_id == artist for by in one.track.artists))
            tracks.update((one.track.spotify_id or "", one) for one in theirs)
            if len(tracks) >= self._artist_tracks:
                break
        entries = list(tracks.values())[: self._artist_tracks]
        found = Page(tuple(entries), len(entries), len(entries), last=True)
        async with self._reader.transaction() as connection:
            await self._reader.store(connection, listing, Kind.FOLLOWED_ARTIST, found, since=listing.reading_since)
            await self._reader.complete(connection, listing, Place().past(found), whole=True)

    async def _finish(self) -> None:
        """Mark the member's tracks by followed artists, anew each time, and say that the sync is complete."""
        async with self._reader.transaction() as connection:
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
