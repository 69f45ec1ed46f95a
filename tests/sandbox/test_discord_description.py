"""What the sandbox answers, and what discord.py asks of it, held against Discord's own description of its API."""

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import discord
import jsonschema
import pytest
from aiohttp import web

from sandbox.discord_server import DiscordServer
from tests.sandbox.discord_bot import SmallBot, ask, running

FILE = "discord-openapi.json.gz"


@pytest.fixture(scope="module")
def description():
    folder = os.environ.get("CONTRACTS_DIR")
    if not folder or not (Path(folder) / FILE).exists():
        pytest.skip(f"CONTRACTS_DIR names no folder with {FILE}")
    with gzip.open(Path(folder) / FILE) as file:
        return json.load(file)


class Exchange:
    """One request and its answer."""

    def __init__(self, method, path, request, status, response):
        self.method, self.path, self.request, self.status, self.response = method, path, request, status, response

    def faults(self, description):
        """What in it does not agree with the description, as texts."""
        templates = [name for name in description["paths"] if fits(name, self.path)]
        # A path with fewer names in braces is the nearer one: /users/@me before /users/{user_id}.
        template = min(templates, key=lambda name: name.count("{"), default=None)
        if template is None:
            return [f"{self.path} is not described"]
        operation = description["paths"][template][self.method.lower()]
        answers = operation["responses"]
        described = answers.get(str(self.status)) or answers.get(f"{self.status // 100}XX")
        if described is None:
            return [f"{self.method} {template}: status {self.status} is not described"]
        if "$ref" in described:
            described = description["components"]["responses"][described["$ref"].rpartition("/")[2]]
        faults = []
        if "content" in described:
            faults += self.check(
                description, described["content"]["application/json"]["schema"], allowed(self.response), "answer"
            )
        elif self.response is not None:
            faults.append(f"{self.method} {template}: an answer where there is none")
        if self.request is not None and self.status < 300:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            faults += self.check(description, schema, allowed(self.request), "request")
        return faults

    def check(self, description, schema, value, what):
        validator = jsonschema.Draft202012Validator({"components": description["components"], **schema})
        errors = (jsonschema.exceptions.best_match([error]) for error in validator.iter_errors(value))
        return [f"{self.method} {self.path} {what} {error.json_path}: {error.message[:300]}" for error in errors]


def allowed(value, path=""):
    """`value` without the known differences: discord.py sends some ids as numbers, and Discord takes them;
    the faults of a form have names where the description says that all codes are numbers."""
    if isinstance(value, dict):
        return {key: allowed(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [allowed(inner, path) for inner in value]
    if isinstance(value, int) and re.search(r"\.(recipient_id|attachments\.id|message_reference\.\w+_id)$", path):
        return str(value)
    if isinstance(value, str) and path.endswith("._errors.code"):
        return 0
    return value


def fits(template, path):
    pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path) is not None


class Recorder:
    """A middleware that keeps every exchange of the API."""

    def __init__(self):
        self.exchanges = []

    def middleware(self):
        @web.middleware
        async def record(request, handler):
            if not request.path.startswith("/api/"):
                return await handler(request)
            if request.content_type == "multipart/form-data":
                asked = json.loads((await request.post())["payload_json"])
            else:
                asked = json.loads(await request.text() or "null")
            response = await handler(request)
            answered = json.loads(response.body) if response.body else None
            path = request.path.removeprefix("/api/v10")
            self.exchanges.append(Exchange(request.method, path, asked, response.status, answered))
            return response

        return record


async def visit(server, bot, ann, bob, home):
    """A bit of everything."""
    channel = bot.get_channel(int(home.general.id))
    rich = discord.Embed(title="t", description="d", url="https://example.org", colour=0x1DB954)
    rich.add_field(name="n", value="v").set_footer(text="f").set_author(name="a").set_thumbnail(
        url="https://e.org/x.png"
    )

    async def deferred(interaction):
        await interaction.response.defer(ephemeral=True)
        await interaction.followup.send("filled", embed=rich, file=discord.File(__file__, "x.txt", description="it"))
        follow_up = await interaction.followup.send("more", wait=True)
        await follow_up.edit(content="edited")
        await interaction.original_response()
        await interaction.delete_original_response()

    async def refused(interaction):
        await interaction.response.send_message("x" * 2001)

    async def layout(interaction):
        view = discord.ui.LayoutView()
        text: discord.ui.TextDisplay[Any] = discord.ui.TextDisplay("text")
        button: discord.ui.Button[Any] = discord.ui.Button(label="b", custom_id="b")
        view.add_item(discord.ui.Container(text, discord.ui.Separator(), accent_colour=1))
        view.add_item(discord.ui.Section("s", accessory=button))
        view.add_item(discord.ui.Section("s", accessory=discord.ui.Thumbnail("https://example.org/x.png")))
        view.add_item(discord.ui.MediaGallery(discord.MediaGalleryItem("https://example.org/x.png")))
        view.add_item(discord.ui.ActionRow(discord.ui.Button(label="c", custom_id="c", emoji="🎵")))
        await interaction.response.send_message(view=view)

    for doing in (deferred, refused, layout):
        await ask(server, bot, ann, doing, home)
    panel = await (await server.command(bob, "panel", guild=home)).reply()
    for button in ("again", "later"):
        await (await server.click(bob, panel, button)).reply()
    form = await server.click(bob, panel, "form")
    await form.form()
    await (await server.submit_modal(bob, form, {"name": "Bob", "why": "so"})).reply()
    await (await server.select(bob, panel, "pick", ["red"])).reply()
    await (await server.select(bob, panel, "who", [bob])).reply()
    typing = await server.autocomplete(bob, "colour", {"name": "r"}, "name", guild=home)
    await typing.wait_until(lambda it: it.choices)
    await (await server.command(bob, "echo", {"text": "in private"})).reply()

    message = await channel.send(
        f"<@{ann.id}>", embed=rich, view=discord.ui.View().add_item(discord.ui.Button(url="https://e.org", label="l"))
    )
    await message.edit(content="new")
    reply = await message.reply("reply", file=discord.File(__file__, "y.txt"))
    await channel.fetch_message(reply.id)
    assert [found async for found in channel.history(limit=5)]
    await reply.delete()
    await channel.typing()
    for user in (ann, bob):
        try:
            await (await bot.fetch_user(int(user.id))).send("hello")
        except discord.Forbidden:
            assert user is bob
    guild = await bot.fetch_guild(int(home.id))
    await guild.fetch_member(int(ann.id))
    await bot.fetch_channel(int(home.general.id))
    await bot.fetch_channel(int(server.dm_channel(ann).id))
    await bot.application_info()
    await bot.tree.fetch_commands()
    await bot.tree.sync(guild=guild)
    server.rate_limit_next("/users/*", 0.01)
    await bot.fetch_user(int(ann.id))
    with pytest.raises(discord.NotFound):
        await bot.fetch_user(1)


async def test_exchanges_agree_with_the_description(description):
    recorder = Recorder()
    server = DiscordServer(middlewares=[recorder.middleware()])
    ann, bob = server.add_user("Ann"), server.add_user("Bob", dms_open=False)
    server.add_application_owner(ann)
    server.add_application_owner(bob)
    home = server.add_guild("Home", ann)
    server.add_member(home, bob)
    async with server, running(server, SmallBot()) as bot:
        await visit(server, bot, ann, bob, home)
    assert {exchange.status for exchange in recorder.exchanges} >= {200, 204, 400, 403, 404, 429}
    assert len(recorder.exchanges) > 40
    faults = [fault for exchange in recorder.exchanges for fault in exchange.faults(description)]
    assert faults == [], "\n".join(faults)


async def test_a_wrong_answer_would_be_seen(description):
    user = {"id": "1", "username": "x"}
    (fault, *_) = Exchange("GET", "/users/1", None, 200, user).faults(description)
    assert "GET /users/1 answer" in fault
    text = {"type": 4, "data": {"content": "x" * 4001}}
    assert Exchange("POST", "/interactions/1/t/callback", text, 204, None).faults(description)
    assert Exchange("GET", "/nothing", None, 200, {}).faults(description) == ["/nothing is not described"]
