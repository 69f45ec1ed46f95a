"""The upload page without Discord: the pages on a real socket, the real import behind them, and a clock to turn."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.audio_features.chain import Chain
from bot.audio_features.reccobeats import ReccoBeats
from bot.services.features import FeaturesService
from bot.services.importing import ImportService
from bot.services.upload import UploadService
from bot.storage.database import Database
from bot.upload_pages import upload_routes
from bot.web import Web
from sandbox.reccobeats_server import ReccoBeatsServer
from tests.bot.linking import Hands
from tests.bot.ports import free_port


@dataclass
class Dock:
    """`uploads` can be opened anew, as after a restart."""

    database: Database
    scratch: Path
    clock: Hands
    imports: ImportService
    uploads: UploadService
    web: Web

    async def offer(
        self, discord_id: str = "100", name: str = "Ada (@ada)", guild: str | None = "Home", *, private: bool = False
    ) -> str:
        """The address of a new upload page."""
        return (await self.uploads.start(discord_id, name, guild, with_private=private)).url


@asynccontextmanager
async def docking(database: Database, scratch: Path, *, port: int | None = None) -> AsyncIterator[Dock]:
    clock, port = Hands(), port or free_port()
    public_url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        reccobeats = await stack.enter_async_context(ReccoBeatsServer())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        features = FeaturesService(database, Chain([ReccoBeats(reccobeats.url, http, clock)]), clock)
        imports = ImportService(database, scratch, clock, features, http)
        stack.push_async_callback(imports.close)
        uploads = UploadService(database, imports, public_url, clock)
        stack.push_async_callback(uploads.close)
        uploads.open()

        async def ready() -> list[str]:
            return []

        web = Web("127.0.0.1", port, ready, upload_routes(uploads, public_url))
        await web.start()
        stack.push_async_callback(web.close)
        yield Dock(database, scratch, clock, imports, uploads, web)


class Sender:
    """What the page's script does, step by step; `async with`. Each has its own cookies."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> "Sender":
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def open(self) -> tuple[int, str]:
        async with self.session.get(self.url) as response:
            return response.status, await response.text()

    async def announce(self, name: str, size: int, *, private: bool = False, **options: Any) -> tuple[int, Any]:
        said = {"name": name, "size": size, "private": private}
        async with self.session.post(f"{self.url}/files", **({"json": said} | options)) as response:
            return response.status, await response.json()

    async def put(self, number: int, start: int, piece: Any, **options: Any) -> tuple[int, Any]:
        address = f"{self.url}/files/{number}?from={start}"
        async with self.session.put(address, data=piece, **options) as response:
            return response.status, await response.json()

    async def progress(self) -> Any:
        async with self.session.get(f"{self.url}/progress") as response:
            return await response.json()

    async def send(self, name: str, content: bytes, *, private: bool = False, piece: int = 1_000) -> int:
        """The whole file, to its last piece. Returns its number."""
        status, slot = await self.announce(name, len(content), private=private)
        assert status == 200, slot
        for start in range(slot["received"], len(content), piece):
            status, answer = await self.put(slot["number"], start, content[start : start + piece])
            assert (status, answer) == (200, {"received": min(start + piece, len(content))})
        return slot["number"]
