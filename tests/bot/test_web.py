"""/healthz and /readyz of the running bot."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import aiohttp

from bot.app import App
from sandbox.discord_server import DiscordServer
from tests.bot.running import TOKEN, running, settings_for


async def _get(app: App, path: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as http, http.get(f"{app.web.address}{path}") as answer:
        return answer.status, await answer.json()


async def _until(app: App, status: int) -> dict[str, object]:
    """What /readyz says when it answers with this status."""
    async with asyncio.timeout(60):
        while True:
            answered, said = await _get(app, "/readyz")
            if answered == status:
                return said
            await asyncio.sleep(0.02)


async def test_ready_says_what_is_missing_while_it_is_alive(tmp_path: Path) -> None:
    async with DiscordServer(token=TOKEN) as discord, running(settings_for(discord, tmp_path), discord) as app:
        assert await _until(app, 200) == {"status": "ready", "missing": []}
        await discord.stop()
        assert await _until(app, 503) == {"status": "not ready", "missing": ["Discord's gateway is not connected"]}
        assert await _get(app, "/healthz") == (200, {"status": "alive"})


async def test_a_database_that_cannot_be_written_is_not_ready(tmp_path: Path, monkeypatch) -> None:
    """Somebody else has its lock and does not let go of it."""
    monkeypatch.setattr("bot.storage.database.BUSY_TIMEOUT_MS", 20)
    async with DiscordServer(token=TOKEN) as discord, running(settings_for(discord, tmp_path), discord) as app:
        await _until(app, 200)
        with contextlib.closing(sqlite3.connect(app.database.path, isolation_level=None)) as elsewhere:
            elsewhere.execute("BEGIN IMMEDIATE")
            assert await _get(app, "/readyz") == (
                503,
                {"status": "not ready", "missing": ["the database is not writable"]},
            )
            elsewhere.execute("ROLLBACK")
        assert await _until(app, 200) == {"status": "ready", "missing": []}
