"""Connecting without Discord: the real clients, storage and services against the sandbox's ListenBrainz and Last.fm."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
from sqlalchemy import select

from bot.clock import Clock
from bot.imports.lastfm import LastFm
from bot.imports.listen_service import ListenService
from bot.imports.listenbrainz import ListenBrainz, ListenBrainzLabs
from bot.imports.polite import Pace
from bot.services.connect import ConnectService, ListenRun
from bot.services.listen_progress import ListenProgress
from bot.services.matching import Matcher
from bot.services.unlink import UnlinkService
from bot.sources import Source
from bot.spotify.records import ArtistRecord, TrackRecord
from bot.storage.accounts import Erased
from bot.storage.database import Database
from bot.storage.schema import account, interaction, listen, listing, track, unmatched_track
from bot.storage.tracks import store_tracks
from sandbox.lastfm_server import LastFmServer
from sandbox.listenbrainz_server import ListenBrainzLabsServer, ListenBrainzServer
from tests.bot.linking import Hands

LISTENBRAINZ, LASTFM = Source.LISTENBRAINZ, Source.LASTFM
KEEP_FOR = timedelta(days=5)
SPRING = 1_777_000_000  # April 2026, before the clock's time


@dataclass
class Seconds:
    """A clock of seconds that only sleeping moves."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, every_s: float) -> Pace:
        return Pace(every_s, clock=self, sleep=self.sleep)


class NoFeatures:
    async def look_up(self, member_id: int | None) -> None:
        return None


def unconnected(database: Database, clock: Clock) -> ConnectService:
    """Of a host where nobody connected anything."""
    return ConnectService(database, {}, Matcher(database, None, clock), NoFeatures(), KEEP_FOR, clock)


@dataclass
class Office:
    """Everything that connecting takes. `service` can be opened anew, as after a restart."""

    database: Database
    listenbrainz: ListenBrainzServer
    labs: ListenBrainzLabsServer
    lastfm: LastFmServer
    clock: Hands
    seconds: Seconds
    http: aiohttp.ClientSession
    service: ConnectService
    with_labs: bool = True

    def open_service(self) -> ConnectService:
        lb = ListenBrainz(self.listenbrainz.url, self.http, self.clock, pace=self.seconds.pace(1.0))
        labs = ListenBrainzLabs(self.labs.url, self.http, self.clock, pace=self.seconds.pace(1.0))
        lastfm = LastFm(self.lastfm.url, self.lastfm.key, self.http, self.clock, pace=self.seconds.pace(0.5))
        matcher = Matcher(self.database, labs if self.with_labs else None, self.clock)
        services: dict[Source, ListenService] = {LISTENBRAINZ: lb, LASTFM: lastfm}
        return ConnectService(self.database, services, matcher, NoFeatures(), KEEP_FOR, self.clock)

    async def disconnect(self, source: Source, member: str = "100") -> Erased:
        return (await UnlinkService(self.database, KEEP_FOR, self.clock).unlink(member, source)).erased

    async def restart(self) -> None:
        await self.service.close()
        self.service = self.open_service()

    async def connect(
        self, source: Source = LISTENBRAINZ, user: str = "rob", *, member: str = "100", token: str | None = None
    ) -> ListenProgress:
        """To the end of the first collection."""
        run = await self.service.connect(member, source, user, token)
        await run.wait()
        return run.progress

    async def collect(self, member: str = "100", *, days: float = 1) -> ListenProgress:
        """Once more, some time later."""
        self.clock.turn(days=days)
        run = await self.begin(member)
        await run.wait()
        return run.progress

    async def begin(self, member: str = "100") -> ListenRun:
        [(run, _)] = await self.service.start(member)
        return run

    async def known(self, kind: str | None = None) -> Counter[str]:
        """Title -> count."""
        query = select(track.c.title, interaction.c.count).join(interaction, interaction.c.track_id == track.c.id)
        counts: Counter[str] = Counter()
        for title, count in await self.rows(query if kind is None else query.where(interaction.c.kind == kind)):
            counts[title] += count
        return counts

    async def spotify_ids(self) -> dict[str, str | None]:
        return dict(await self.rows(select(track.c.title, track.c.spotify_id)))

    async def waiting(self) -> list[str]:
        return [title for (title,) in await self.rows(select(unmatched_track.c.title))]

    async def rows(self, query):
        async with self.database.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]

    async def held(self) -> dict[str, int]:
        """How many rows of a member's there are, by table."""
        return {one.name: len(await self.rows(select(one))) for one in (account, listing, listen, interaction)}

    async def know(self, *records: TrackRecord) -> None:
        """Tracks that are here for another reason."""
        async with self.database.write() as connection:
            await store_tracks(connection, list(records), Source.SPOTIFY, self.clock())


def record(spotify_id: str, title: str, artist: str, isrc: str | None = None) -> TrackRecord:
    return TrackRecord(spotify_id, isrc, None, title, (ArtistRecord(None, artist),))


@asynccontextmanager
async def connecting(database: Database, *, with_labs: bool = True) -> AsyncIterator[Office]:
    clock, seconds = Hands(), Seconds()
    async with AsyncExitStack() as stack:
        listenbrainz = await stack.enter_async_context(ListenBrainzServer(clock=seconds))
        labs = await stack.enter_async_context(ListenBrainzLabsServer())
        lastfm = await stack.enter_async_context(LastFmServer(clock=seconds))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        office = Office(database, listenbrainz, labs, lastfm, clock, seconds, http, None, with_labs)
        office.service = office.open_service()
        try:
            yield office
        finally:
            await office.service.close()
