"""/model over the sandbox's Discord: who may, what the channel sees, and what a killed bot leaves behind."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from bot.clock import utc_now
from bot.storage.database import Database
from bot.storage.migrate import migrate
from sandbox.discord_server import DiscordServer, Permissions
from tests.bot.models import REPORT, Now, community, service
from tests.bot.running import TOKEN, running, settings_for
from tests.bot.shelf import give
from tests.bot.workers import publisher, training_processes

TRAINING_SECONDS = 400  # until a test gives up: much more than it takes
TOO_LONG = 0.005  # minutes: a run that ends by itself before torch is loaded


class Later:
    """The machine's clock, which a test sets forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock():
    return Later()


@pytest.fixture
async def discord(clock):
    async with DiscordServer(token=TOKEN, clock=clock) as server:
        yield server


@pytest.fixture
def club(discord):
    """A server with an owner, whom Discord lets do everything."""
    return discord.add_guild("Club", discord.add_user("Ada"))


async def _fill(folder: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{folder / 'specrec.db'}")
    await migrate(database, utc_now)
    await community(database)
    await database.close()


async def _ask(discord, user, command, guild, **options):
    return await (await discord.command(user, command, options, guild=guild)).reply()


@pytest.mark.timeout(900)
async def test_from_no_model_to_one_that_answers(discord, club, tmp_path):
    await _fill(tmp_path)
    async with running(settings_for(discord, tmp_path), discord) as app:
        status = await _ask(discord, club.owner, "model status", club)
        assert status.ephemeral
        assert "No model yet" in status.text
        assert "8 members with" in status.text
        interaction = await discord.command(club.owner, "model retrain", guild=club)
        reply = await interaction.reply()
        assert interaction.answered_at - interaction.dispatched_at < 3
        assert interaction.completed_at - interaction.dispatched_at < 3
        assert reply.ephemeral
        assert "Training has started" in reply.text
        progress = await discord.wait_for_message(club.general, lambda message: "Training the model" in message.text)
        assert "<@" in (await _ask(discord, club.owner, "model status", club)).text
        busy = await _ask(discord, club.owner, "model retrain", club)
        assert f"<@{club.owner.id}> started a training run" in busy.text
        await discord.wait_until(lambda: "is live" in progress.text or "failed" in progress.text, TRAINING_SECONDS)
        assert "The new model is live" in progress.text
        assert "of 8 members with" in progress.text
        assert len(discord.messages(club.general)) == 1
        again = await _ask(discord, club.owner, "model retrain", club)
        assert "the next one can start at" in again.text
        status = await _ask(discord, club.owner, "model status", club)
        assert "Version `" in status.text
        assert "Promoted" in status.text
        assert (await _ask(discord, club.owner, "model cancel", club)).text.startswith("No training is under way")
        newcomer = discord.add_user("Cem")
        discord.add_member(club, newcomer)
        await give(app.database, newcomer.id, [str(number) for number in range(1, 7)])  # doom
        tracks = await _ask(discord, newcomer, "recommend", club, kind="new")
        assert tracks.text.count("[doom ") >= 7
        assert "taste profile" not in tracks.text


async def _publish(folder: Path, version: Path, *reports: dict[str, object]) -> list[str]:
    """Trainings that ended with these reports, one after the other, before the bot is started. Returns the versions."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'specrec.db'}")
    names = []
    for number, report in enumerate(reports):
        clock = Now()
        clock.pass_(hours=number - 10)
        models, _ = service(database, folder, publisher(folder, version, report), clock=clock)
        await models.open()
        names.append((await (await models.retrain("42")).outcome()).run.version)
        await models.close()
    await database.close()
    return names


async def test_a_refused_version_is_shown_promoted_and_taken_back(discord, club, tmp_path, version):
    await _fill(tmp_path)
    live, refused = await _publish(
        tmp_path, version, REPORT, REPORT | {"ndcg_at_10": {"model": 0.05, "popularity": 0.4}}
    )
    second = discord.add_guild("Second", discord.add_user("Bob"))
    async with running(settings_for(discord, tmp_path, home_guild_id=club.id), discord):
        status = await _ask(discord, club.owner, "model status", club)
        assert f"Version `{live}`" in status.text
        assert "trained for <@42>" in status.text
        assert f"Version `{refused}`" in status.text
        assert "no better than a list of what is simply popular" in status.text
        (picture,) = status.attachments
        assert (picture.filename, picture.content_type) == ("model.png", "image/png")
        assert picture.content.startswith(b"\x89PNG")
        assert status.embeds[0]["image"]["url"] == picture.url

        typing = await discord.autocomplete(club.owner, "model promote", {"version": "refu"}, "version", guild=club)
        await typing.wait_until(lambda it: it.completed_at)
        assert [choice["value"] for choice in typing.choices] == [refused]
        assert typing.choices[0]["name"] == f"{refused} · refused · NDCG@10 0.050"
        for guild, typed in ((club, "no such"), (second, "")):  # another server's admin is told nothing
            typing = await discord.autocomplete(
                guild.owner, "model promote", {"version": typed}, "version", guild=guild
            )
            await typing.wait_until(lambda it: it.completed_at)
            assert typing.choices == []
        for command, options in (("model promote", {"version": refused}), ("model rollback", {})):
            answer = await _ask(discord, second.owner, command, second, **options)
            assert "in its home server for members with the permission Manage Server" in answer.text

        promoted = await _ask(discord, club.owner, "model promote", club, version=refused)
        assert promoted.ephemeral
        assert f"**Version `{refused}` is live now.**" in promoted.text
        assert "The gate had refused it: It finds what members like no better" in promoted.text
        twice = await _ask(discord, club.owner, "model promote", club, version=refused)
        assert twice.text == f"Version `{refused}` is live already."
        status = await _ask(discord, club.owner, "model status", club)
        assert f"Version `{refused}`" in status.text
        assert f"promoted by <@{club.owner.id}>" in status.text
        back = await _ask(discord, club.owner, "model rollback", club)
        assert f"**Version `{live}` is live again.**" in back.text
        assert f"brought back by <@{club.owner.id}>" in (await _ask(discord, club.owner, "model status", club)).text
        assert "no earlier version" in (await _ask(discord, club.owner, "model rollback", club)).text
        wrong = await _ask(discord, club.owner, "model promote", club, version="latest")
        assert f"Kept are: `{live}`, `{refused}`" in wrong.text


async def test_a_damaged_live_version_is_said_and_another_answers(discord, club, tmp_path, version):
    await _fill(tmp_path)
    first, second = await _publish(tmp_path, version, REPORT, REPORT)
    (tmp_path / "models" / second / "model.safetensors").unlink()
    async with running(settings_for(discord, tmp_path), discord):
        status = await _ask(discord, club.owner, "model status", club)
        assert f"**This version could not be opened**, so version `{first}` answers instead" in status.text
        settled = await _ask(discord, club.owner, "model promote", club, version=first)
        assert f"**Version `{first}` is live now.**" in settled.text
        assert "could not be opened" not in (await _ask(discord, club.owner, "model status", club)).text


async def test_only_admins_of_the_home_server_and_owners_may(discord, club, tmp_path):
    second = discord.add_guild("Second", discord.add_user("Bob"))
    host = discord.add_user("Host")
    discord.add_application_owner(host)
    for guild in (club, second):
        discord.add_member(guild, host, Permissions.MANAGE_GUILD)
    changes = {"home_guild_id": club.id}
    async with running(settings_for(discord, tmp_path, **changes), discord):
        for command in ("model status", "model retrain", "model cancel"):
            refused = await _ask(discord, second.owner, command, second)
            assert "in its home server for members with the permission Manage Server" in refused.text
        assert "No model yet" in (await _ask(discord, club.owner, "model status", club)).text
        assert "No model yet" in (await _ask(discord, host, "model status", second)).text
        assert "too little to train on" in (await _ask(discord, club.owner, "model retrain", club)).text


async def test_with_two_servers_the_host_has_to_name_one(discord, club, tmp_path):
    discord.add_guild("Second", discord.add_user("Bob"))
    async with running(settings_for(discord, tmp_path), discord):
        assert "HOME_GUILD_ID" in (await _ask(discord, club.owner, "model retrain", club)).text


@pytest.mark.parametrize("denied", [Permissions.SEND_MESSAGES, Permissions.VIEW_CHANNEL])
async def test_without_the_right_to_write_the_reply_shows_it(discord, club, tmp_path, denied):
    await _fill(tmp_path)
    await discord.set_permissions(club.general, discord.bot, deny=denied)
    async with running(settings_for(discord, tmp_path, training_timeout_minutes=TOO_LONG), discord):
        reply = await _ask(discord, club.owner, "model retrain", club)
        assert "I may not write in this channel" in reply.text
        await discord.wait_until(lambda: "The training failed" in reply.text)
        assert "longer than 0.005 minutes" in reply.text
        assert discord.dms(club.owner) == []


async def test_when_the_reply_has_died_too_the_result_is_a_direct_message(discord, club, clock, tmp_path):
    await _fill(tmp_path)
    await discord.set_permissions(club.general, discord.bot, deny=Permissions.SEND_MESSAGES)
    async with running(settings_for(discord, tmp_path), discord, clock):
        await _ask(discord, club.owner, "model retrain", club)
        clock.ahead = timedelta(minutes=16)
        await _ask(discord, club.owner, "model cancel", club)
        message = await discord.wait_for_message(club.owner)
        assert "was cancelled" in message.text


async def test_a_deleted_message_is_followed_by_the_reply(discord, club, tmp_path):
    await _fill(tmp_path)
    async with running(settings_for(discord, tmp_path, training_timeout_minutes=TOO_LONG), discord):
        discord.fail_next("PATCH", "/channels/*/messages/*", 404, 1)
        reply = await _ask(discord, club.owner, "model retrain", club)
        await discord.wait_until(lambda: "The training failed" in reply.text)


async def test_cancel_and_stop_are_said_in_the_message(discord, club, tmp_path):
    await _fill(tmp_path)
    async with running(settings_for(discord, tmp_path), discord):
        await _ask(discord, club.owner, "model retrain", club)
        first = await discord.wait_for_message(club.general)
        assert "being stopped" in (await _ask(discord, club.owner, "model cancel", club)).text
        await discord.wait_until(lambda: "was cancelled" in first.text)
        await _ask(discord, club.owner, "model retrain", club)
        second = await discord.wait_for_message(club.general, lambda message: message is not first)
    assert "The bot was stopped in the middle of it" in second.text  # the App above is closed
    assert training_processes() == []


@asynccontextmanager
async def _bot(settings, folder: Path):
    chosen = settings.model_dump(mode="json", exclude_unset=True, exclude={"discord_token", "token_encryption_keys"})
    values = {
        name.upper(): ",".join(value) if isinstance(value, list) else str(value) for name, value in chosen.items()
    } | {
        "DISCORD_TOKEN": TOKEN,
        "TOKEN_ENCRYPTION_KEYS": settings.token_encryption_keys[0].get_secret_value(),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", cwd=folder, env=values)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):  # how quickly it promises to end is held elsewhere
                await process.wait()


@pytest.mark.timeout(900)
async def test_kill_9_of_the_bot_in_the_middle_of_a_run(discord, club, tmp_path):
    await _fill(tmp_path)
    settings = settings_for(discord, tmp_path)
    async with _bot(settings, tmp_path) as process:
        await discord.wait_ready()
        await discord.wait_commands()
        await _ask(discord, club.owner, "model retrain", club)
        message = await discord.wait_for_message(club.general)
        (worker,) = await _children(process.pid)
        process.kill()
        await process.wait()
    await discord.wait_gone()
    assert "Training the model" in message.text
    await asyncio.to_thread(psutil.wait_procs, [worker], 60)
    assert not worker.is_running()
    async with _bot(settings, tmp_path) as process:
        await discord.wait_until(lambda: "The bot was stopped in the middle" in message.text)
        await discord.wait_ready()
        status = await _ask(discord, club.owner, "model status", club)
        assert "Failed" in status.text
        assert [path.name for path in (tmp_path / "models").glob(".run-*")] == []
        await _ask(discord, club.owner, "model retrain", club)
        assert await discord.wait_for_message(club.general, lambda one: "is live" in one.text, TRAINING_SECONDS)


async def _children(pid: int) -> list[psutil.Process]:
    for _ in range(3_000):
        if found := psutil.Process(pid).children():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("no training process was started")
