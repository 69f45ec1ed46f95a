"""Collecting without Discord: the real gateway, tokens, storage and services against the sandbox's far ends."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from sqlalchemy import select

from bot.audio_features.chain import Chain
from bot.audio_features.reccobeats import ReccoBeats
from bot.services.allowance import Allowance
from bot.services.daily import Daily
from bot.services.endpoints import Endpoints
from bot.services.features import FeaturesService
from bot.services.host import HostNotices
from bot.services.progress import Progress
from bot.services.sync import SyncRun, SyncService
from bot.services.tokens import TokenKeeper
from bot.sources import Source
from bot.spotify.gateway import Gateway
from bot.spotify.kinds import CallKind
from bot.spotify.oauth import OAuth
from bot.spotify.vault import Vault
from bot.storage.accounts import erase_source, fresh_tokens, put_account
from bot.storage.database import Database
from bot.storage.members import ensure_member
from bot.storage.schema import account, interaction, listing, track
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.spotify.catalogue import Track
from sandbox.spotify.library import SpotifyUser
from sandbox.spotify_server import SpotifyServer
from tests.bot.connecting import unconnected
from tests.bot.linking import OLD_KEY, Hands, Told

MIDDLE = {
    "acousticness": 0.1,
    "danceability": 0.5,
    "energy": 0.6,
    "instrumentalness": 0.0,
    "liveness": 0.2,
    "speechiness": 0.05,
    "valence": 0.4,
    "loudness": -7.5,
    "tempo": 121.5,
}


@dataclass
class Desk:
    """Everything that collecting takes. `syncs` can be opened anew, as after a restart."""

    database: Database
    spotify: SpotifyServer
    reccobeats: ReccoBeatsServer
    clock: Hands
    http: aiohttp.ClientSession
    tokens: TokenKeeper
    gateway: Gateway
    features: FeaturesService
    allowance: Allowance
    told: Told
    host: HostNotices
    syncs: SyncService
    artist_tracks: int = 0

    def songs(self, count: int, name: str = "Song", artist: str = "The Band", *, known: bool = True) -> list[Track]:
        """New tracks of a new artist; ReccoBeats knows them if `known`."""
        catalogue = self.spotify.catalogue
        album = catalogue.add_album(f"{name}s", [catalogue.add_artist(artist)])
        tracks = [catalogue.add_track(f"{name} {number}", album) for number in range(count)]
        if known:
            self.reccobeats.add({one.id: MIDDLE for one in tracks})
        return tracks

    async def link(
        self, user: SpotifyUser, discord_id: str | None = None, token_life: timedelta = timedelta(days=365)
    ) -> int:
        """`token_life`: how long the bot takes the access token for good; Spotify lets it live for an hour."""
        now = self.clock()
        return await link_account(
            self.database, self.spotify, user, discord_id or user.id, OLD_KEY, now, token_life=token_life
        )

    async def unlink(self, discord_id: str) -> None:
        async with self.database.write() as connection:
            await erase_source(connection, await ensure_member(connection, discord_id, self.clock()), Source.SPOTIFY)

    async def sync(self, discord_id: str) -> Progress:
        """A sync to its end, a minute later."""
        self.clock.turn(minutes=1)
        run = await self.begin(discord_id)
        await run.wait()
        return run.progress

    async def begin(self, discord_id: str) -> SyncRun:
        run, _ = await self.syncs.start(discord_id)
        return run

    async def restart(self) -> None:
        """Close the syncs in the middle of whatever they do; open new ones."""
        await self.syncs.close()
        self.syncs = SyncService(
            self.database,
            self.gateway,
            self.features,
            self.allowance,
            self.host,
            self.clock,
            artist_tracks=self.artist_tracks,
        )

    def daily(self, hours: float = 24.0) -> Daily:
        """The daily task, nothing but Spotify connected; each one begins anew."""
        connections = unconnected(self.database, self.clock)
        interval = timedelta(hours=hours)
        return Daily(self.database, self.syncs, connections, self.features, self.clock, sync_interval=interval)

    async def known(self, kind: str | None = None) -> Counter[str]:
        """Title -> count, over all listings."""
        query = select(track.c.title, interaction.c.count).join(interaction, interaction.c.track_id == track.c.id)
        if kind is not None:
            query = query.where(interaction.c.kind == kind)
        counts: Counter[str] = Counter()
        async with self.database.read() as connection:
            for title, count in await connection.execute(query):
                counts[title] += count
        return counts

    async def rows(self, query: Any) -> list[Any]:
        async with self.database.read() as connection:
            return list((await connection.execute(query)).all())

    async def account(self) -> Any:
        (row,) = await self.rows(select(account))
        return row

    async def listing(self, key: str) -> Any:
        (row,) = await self.rows(select(listing).where(listing.c.key == key))
        return row


async def link_account(
    database: Database,
    spotify: SpotifyServer,
    user: SpotifyUser,
    discord_id: str,
    key: str,
    now: datetime,
    *,
    token_life: timedelta = timedelta(days=365),
) -> int:
    """As the linking pages leave it: the account, with its tokens sealed."""
    answer, vault = spotify.accounts.issue(user), Vault([key])
    async with database.write() as connection:
        return await put_account(
            connection,
            await ensure_member(connection, discord_id, now),
            Source.SPOTIFY,
            external_id=user.account_id,
            user_id=user.id,
            display_name=user.display_name,
            tokens=fresh_tokens(
                vault.seal(str(answer["access_token"])),
                vault.seal(str(answer["refresh_token"])),
                now + token_life,
            ),
            scope="",
            now=now,
        )


@asynccontextmanager
async def collecting(
    database: Database,
    *,
    artist_tracks: int = 0,
    threads: int = 4,
    budgets: Mapping[CallKind, int] | None = None,
    timeout_seconds: float = 20,
) -> AsyncIterator[Desk]:
    clock = Hands()
    async with AsyncExitStack() as stack:
        spotify = await stack.enter_async_context(SpotifyServer(clock=clock))
        reccobeats = await stack.enter_async_context(ReccoBeatsServer())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        oauth = OAuth(
            spotify.client_id, spotify.client_secret, "http://127.0.0.1:1/x", spotify.accounts_url, http, clock
        )
        tokens = TokenKeeper(database, Vault([OLD_KEY]), oauth, clock)
        stack.push_async_callback(tokens.close)
        told = Told()
        host = HostNotices(told, clock)
        allowance = Allowance(database, spotify.client_id, budgets or {}, clock, sync_interval=timedelta(days=1))
        await allowance.open()
        stack.push_async_callback(allowance.close)
        endpoints = Endpoints(database, spotify.client_id, clock)
        await endpoints.open()
        gateway = Gateway(
            spotify.api_url,
            tokens,
            allowance,
            endpoints,
            clock,
            threads=threads,
            retry_delays=(0.0, 0.0),
            timeout_seconds=(timeout_seconds, timeout_seconds),
        )
        stack.push_async_callback(gateway.close)
        features = FeaturesService(
            database, Chain([ReccoBeats(reccobeats.url, http, clock, retry_delays=(0.0, 0.0))]), clock
        )
        syncs = SyncService(database, gateway, features, allowance, host, clock, artist_tracks=artist_tracks)
        desk = Desk(
            database,
            spotify,
            reccobeats,
            clock,
            http,
            tokens,
            gateway,
            features,
            allowance,
            told,
            host,
            syncs,
            artist_tracks,
        )
        try:
            yield desk
        finally:
            await desk.syncs.close()
            spotify.clear_faults()  # nobody waits for a held answer
