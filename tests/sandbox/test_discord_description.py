"""What the sandbox answers, and what discord.py asks of it, held against Discord's own description of its API."""

import json
from typing import Any

import discord
import pytest

from sandbox.discord_server import DiscordServer
from sandbox.recording import Recorder
from tests.sandbox.contracts import discord_description
from tests.sandbox.discord_bot import SmallBot, ask, running


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


async def test_exchanges_agree_with_the_description(tmp_path):
    description = discord_description()
    recorder = Recorder.to(tmp_path / "exchanges.jsonl", "http://127.0.0.1:8080")
    server = DiscordServer(middlewares=[recorder.middleware])
    ann, bob = server.add_user("Ann"), server.add_user("Bob", dms_open=False)
    server.add_application_owner(ann)
    server.add_application_owner(bob)
    home = server.add_guild("Home", ann)
    server.add_member(home, bob)
    async with server, running(server, SmallBot()) as bot:
        await visit(server, bot, ann, bob, home)
    recorder.close()
    exchanges = [json.loads(line) for line in (tmp_path / "exchanges.jsonl").read_text().splitlines()]
    assert {exchange["status"] for exchange in exchanges} >= {200, 204, 400, 403, 404, 429}
    assert len(exchanges) > 40
    faults = [fault for exchange in exchanges for fault in description.faults(exchange)]
    assert faults == [], "\n".join(faults)
