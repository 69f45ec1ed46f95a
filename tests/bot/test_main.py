"""The bot as a host starts it: a process of its own, its exit codes and sentences, its end on SIGTERM."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from sandbox.discord_server import DiscordServer
from tests.bot.ports import free_port

TOKEN = "a-bot-token"


def _environment(discord: DiscordServer, folder: Path, **changes: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DISCORD_TOKEN": TOKEN,
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "TRAINING_SOURCES": "spotify,discord",
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'specrec.db'}",
        "MODEL_DIR": str(folder / "models"),
        "WEB_PORT": str(free_port()),
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
    } | changes


@asynccontextmanager
async def _bot(environment: dict[str, str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", cwd=folder, env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(token=TOKEN) as server:
        yield server


async def _ready(port: str) -> dict[str, object]:
    async with aiohttp.ClientSession() as http:
        for _ in range(1_200):
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return await answer.json()
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError("the bot never became ready")


async def test_missing_settings_end_the_start_with_a_sentence_each(discord: DiscordServer, tmp_path: Path) -> None:
    async with _bot({"PATH": os.environ["PATH"]}, tmp_path) as process:
        out, err = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert len(err.decode().splitlines()) == 4
    assert b"Traceback" not in err


async def test_a_refused_token_is_one_sentence(discord: DiscordServer, tmp_path: Path) -> None:
    async with _bot(_environment(discord, tmp_path, DISCORD_TOKEN="wrong", LOG_LEVEL="ERROR"), tmp_path) as process:
        _, err = await process.communicate()
    assert process.returncode == 2
    assert err.decode().splitlines() == [
        "Discord refuses DISCORD_TOKEN: copy a fresh one from the application's Bot page."
    ]


async def test_discord_out_of_order_is_one_sentence(discord: DiscordServer, tmp_path: Path) -> None:
    discord.fail_next("GET", "/users/@me", 403)
    async with _bot(_environment(discord, tmp_path, LOG_LEVEL="ERROR"), tmp_path) as process:
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().splitlines() == ["The bot could not start: Discord answered 403. Try again in a while."]


async def test_a_taken_port_is_one_sentence(discord: DiscordServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with _bot(_environment(discord, tmp_path, LOG_LEVEL="ERROR", WEB_PORT=port), tmp_path) as process:
            _, err = await process.communicate()
    assert process.returncode == 2
    (line,) = err.decode().splitlines()
    assert line.startswith(f"WEB_HOST, WEB_PORT: cannot listen on 127.0.0.1:{port} (Address already in use)")


async def test_a_token_that_was_reset_ends_the_bot_with_a_sentence(discord: DiscordServer, tmp_path: Path) -> None:
    environment = _environment(discord, tmp_path, LOG_LEVEL="ERROR")
    async with _bot(environment, tmp_path) as process:
        await _ready(environment["WEB_PORT"])
        await discord.disconnect(4004)
        async with asyncio.timeout(60):
            _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().splitlines()[-1].startswith("Discord refuses DISCORD_TOKEN")
    assert "Traceback" not in err.decode()


async def test_it_gets_ready_answers_and_ends_on_sigterm(discord: DiscordServer, tmp_path: Path) -> None:
    ada = discord.add_user("Ada")
    guild = discord.add_guild("Club", ada)
    environment = _environment(discord, tmp_path, LOG_LEVEL="DEBUG")
    async with _bot(environment, tmp_path) as process:
        assert await _ready(environment["WEB_PORT"]) == {"status": "ready", "missing": []}
        message = await (await discord.command(ada, "help", guild=guild)).reply()
        assert "/recommend" in str(message.embeds)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, err = await process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in err.decode()
    assert TOKEN not in err.decode()
    assert (tmp_path / "specrec.db").stat().st_mode & 0o077 == 0


async def test_unchanged_commands_are_not_sent_again(tmp_path: Path) -> None:
    sent = []

    @web.middleware
    async def count(request, handler):
        if request.method == "PUT" and request.path.endswith("/commands"):
            sent.append(request.path)
        return await handler(request)

    async with DiscordServer(token=TOKEN, middlewares=[count]) as discord:
        discord.add_guild("Club", discord.add_user("Ada"))
        environment = _environment(discord, tmp_path)
        for _ in range(2):
            async with _bot(environment, tmp_path) as process:
                await _ready(environment["WEB_PORT"])
                process.send_signal(signal.SIGTERM)
                await process.wait()
    assert len(sent) == 1


def test_the_bot_calculates_in_one_thread() -> None:
    """Beside a training it would wait for the second one."""
    code = (
        "import sys, psutil, bot.__main__ as main; assert 'numpy' not in sys.modules; main._stay_small();"
        "import bot.app; assert 'numpy' in sys.modules; print(psutil.Process().num_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_the_most_talkative_log_has_no_row_of_the_database(tmp_path: Path) -> None:
    """The driver and SQLAlchemy print every statement with its values below WARNING."""
    code = """
import asyncio, logging, types
from bot.__main__ import _set_up_logging
from bot.storage.database import Database, insert_all
from bot.storage.schema import metadata, note

async def work():
    database = Database("sqlite+aiosqlite:///log.db")
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(note.insert(), {"key": "one", "value": "a-secret"})
        await insert_all(connection, note, [{"key": "two", "value": "a-secret"}])
        await connection.execute(note.select().where(note.c.value == "a-secret"))
    await database.close()

_set_up_logging(types.SimpleNamespace(log_level="DEBUG"))
logging.getLogger("bot").debug("it talks")
asyncio.run(work())
"""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "it talks" in done.stderr
    assert "a-secret" not in done.stderr + done.stdout
