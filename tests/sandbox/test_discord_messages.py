"""Messages that a bot sends of itself: in channels and in private."""

import discord
import pytest

from sandbox.discord_server import DiscordServer, Permissions
from tests.sandbox.discord_bot import SmallBot, ask, running


class Scene:
    bot: SmallBot

    def __init__(self) -> None:
        self.server = DiscordServer()
        self.ann = self.server.add_user("Ann")
        self.shy = self.server.add_user("Shy", dms_open=False)
        self.home = self.server.add_guild("Home", self.ann)
        self.server.add_member(self.home, self.shy)

    async def user(self, user):
        return await self.bot.fetch_user(int(user.id))

    @property
    def channel(self):
        return self.bot.get_channel(int(self.home.general.id))


@pytest.fixture
async def scene():
    scene = Scene()
    scene.server.add_application_owner(scene.ann)
    async with scene.server, running(scene.server, SmallBot()) as scene.bot:
        yield scene


async def test_direct_message_and_its_edit(scene):
    sent = await (await scene.user(scene.ann)).send("one", embed=discord.Embed(title="t"))
    received = await scene.server.wait_for_message(scene.ann, lambda message: message.content == "one")
    assert (received.id, received.author) == (str(sent.id), scene.server.bot)
    await sent.edit(content="two", embeds=[])
    assert (received.content, received.embeds) == ("two", [])
    assert received.edited_timestamp is not None
    await scene.server.say(scene.ann, "three")
    assert [message.content for message in scene.server.dms(scene.ann)] == ["two", "three"]


async def test_closed_direct_messages_and_the_private_answer(scene):
    async def doing(interaction):
        try:
            await interaction.user.send("the link")
        except discord.Forbidden as error:
            await interaction.response.send_message("the link", ephemeral=True)
            return error.code

    interaction, code = await ask(scene.server, scene.bot, scene.shy, doing, scene.home)
    assert code == 50007
    assert (await interaction.reply()).ephemeral
    assert scene.server.dms(scene.shy) == []


async def test_no_guild_in_common(scene):
    stranger = scene.server.add_user("Stranger")
    with pytest.raises(discord.Forbidden) as raised:
        await (await scene.user(stranger)).send("hello")
    assert raised.value.code == 50278


@pytest.mark.parametrize(("denied", "code"), [(Permissions.VIEW_CHANNEL, 50001), (Permissions.SEND_MESSAGES, 50013)])
async def test_channel_that_the_bot_may_not_write_in(scene, denied, code):
    await scene.server.set_permissions(scene.home.general, scene.server.bot, deny=denied)
    with pytest.raises(discord.Forbidden) as raised:
        await scene.channel.send("hello")
    assert raised.value.code == code
    interaction, _ = await ask(
        scene.server, scene.bot, scene.ann, lambda it: it.response.send_message("by token"), scene.home
    )
    assert (await interaction.reply()).content == "by token"


async def test_files_and_embeds_need_permissions(scene):
    denied = Permissions.ATTACH_FILES | Permissions.EMBED_LINKS
    await scene.server.set_permissions(scene.home.general, scene.server.bot, deny=denied)
    await scene.channel.send("text", embed=discord.Embed(title="dropped"))
    assert scene.server.messages(scene.home.general)[0].embeds == []
    with pytest.raises(discord.Forbidden, match="50013"):
        await scene.channel.send(file=discord.File(__file__))


async def test_fetch_edit_reply_and_delete(scene):
    first = await scene.channel.send("first")
    reply = await first.reply("second")
    assert reply.reference.message_id == first.id
    assert [message.content async for message in scene.channel.history()] == ["second", "first"]
    assert [message.content async for message in scene.channel.history(oldest_first=True)] == ["first", "second"]
    await first.delete()
    with pytest.raises(discord.NotFound, match="10008"):
        await scene.channel.fetch_message(first.id)
    with pytest.raises(discord.HTTPException, match="Unknown message"):
        await first.reply("to nobody")
    said = await scene.server.say(scene.ann, "mine", channel=scene.home.general)
    other = await scene.channel.fetch_message(int(said.id))
    with pytest.raises(discord.Forbidden, match="50005"):
        await other.edit(content="yours")
    with pytest.raises(discord.Forbidden, match="50013"):
        await other.delete()


async def test_an_edit_keeps_and_drops_files(scene):
    sent = await scene.channel.send(file=discord.File(__file__, "a.txt"))
    (message,) = scene.server.messages(scene.home.general)
    await sent.edit(content="kept")
    assert [file.filename for file in message.attachments] == ["a.txt"]
    await sent.add_files(discord.File(__file__, "b.txt"))
    assert [file.filename for file in message.attachments] == ["a.txt", "b.txt"]
    await sent.edit(attachments=[])
    assert message.attachments == []


async def test_mentions_only_where_allowed(scene):
    text = f"<@{scene.ann.id}> and @everyone"
    await scene.channel.send(text, allowed_mentions=discord.AllowedMentions.none())
    await scene.channel.send(text, allowed_mentions=discord.AllowedMentions(users=True, everyone=False))
    quiet, loud = scene.server.messages(scene.home.general)
    assert (quiet.mentions, quiet.mention_everyone) == ([], False)
    assert (loud.mentions, loud.mention_everyone) == ([scene.ann], False)


async def test_application_and_its_owners(scene):
    assert (await scene.bot.application_info()).owner.name == "ann"
    scene.server.add_application_owner(scene.shy)
    team = (await scene.bot.application_info()).team
    assert {member.name for member in team.members} == {"ann", "shy"}


async def test_fetching_what_is_there_and_what_is_not(scene):
    guild = await scene.bot.fetch_guild(int(scene.home.id))
    assert (guild.name, guild.approximate_member_count) == ("Home", 3)
    assert (await guild.fetch_member(int(scene.ann.id))).name == "ann"
    assert (await scene.bot.fetch_channel(int(scene.home.general.id))).name == "general"
    stranger = scene.server.add_user("Stranger")
    away = scene.server.add_guild("Away", stranger, with_bot=False)
    for fetch, code in (
        (scene.bot.fetch_user(1), 10013),
        (scene.bot.fetch_channel(1), 10003),
        (scene.bot.fetch_guild(1), 10004),
        (scene.bot.fetch_guild(int(away.id)), 50001),
        (guild.fetch_member(int(stranger.id)), 10007),
    ):
        with pytest.raises(discord.HTTPException) as raised:
            await fetch
        assert raised.value.code == code
