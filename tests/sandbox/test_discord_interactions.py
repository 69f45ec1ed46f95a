"""Commands, presses, menus and forms, as discord.py hears and answers them."""

import asyncio
from datetime import UTC, datetime, timedelta

import discord
import pytest

from sandbox.discord_server import DiscordServer, InteractionFailed, Permissions, Refused
from tests.sandbox.discord_bot import SmallBot, ask, running


class Scene:
    """A server with Ann (its owner) and Bob, and the small bot in it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.server = DiscordServer(clock=lambda: self.now)
        self.ann = self.server.add_user("Ann")
        self.bob = self.server.add_user("Bob")
        self.home = self.server.add_guild("Home", self.ann)
        self.server.add_member(self.home, self.bob)
        self.bot: SmallBot

    async def ask(self, doing, user=None):
        return await ask(self.server, self.bot, user or self.bob, doing, self.home)


@pytest.fixture
async def scene():
    scene = Scene()
    async with scene.server, running(scene.server, SmallBot()) as scene.bot:
        yield scene


async def reply_to(scene: Scene, name: str, **options: object):
    return await (await scene.server.command(scene.ann, name, options, guild=scene.home)).reply()


async def test_command_with_options(scene):
    message = await reply_to(scene, "echo", text="hello", user=scene.bob)
    assert message.content == "hello bob"
    assert message.author is scene.server.bot
    assert scene.server.messages(scene.home.general) == [message]


async def test_subcommand_and_its_default(scene):
    assert (await reply_to(scene, "model retrain", epochs=5)).content == "5 epochs"
    assert (await reply_to(scene, "/model retrain")).content == "3 epochs"


async def test_command_in_direct_messages(scene):
    interaction = await scene.server.command(scene.bob, "echo", {"text": "here"})
    assert (await interaction.reply()).content == "here"
    assert [message.content for message in scene.server.dms(scene.bob)] == ["here"]
    assert scene.server.dms(scene.ann) == []


async def test_times_are_in_order(scene):
    interaction = await scene.server.command(scene.ann, "echo", {"text": "x"}, guild=scene.home)
    await interaction.reply()
    assert interaction.dispatched_at < interaction.answered_at <= interaction.completed_at


async def test_ephemeral_is_seen_by_one(scene):
    interaction = await scene.server.command(scene.ann, "secret", guild=scene.home)
    message = await interaction.reply()
    assert message.ephemeral
    assert interaction.ephemeral
    assert scene.server.messages(scene.home.general) == []
    with pytest.raises(discord.NotFound, match="10008"):
        await scene.bot.get_channel(int(scene.home.general.id)).fetch_message(int(message.id))


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("nothing", {}, "no command"),
        ("echo", {}, "required"),
        ("echo", {"text": "x", "volume": 3}, "no option 'volume'"),
        ("model", {}, "needs one of its subcommands"),
        ("model destroy", {}, "no subcommand"),
        ("model retrain", {"epochs": 10}, "1 to 9"),
        ("model retrain", {"epochs": "3"}, "does not take"),
        ("admin", {}, "lacks the permissions"),
    ],
)
async def test_the_client_refuses(scene, name, options, why):
    with pytest.raises(Refused, match=why):
        await scene.server.command(scene.bob, name, options, guild=scene.home)


async def test_default_member_permissions_and_contexts(scene):
    carol = scene.server.add_user("Carol")
    scene.server.add_member(scene.home, carol, Permissions.MANAGE_GUILD)
    for user in (carol, scene.ann):
        assert (await (await scene.server.command(user, "admin", guild=scene.home)).reply()).content == "yes"
    with pytest.raises(Refused, match="direct messages"):
        await scene.server.command(carol, "admin")


async def test_buttons_menus_and_a_form(scene):
    server, bob = scene.server, scene.bob
    panel = await reply_to(scene, "panel")
    assert [button.label for button in panel.buttons] == ["Again", "Form", "Later", "Off"]

    assert (await (await server.click(bob, panel, "Again")).reply()) is panel
    assert panel.content == "panel!"
    assert panel.edited_timestamp is not None
    assert (await (await server.click(bob, panel, "later")).reply()).content == "later"

    chosen = await (await server.select(bob, panel, "pick", ["red", "blue"])).reply()
    assert (chosen.content, chosen.ephemeral) == ("red, blue", True)
    assert (await (await server.select(bob, panel, "who", [scene.ann])).reply()).content == "ann"

    form = await server.click(bob, panel, "Form")
    assert (await form.form())["title"] == "A form"
    with pytest.raises(InteractionFailed, match="form"):
        await form.reply()
    with pytest.raises(Refused, match="2 to 20"):
        await server.submit_modal(bob, form, {"name": "x"})
    with pytest.raises(Refused, match="required"):
        await server.submit_modal(bob, form, {"why": "x"})
    filled = await server.submit_modal(bob, form, {"name": "Bob", "Why": "because"})
    assert (await filled.reply()).content == panel.content == "Bob: because"
    with pytest.raises(Refused, match="already"):
        await server.submit_modal(bob, form, {"name": "Bob"})


async def test_what_cannot_be_pressed(scene):
    server = scene.server
    panel = await reply_to(scene, "panel")
    with pytest.raises(Refused, match="disabled"):
        await server.click(scene.bob, panel, "Off")
    with pytest.raises(Refused, match="no button 'On'"):
        await server.click(scene.bob, panel, "On")
    with pytest.raises(Refused, match="does not offer"):
        await server.select(scene.bob, panel, "pick", ["pink"])
    with pytest.raises(Refused, match="1 to 2"):
        await server.select(scene.bob, panel, "pick", [])
    with pytest.raises(Refused, match="does not see"):
        await server.click(server.add_user("Stranger"), panel, "Again")


async def test_two_presses_at_once(scene):
    panel = await reply_to(scene, "panel")
    first, second = await asyncio.gather(*(scene.server.click(scene.bob, panel, "again") for _ in range(2)))
    await asyncio.gather(first.reply(), second.reply())
    assert panel.content.startswith("panel!")


async def test_autocomplete(scene):
    interaction = await scene.server.autocomplete(scene.bob, "colour", {"name": "r"}, "name", guild=scene.home)
    await interaction.wait_until(lambda it: it.completed_at)
    assert [choice["value"] for choice in interaction.choices] == ["red", "rose"]


async def test_files_both_ways(scene):
    picture = scene.server.upload(scene.ann, "picture.png", b"abc")
    message = await reply_to(scene, "file", source=picture)
    (copy,) = message.attachments
    assert (copy.filename, copy.content, copy.content_type) == ("copy.png", b"cba", "image/png")
    assert message.embeds[0]["image"]["url"] == copy.url


async def test_defer_edit_and_follow_up(scene):
    async def doing(interaction):
        await interaction.response.defer()
        await asyncio.sleep(0.05)
        await interaction.edit_original_response(content="done")
        await interaction.followup.send("and more")

    interaction, outcome = await scene.ask(doing)
    assert outcome is None
    reply = await interaction.reply()
    assert [message.content for message in interaction.messages] == ["done", "and more"]
    assert (reply.loading, reply.edited_timestamp) == (False, None)
    assert interaction.completed_at - interaction.answered_at >= 0.05


async def test_first_follow_up_fills_the_deferred_reply_and_stays_ephemeral(scene):
    async def doing(interaction):
        await interaction.response.defer(ephemeral=True)
        filled = await interaction.followup.send("public?", ephemeral=False, wait=True)
        await interaction.followup.send("public!", ephemeral=False)
        return filled.id

    interaction, filled = await scene.ask(doing)
    assert str(filled) == interaction.original.id
    assert interaction.original.ephemeral
    assert [message.content for message in scene.server.messages(scene.home.general)] == ["public!"]


async def test_edit_cannot_make_a_private_reply_public(scene):
    async def doing(interaction):
        await interaction.response.send_message("mine", ephemeral=True)
        await interaction.edit_original_response(content="still mine")
        await interaction.delete_original_response()
        await interaction.edit_original_response(content="gone")

    interaction, outcome = await scene.ask(doing)
    assert isinstance(outcome, discord.NotFound)
    assert outcome.code == 10008
    assert interaction.original.ephemeral
    assert interaction.original.content == "still mine"


async def test_late_answer(scene):
    async def doing(interaction):
        await asyncio.sleep(3.05)
        await interaction.response.send_message("late")

    interaction, outcome = await scene.ask(doing)
    assert isinstance(outcome, discord.NotFound)
    assert outcome.code == 10062
    with pytest.raises(InteractionFailed, match="did not respond"):
        await interaction.reply()
    assert interaction.completed_at - interaction.dispatched_at > 2.99


async def test_second_answer(scene):
    async def doing(interaction):
        await interaction.response.send_message("once")
        interaction.response._response_type = None  # past discord.py's own check
        await interaction.response.send_message("twice")

    interaction, outcome = await scene.ask(doing)
    assert isinstance(outcome, discord.HTTPException)
    assert (outcome.status, outcome.code) == (400, 40060)
    assert (await interaction.reply()).content == "once"


@pytest.mark.parametrize(("minutes", "alive"), [(14.98, True), (15.02, False)])
async def test_token_lives_fifteen_minutes(scene, minutes, alive):
    async def doing(interaction):
        await interaction.response.defer()
        scene.now += timedelta(minutes=minutes)
        await interaction.edit_original_response(content="done")

    interaction, outcome = await scene.ask(doing)
    if alive:
        assert (await interaction.reply()).content == "done"
    else:
        assert (outcome.status, outcome.code) == (401, 50027)
        assert interaction.original.loading


async def test_follow_up_before_any_answer(scene):
    _, outcome = await scene.ask(lambda interaction: interaction.followup.send("early"))
    assert isinstance(outcome, discord.NotFound)
    assert outcome.code == 10015


async def test_no_update_in_answer_to_a_command(scene):
    async def doing(interaction):
        adapter = discord.webhook.async_.async_context.get()
        params = discord.webhook.async_.interaction_message_response_params(type=7, content="x")
        session = interaction._session
        await adapter.create_interaction_response(interaction.id, interaction.token, session=session, params=params)

    _, outcome = await scene.ask(doing)
    assert outcome.code == 50035
    assert "type" in outcome.text


async def test_persistent_button_after_a_restart():
    server = DiscordServer()
    ann = server.add_user("Ann")
    home = server.add_guild("Home", ann)
    async with server:
        async with running(server, SmallBot()):
            message = await (await server.command(ann, "keep", guild=home)).reply()
        await server.wait_gone()
        async with running(server, SmallBot()):
            assert (await (await server.click(ann, message, "Keep")).reply()).content == "kept"


async def test_bot_that_is_away(scene):
    await scene.bot.close()
    await scene.server.wait_gone()
    interaction = await scene.server.command(scene.ann, "echo", {"text": "anybody?"}, guild=scene.home)
    with pytest.raises(InteractionFailed, match="did not respond"):
        await interaction.reply()


async def test_user_install_where_the_bot_is_not_a_member():
    server = DiscordServer()
    ann = server.add_user("Ann")
    away = server.add_guild("Away", ann, with_bot=False)

    async def doing(interaction):
        assert interaction.guild.me is not None
        await interaction.response.send_message("first")
        for number in range(6):
            await interaction.followup.send(str(number))

    async with server, running(server, SmallBot(allowed_installs=True)) as bot:
        with pytest.raises(Refused, match="not installed"):
            await server.command(ann, "do", guild=away)
        server.install_for(ann)
        interaction, outcome = await ask(server, bot, ann, doing, away)
        assert outcome.code == 40094
        assert len(interaction.follow_ups) == 5
