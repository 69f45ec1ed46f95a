"""/recommend and the menus under it, as members see them: the whole bot on the sandbox's Discord."""

import asyncio
import json

import pytest
from sqlalchemy import delete, update

from bot.storage.schema import track
from sandbox.discord_server import DiscordServer, Refused
from tests.bot.running import TOKEN, running, settings_for
from tests.bot.shelf import give, stock


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
def server(discord):
    """A server with its owner and two members."""
    ada, ben = discord.add_user("Ada"), discord.add_user("Ben")
    guild = discord.add_guild("Home", discord.add_user("Olga"))
    for user in (ada, ben):
        discord.add_member(guild, user)
    return guild, ada, ben


def options(message, kind):
    menu = next(menu for menu in message.selects if menu["custom_id"].startswith(f"feedback:{kind}:"))
    return menu["custom_id"], menu["options"]


def titles(message):
    return [option["label"].split(". ", 1)[1] for option in options(message, "liked")[1]]


async def choose(discord, user, message, kind, place=0):
    custom_id, choices = options(message, kind)
    return await (await discord.select(user, message, custom_id, [choices[place]["value"]])).reply()


async def ask(discord, user, guild, **values):
    interaction = await discord.command(user, "recommend", values, guild=guild)
    return await interaction.reply()


async def test_ten_tracks_in_private_and_what_is_said_about_them_counts_at_once(discord, server, tmp_path):
    guild, ada, _ = server
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        for kind in ("mix", "familiar", "new"):
            message = await ask(discord, ada, guild, kind=kind)
            assert message.ephemeral
            assert len(titles(message)) == (10 if kind != "familiar" else 6)
        assert message.text.count("](https://open.spotify.com/track/doom") == 10
        assert message.text.count("% match") == 10
        first = titles(message)[0]

        message = await choose(discord, ada, message, "disliked")
        assert message.ephemeral
        assert f"Not for you: **{first.split(' – ')[0]}**" in message.text
        assert "👎 1" in message.text
        assert options(message, "disliked")[1][0]["description"] == "Choose again to take it back"
        assert first not in titles(await ask(discord, ada, guild, kind="new"))

        message = await (await discord.click(ada, message, "Undo")).reply()
        assert "Undone" in message.text
        assert "👎" not in message.text
        assert "Undo" not in [button.label for button in message.buttons]
        assert titles(await ask(discord, ada, guild, kind="new"))[0] == first


async def test_menus_and_undo_work_after_a_restart(discord, server, tmp_path):
    guild, ada, _ = server
    settings = settings_for(discord, tmp_path)
    async with running(settings, discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["disco"][:12])
        message = await ask(discord, ada, guild, kind="new")
        first = titles(message)[0]
    async with running(settings, discord):
        message = await choose(discord, ada, message, "liked")
        assert "👍 1" in message.text
    async with running(settings, discord) as app:
        assert first not in titles(await ask(discord, ada, guild, kind="new"))
        message = await choose(discord, ada, message, "disliked")
        assert "👍" not in message.text.replace("👍 I like", "")
        message = await (await discord.click(ada, message, "Undo")).reply()
        assert "👍 1" in message.text
        assert f"Undone: **{first.split(' – ')[0]}** is marked as liked again." in message.text
        message = await choose(discord, ada, message, "liked")  # the same again takes it back
        assert "no longer marked as liked" in message.text
        assert first in titles(await ask(discord, ada, guild, kind="new"))
        assert len(titles(message)) == 10


async def test_sharing_posts_the_list_once_and_without_what_the_owner_said(discord, server, tmp_path):
    guild, ada, ben = server
    channel = guild.channels[0]
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        message = await choose(discord, ada, await ask(discord, ada, guild), "known")
        assert not [one for one in discord.messages(channel) if not one.ephemeral]
        presses = [await discord.click(ada, message, "Share") for _ in range(2)]
        await asyncio.gather(*(press.wait_until(lambda it: it.answered_at) for press in presses))
        await discord.wait_until(lambda: message.buttons[-1].disabled)
        (post,) = [one for one in discord.messages(channel) if not one.ephemeral]
        assert "Ada's list" in post.text
        assert post.text.count("% match") == 10
        assert "✅" not in post.text
        assert (post.components, post.mentions, post.mention_everyone) == ([], [], False)
        assert message.buttons[-1].label == "Shared"
        assert "Undo" in [button.label for button in message.buttons]

        private = await ask(discord, ada, guild, share=True)
        assert private.ephemeral
        assert private.buttons[-1].disabled
        await discord.wait_until(lambda: len([one for one in discord.messages(channel) if not one.ephemeral]) == 2)
        with pytest.raises(Refused):
            await choose(discord, ben, private, "liked")


async def test_only_the_owner_may_press(discord, server, tmp_path):
    """Discord shows a private list to its owner alone; the bot does not rely on it."""
    guild, ada, ben = server
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        message = await ask(discord, ada, guild)
        message.flags, message.seen_by = 0, None
        before = json.dumps(message.wire())
        custom_id, choices = options(message, "liked")
        for press in (
            await discord.select(ben, message, custom_id, [choices[0]["value"]]),
            await discord.click(ben, message, "Share"),
        ):
            refused = await press.reply()
            assert refused.ephemeral
            assert (
                refused.text
                == "This message belongs to somebody else. Type the command yourself to get one of your own."
            )
        assert json.dumps(message.wire()) == before
        assert "👍" not in (await ask(discord, ben, guild)).text


async def test_a_newcomer_learns_what_to_do_and_can_begin_with_likes(discord, server, tmp_path):
    guild, ada, ben = server
    settings = settings_for(discord, tmp_path, spotify_client_id="id", spotify_client_secret="secret")
    async with running(settings, discord) as app:
        message = await ask(discord, ben, guild)
        assert "Type `/link`" in message.text
        assert message.components == []
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["disco"])
        message = await ask(discord, ben, guild)
        assert "Type `/link`" in message.text
        assert "Share" not in [button.label for button in message.buttons]
        await choose(discord, ben, message, "liked")
        message = await ask(discord, ben, guild)
        assert "taste profile" in message.text
        assert all("disco" in title for title in titles(message))
        assert len(titles(message)) == 10


async def test_a_press_that_cannot_be_heeded_says_so_in_a_sentence(discord, server, tmp_path):
    guild, ada, _ = server
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        message = await ask(discord, ada, guild)
        async with app.database.write() as connection:
            await connection.execute(delete(track))
        custom_id, choices = options(message, "liked")
        press = await discord.select(ada, message, custom_id, [choices[0]["value"]])
        told = await press.wait_until(lambda it: next((one for one in it.messages if one is not message), None))
        assert told.ephemeral
        assert told.text.startswith("That track is not in the catalogue any more.")


async def test_a_share_that_discord_refuses_can_be_tried_again(discord, server, tmp_path):
    guild, ada, _ = server
    channel = guild.channels[0]
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        message = await ask(discord, ada, guild)
        discord.fail_next("POST", "/webhooks/*", 403)
        press = await discord.click(ada, message, "Share")
        told = await press.wait_until(lambda it: next((one for one in it.messages if one is not message), None))
        assert told.ephemeral
        assert "went wrong" in told.text
        assert not message.buttons[-1].disabled
        await discord.click(ada, message, "Share")
        await discord.wait_until(lambda: message.buttons[-1].disabled)
        assert len([one for one in discord.messages(channel) if not one.ephemeral]) == 1


async def test_a_press_while_the_bot_stops_is_put_off(discord, server, tmp_path):
    guild, ada, _ = server
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        message = await ask(discord, ada, guild)
        app.client.closing = True
        custom_id, choices = options(message, "liked")
        told = await (await discord.select(ada, message, custom_id, [choices[0]["value"]])).reply()
        assert told.ephemeral
        assert told.text == "The bot is restarting. Please try again in a minute."
        app.client.closing = False
        assert "👍 1" in (await choose(discord, ada, message, "liked")).text


async def test_titles_made_to_do_harm_reach_discord_as_text(discord, server, tmp_path):
    guild, ada, ben = server
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:12])
        async with app.database.write() as connection:
            title = f"<@{ben.id}> @everyone [x](https://evil.example) " + "*`|" * 100
            await connection.execute(update(track).values(title=title))
        message = await ask(discord, ada, guild, share=True)
        assert len(titles(message)) == 10
        assert all(label.startswith("<@") and len(label) <= 97 for label in titles(message))
        posts = await discord.wait_until(
            lambda: [one for one in discord.messages(guild.channels[0]) if not one.ephemeral]
        )
        assert (posts[0].mentions, posts[0].mention_everyone) == ([], False)
        assert "evil" not in posts[0].text.replace("(x)(https:\u200b//evil.example)", "")
        assert f"\\<\\@{ben.id}\\>" in posts[0].text
