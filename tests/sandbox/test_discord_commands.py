"""Syncing commands: what Discord refuses, and what discord.py says then."""

from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from sandbox.discord_server import DiscordServer
from tests.sandbox.discord_bot import SmallBot, running


@pytest.fixture
async def server():
    async with DiscordServer() as server:
        server.add_guild("Home", server.add_user("Ann"))
        yield server


@pytest.fixture
async def sync(server):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {server.token}"}) as session:

        async def put(commands, guild=None):
            place = "" if guild is None else f"/guilds/{guild.id}"
            url = f"{server.api_url}/applications/{server.bot.id}{place}/commands"
            async with session.put(url, json=commands) as response:
                return response.status, await response.json()

        yield put


def command(name="a", **changes):
    return {"name": name, "description": "x", "type": 1} | changes


def option(name="o", type=3, **changes):
    return {"name": name, "description": "x", "type": type} | changes


async def test_small_bot_has_its_commands(server):
    async with running(server, SmallBot()) as bot:
        await server.wait_commands()
        names = {command["name"] for command in server.commands()}
        assert {"echo", "model", "admin", "do"} <= names
        assert {command.name for command in await bot.tree.fetch_commands()} == names
        (admin,) = (command for command in server.commands() if command["name"] == "admin")
        assert (admin["default_member_permissions"], admin["dm_permission"]) == (str(1 << 5), False)


async def test_100_commands_and_101(server, sync):
    assert (await sync([command(f"c{n}") for n in range(100)]))[0] == 200
    status, body = await sync([command(f"c{n}") for n in range(101)])
    assert (status, body["code"]) == (400, 30032)
    assert len(server.commands()) == 100
    assert (await sync([command(f"m{n}", type=2, description="") for n in range(16)]))[1]["code"] == 30032


async def test_discord_py_hears_of_101_and_of_a_bad_name(server):
    async with running(server, SmallBot()) as bot:
        tree = bot.tree
        tree.clear_commands(guild=None)

        async def nothing(interaction: discord.Interaction) -> None: ...

        tree._global_commands = {
            f"c{n}": app_commands.Command(name=f"c{n}", description="x", callback=nothing) for n in range(101)
        }
        with pytest.raises(discord.HTTPException) as raised:
            await tree.sync()
        assert raised.value.code == 30032
        bad: app_commands.Command[Any, ..., None] = app_commands.Command(
            name="fine", description="x" * 101, callback=nothing
        )
        bad.name = "not fine"
        tree._global_commands = {"fine": bad}
        with pytest.raises(app_commands.CommandSyncFailure) as failure:
            await tree.sync()
        assert "not fine" in str(failure.value)
        assert "Command name is invalid" in str(failure.value)
        assert "Must be 100 or fewer in length." in str(failure.value)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (command("Upper"), "APPLICATION_COMMAND_INVALID_NAME"),
        (command("two words"), "APPLICATION_COMMAND_INVALID_NAME"),
        (command("x" * 33), "BASE_TYPE_MAX_LENGTH"),
        (command(description=""), "BASE_TYPE_REQUIRED"),
        (command(options=[option(f"o{n}") for n in range(26)]), "BASE_TYPE_MAX_LENGTH"),
        (command(options=[option(), option()]), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"),
        (command(options=[option(), option("p", required=True)]), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"),
        (command(options=[option(choices=[{"name": "x", "value": "x"} for _ in range(26)])]), "BASE_TYPE_MAX_LENGTH"),
        (command(options=[option(choices=[{"name": "x" * 101, "value": "x"}])]), "BASE_TYPE_MAX_LENGTH"),
        (command(options=[option(choices=[{"name": "x", "value": "x"}], autocomplete=True)]), "AUTOCOMPLETE_CHOICES"),
        (command(options=[option(type=1, options=[option(type=1)])]), "BASE_TYPE_CHOICES"),
        (command(options=[option(type=12)]), "BASE_TYPE_CHOICES"),
        (command(contexts=[3]), "BASE_TYPE_CHOICES"),
        (command(type=2), "CONTEXT_MENU_DESCRIPTION_NOT_ALLOWED"),
    ],
)  # fmt: skip
async def test_bad_command(server, sync, wrong, code):
    status, body = await sync([command("good"), wrong])
    assert (status, body["code"]) == (400, 50035)
    assert list(body["errors"]) == ["1"]
    assert code in str(body["errors"])
    assert server.commands() == []


@pytest.mark.parametrize("name", ["straße", "日本語", "नमस्ते", "สวัสดี", "l'amour", "a_b-2"])
async def test_names_of_many_scripts(sync, name):
    assert (await sync([command(name)]))[0] == 200


async def test_8000_characters_in_a_command(sync):
    def long(characters):
        choices = [{"name": f"{n:0100d}", "value": "v" * 100} for n in range(19)]
        texts = [option("o", choices=choices), option("p", choices=choices)]
        rest = characters - 2 * (1 + 1 + 19 * 200) - (1 + 100) - (1 + 100) - (1 + 1) - 100
        last = option("r", choices=[{"name": "n" * rest, "value": "v" * 100}])
        return command(description="x" * 100, options=[*texts, option("q", description="d" * 100), last])

    assert (await sync([long(8000)]))[0] == 200
    status, body = await sync([long(8001)])
    assert status == 400
    assert "APPLICATION_COMMAND_TOO_LARGE" in str(body["errors"])


async def test_same_name_twice(sync):
    assert "DUPLICATE_NAME" in str((await sync([command(), command()]))[1])
    assert (await sync([command(), command(type=2, description="")]))[0] == 200


async def test_sync_replaces_and_keeps_ids(server, sync):
    first = (await sync([command("a"), command("b")]))[1]
    second = (await sync([command("b", description="new"), command("c")]))[1]
    assert [entry["name"] for entry in second] == ["b", "c"]
    assert second[0]["id"] == first[1]["id"]
    assert second[0]["version"] != first[1]["version"]


async def test_200_new_commands_a_day(sync):
    assert (await sync([command(f"a{n}") for n in range(100)]))[0] == 200
    assert (await sync([command(f"b{n}") for n in range(100)]))[0] == 200
    assert (await sync([command("one-more")]))[1]["code"] == 30034
    assert (await sync([command("b0")]))[0] == 200


async def test_commands_of_one_guild(server, sync):
    ann = server.add_user("Bea")
    guild, other = server.add_guild("A", ann), server.add_guild("B", ann)
    (made,) = (await sync([command("local")], guild))[1]
    assert made["guild_id"] == guild.id
    assert [entry["name"] for entry in server.commands(guild)] == ["local"]
    assert server.commands(other) == server.commands() == []
