"""The websocket: logging in, being cut off, resuming, being refused."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import discord
import pytest

from sandbox.discord_server import DiscordServer
from tests.sandbox.discord_bot import SmallBot, ask, point_at, running


class Scene:
    bot: SmallBot
    connect: Callable[[], AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]]
    identify: dict[str, Any]
    line: "Line"

    def __init__(self, **options: Any) -> None:
        self.server = DiscordServer(**options)
        self.ann = self.server.add_user("Ann")
        self.home = self.server.add_guild("Home", self.ann)

    async def echo(self, text: str) -> str:
        interaction = await self.server.command(self.ann, "echo", {"text": text}, guild=self.home)
        return (await interaction.reply()).content


@pytest.fixture
async def scene():
    scene = Scene()
    async with scene.server, running(scene.server, SmallBot()) as scene.bot:
        yield scene


async def until(look: Callable[[], bool]) -> None:
    """What a bot has heard, the server cannot know."""
    async with asyncio.timeout(60):
        while not look():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def resumed(scene, times=1):
    await scene.server.wait_until(lambda: scene.server.resumes == times and scene.server.connected)


async def test_reconnect_resumes(scene):
    await scene.server.request_reconnect()
    await resumed(scene)
    assert await scene.echo("still here") == "still here"
    assert scene.server.identifies == 1
    assert "resumed" in scene.bot.log


async def test_dropped_connection_resumes_and_replays(scene):
    await scene.server.disconnect()
    interaction = await scene.server.command(scene.ann, "echo", {"text": "while you were away"}, guild=scene.home)
    assert (await interaction.reply()).content == "while you were away"
    assert (scene.server.resumes, scene.server.identifies) == (1, 1)


async def test_close_that_can_be_resumed(scene):
    await scene.server.disconnect(4000)
    await resumed(scene)
    assert await scene.echo("back") == "back"


async def test_reconnect_in_the_middle_of_a_command(scene):
    async def doing(interaction):
        await interaction.response.defer()
        await scene.server.request_reconnect()
        await resumed(scene)
        await interaction.edit_original_response(content="done")

    interaction, _ = await ask(scene.server, scene.bot, scene.ann, doing, scene.home)
    assert (await interaction.reply()).content == "done"


async def test_invalid_session_that_can_be_resumed(scene):
    await scene.server.invalidate_session(resumable=True)
    await resumed(scene)
    assert scene.server.identifies == 1


@pytest.mark.slow
async def test_invalid_session_begins_anew(scene):
    # discord.py waits five seconds before it identifies again.
    await scene.server.invalidate_session(resumable=False)
    await scene.server.wait_until(lambda: scene.server.identifies == 2 and scene.server.connected)
    assert await scene.echo("new") == "new"
    assert scene.server.resumes == 0


async def test_a_bot_that_says_goodbye_has_no_session(scene):
    await scene.bot.close()
    await scene.server.wait_gone()
    await scene.server.request_reconnect()
    assert not scene.server.connected


async def test_wrong_token_is_a_login_failure():
    scene = Scene()
    async with scene.server:
        point_at(scene.server)
        async with SmallBot() as bot:
            with pytest.raises(discord.LoginFailure):
                await bot.start("wrong")


@pytest.mark.parametrize("client", [discord.Client, discord.AutoShardedClient])
async def test_privileged_intents(client):
    scene = Scene(privileged_intents=discord.Intents(members=True).value)
    async with scene.server:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with running(scene.server, client(intents=discord.Intents(guilds=True, message_content=True))):
                pass
        async with running(scene.server, client(intents=discord.Intents(guilds=True, members=True))) as bot:
            await bot.wait_until_ready()
            assert {member.name for member in bot.get_guild(int(scene.home.id)).members} == {"ann", "specrec"}


async def test_plain_client_sees_its_guild():
    scene = Scene()
    other = scene.server.add_guild("Other", scene.ann, with_bot=False)
    async with scene.server, running(scene.server, discord.Client(intents=discord.Intents(guilds=True))) as bot:
        await bot.wait_until_ready()
        (guild,) = bot.guilds
        assert (guild.name, guild.owner_id, guild.me) == ("Home", int(scene.ann.id), guild.get_member(bot.user.id))
        assert [channel.name for channel in guild.text_channels] == ["general"]
        await scene.server.invite_bot(other)
        await until(lambda: {guild.name for guild in bot.guilds} == {"Home", "Other"})


async def test_messages_reach_the_intents_that_ask_for_them():
    scene = Scene()
    heard: list[str] = []
    bot = discord.Client(intents=discord.Intents(guilds=True, messages=True))

    @bot.event
    async def on_message(message: discord.Message) -> None:
        heard.append(f"{message.author.name}: {message.content}")

    async with scene.server, running(scene.server, bot):
        await scene.server.say(scene.ann, "without the content intent", channel=scene.home.general)
        await scene.server.say(scene.ann, f"<@{scene.server.bot.id}> hello", channel=scene.home.general)
        await scene.server.say(scene.ann, "in private")
        await until(lambda: len(heard) == 3)
    assert heard == ["ann: ", f"ann: <@{scene.server.bot.id}> hello", "ann: in private"]


@pytest.mark.slow
async def test_two_shards_share_the_guilds():
    # discord.py starts its shards five seconds apart.
    server = DiscordServer(shards=2)
    ann = server.add_user("Ann")
    guilds = [server.add_guild("Home", ann)]
    while {guild.shard(2) for guild in guilds} != {0, 1}:
        await asyncio.sleep(0.001)
        guilds.append(server.add_guild("Another", ann))
    async with server, running(server, SmallBot()) as bot:
        await server.wait_until(lambda: server.identifies == 2)
        for guild in guilds:
            assert (await (await server.command(ann, "echo", {"text": "x"}, guild=guild)).reply()).content == "x"
            assert bot.get_guild(int(guild.id)).shard_id == guild.shard(2)
        assert (await (await server.command(ann, "echo", {"text": "dm"})).reply()).content == "dm"


class Line:
    """A hand-held websocket: what discord.py would not send."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, op: int, data: object) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": data}))

    async def close_code(self) -> int:
        async for _ in self.socket:
            pass
        return self.socket.close_code


@pytest.fixture
async def line():
    scene = Scene(max_concurrency=1)
    async with scene.server, aiohttp.ClientSession() as session:
        scene.connect = lambda: session.ws_connect(scene.server.gateway_url + "?v=10&encoding=json")
        scene.identify = {"token": scene.server.token, "intents": 1, "properties": {}}
        async with scene.connect() as socket:
            await socket.receive_json()
            scene.line = Line(socket)
            yield scene


@pytest.mark.parametrize(
    ("op", "changes", "code"),
    [
        (2, {"token": "wrong"}, 4004),
        (2, {"intents": 1 << 40}, 4013),
        (2, {"intents": 1 << 15}, 4014),
        (2, {"shard": [2, 2]}, 4010),
        (3, {}, 4003),
        (6, {"token": "wrong"}, 4004),
        (2, {"token": "x" * 4096}, 4002),
    ],
)
async def test_close_codes(line, op, changes, code):
    await line.line.send(op, line.identify | changes)
    assert await line.line.close_code() == code


async def test_codes_after_login(line):
    await line.line.send(2, line.identify)
    await line.line.send(2, line.identify)
    assert await line.line.close_code() == 4005


async def test_unknown_opcode_and_no_json(line):
    await line.line.send(2, line.identify)
    await line.line.send(99, None)
    assert await line.line.close_code() == 4001
    async with line.connect() as socket:
        await socket.send_str("{")
        assert await Line(socket).close_code() == 4002


async def test_no_heartbeat():
    async with (
        DiscordServer(heartbeat_ms=200) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.gateway_url + "?v=10&encoding=json") as socket,
    ):
        assert (await socket.receive_json())["d"] == {"heartbeat_interval": 200}
        assert await Line(socket).close_code() == 4009


async def test_121_events_in_a_minute(line):
    for _ in range(121):
        await line.line.send(1, None)
    assert await line.line.close_code() == 4008


async def test_second_identify_within_five_seconds(line):
    await line.line.send(2, line.identify)
    async with line.connect() as socket:
        await socket.receive_json()
        await Line(socket).send(2, line.identify)
        assert await socket.receive_json() == {"op": 9, "d": False}


async def test_resume_of_what_never_was(line):
    await line.line.send(2, line.identify)
    ready = await line.line.socket.receive_json()
    session = ready["d"]["session_id"]
    for resume, answer in (
        ({"session_id": "nobody's", "seq": 1}, {"op": 9, "d": False}),
        ({"session_id": session, "seq": 99}, 4007),
    ):
        async with line.connect() as socket:
            await socket.receive_json()
            await Line(socket).send(6, {"token": line.server.token} | resume)
            message = await socket.receive()
            assert answer == (message.json() if message.type is aiohttp.WSMsgType.TEXT else socket.close_code)
