"""What nobody foresaw: one sentence with a code, and the cause under that code in the log."""

import logging
import re

from sqlalchemy import text

from bot.services.progress import Stage
from sandbox.discord_server import DiscordServer
from tests.bot.collecting import collecting
from tests.bot.running import TOKEN, running, settings_for


async def _break(database, table):
    async with database.write() as connection:
        await connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        await connection.execute(text(f"DROP TABLE {table}"))


def _code(told):
    (code,) = re.findall(r"tell the host this code: `([0-9A-F]{6})`\.", told)
    assert "OperationalError" not in told
    return code


def _causes(caplog, code):
    return [record.exc_text for record in caplog.records if record.getMessage().startswith(f"[{code}] ")]


async def test_a_command(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with DiscordServer(token=TOKEN) as discord:
        ada = discord.add_user("Ada")
        guild = discord.add_guild("Club", ada)
        async with running(settings_for(discord, tmp_path), discord) as app:
            await _break(app.database, "training_run")
            reply = await (await discord.command(ada, "model status", guild=guild)).reply()
    assert reply.ephemeral
    (cause,) = _causes(caplog, _code(reply.content))
    assert "no such table: training_run" in cause


async def test_a_sync(database, caplog):
    async with collecting(database) as desk:
        ada = desk.spotify.add_user("ada", "Ada")
        ada.save(desk.songs(3))
        await desk.link(ada)
        await _break(database, "track_artist")
        progress = await desk.sync("ada")
        assert progress.stage is Stage.STOPPED
        assert (await desk.account()).sync_note == progress.reason
    (cause,) = _causes(caplog, _code(progress.reason))
    assert "no such table: track_artist" in cause
