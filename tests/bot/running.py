"""The whole bot in this process, connected to the sandbox's Discord."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from bot.app import App
from bot.clock import Clock, utc_now
from bot.settings import Settings
from sandbox.discord_server import DiscordServer

TOKEN = "a-bot-token"
KEY = Fernet.generate_key().decode()


def settings_for(discord: DiscordServer, folder: Path, **changes: Any) -> Settings:
    """Everything in `folder`, on free ports."""
    values: dict[str, Any] = {
        "_env_file": None,
        "discord_token": TOKEN,
        "public_url": "http://127.0.0.1:8080",
        "token_encryption_keys": KEY,
        "training_sources": "spotify,discord",
        "database_url": f"sqlite+aiosqlite:///{folder / 'specrec.db'}",
        "model_dir": folder / "models",
        "web_port": 0,
        "spotify_retention_days": 3_650,  # rows of a shelf are from a day that is long past
        "discord_api_url": discord.api_url,
        "discord_gateway_url": discord.gateway_url,
    }
    return Settings(**values | changes)


@asynccontextmanager
async def running(settings: Settings, discord: DiscordServer, clock: Clock = utc_now) -> AsyncIterator[App]:
    """Ready for commands; stopped as SIGTERM stops it."""
    async with App(settings, clock) as app:
        task = asyncio.create_task(app.run())
        try:
            await discord.wait_ready()
            await discord.wait_commands()
            yield app
        finally:
            app.stop()
            await task
    await discord.wait_gone()
