"""Linking without Discord: the pages on a real socket, the sandbox's Spotify behind them, and a clock to turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
from cryptography.fernet import Fernet

from bot.link_pages import link_routes
from bot.services.allowance import Allowance
from bot.services.endpoints import Endpoints
from bot.services.host import HostNotice, HostNotices
from bot.services.link import Linked, LinkService
from bot.services.link_message import LinkNews, LinkReporter
from bot.services.tokens import TokenKeeper
from bot.spotify.gateway import Gateway
from bot.spotify.oauth import OAuth
from bot.spotify.vault import Vault
from bot.storage.database import Database
from bot.web import Web
from sandbox.browser import Browser, Page
from sandbox.spotify_server import SpotifyServer
from tests.bot.ports import free_port

OLD_KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@dataclass
class Hands:
    """A clock that moves when it is told to."""

    now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Shown:
    """Stands where Discord's messages are: keeps what they would say."""

    edits: list[tuple[str, str, LinkNews]] = field(default_factory=list)

    async def show(self, channel_id: str, message_id: str, news: LinkNews) -> None:
        self.edits.append((channel_id, message_id, news))


@dataclass
class Told:
    """Stands where the host's direct messages are."""

    notices: list[HostNotice] = field(default_factory=list)

    async def tell(self, notice: HostNotice) -> None:
        self.notices.append(notice)


@dataclass
class House:
    database: Database
    spotify: SpotifyServer
    clock: Hands
    service: LinkService
    tokens: TokenKeeper
    shown: Shown
    told: Told
    linked: list[Linked]

    async def offer(self, discord_id: str = "100", name: str = "Ada (@ada)", guild: str | None = "Home") -> str:
        """The address of a new one-time link."""
        return (await self.service.start(discord_id, name, guild)).url

    async def followed_up(self) -> None:
        """Until what a link sets off has ended."""
        await asyncio.gather(*self.service._tasks)


@asynccontextmanager
async def linking(
    database: Database, keys: tuple[str, ...] = (OLD_KEY,), *, seats: int | None = None
) -> AsyncIterator[House]:
    clock, port = Hands(), free_port()
    public_url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        spotify = await stack.enter_async_context(
            SpotifyServer(redirect_uris=[f"{public_url}/spotify/callback"], clock=clock)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        vault = Vault(keys)
        oauth = OAuth(
            spotify.client_id,
            spotify.client_secret,
            f"{public_url}/spotify/callback",
            spotify.accounts_url,
            http,
            clock,
        )
        tokens = TokenKeeper(database, vault, oauth, clock)
        stack.push_async_callback(tokens.close)
        allowance = Allowance(database, spotify.client_id, {}, clock, sync_interval=timedelta(days=1))
        endpoints = Endpoints(database, spotify.client_id, clock)
        gateway = Gateway(spotify.api_url, tokens, allowance, endpoints, clock, retry_delays=(0.0,))
        stack.push_async_callback(gateway.close)
        shown, told, linked = Shown(), Told(), []

        async def on_linked(event: Linked) -> None:
            linked.append(event)

        service = LinkService(
            database,
            vault,
            oauth,
            gateway,
            LinkReporter(database, shown),
            on_linked,
            HostNotices(told, clock),
            public_url,
            clock,
            seats=seats,
        )
        stack.push_async_callback(service.close)

        async def ready() -> list[str]:
            return []

        web = Web("127.0.0.1", port, ready, link_routes(service, public_url))
        await web.start()
        stack.push_async_callback(web.close)
        yield House(database, spotify, clock, service, tokens, shown, told, linked)


async def consent(browser: Browser, url: str) -> Page:
    """Open the link, press Continue: Spotify's page."""
    page = await browser.open(url)
    assert page.status == 200, page.heading
    return await browser.submit(page)


async def walk(browser: Browser, url: str, user: str, decision: str = "agree") -> Page:
    """The whole way; the page at its end."""
    return await browser.submit(await consent(browser, url), user=user, decision=decision)


def everything_on_disk(database: Database) -> bytes:
    """The database's file and its log."""
    path = database.path
    assert path is not None
    return b"".join(one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")) if one.suffix != ".db-shm")
