"""/link and /unlink as members see them: the whole bot between the sandbox's Discord and its Spotify."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from bot.storage.schema import account, interaction, link_request, listing
from sandbox.browser import Browser
from sandbox.discord_server import DiscordServer
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.spotify_server import SpotifyServer
from tests.bot.linking import walk
from tests.bot.ports import free_port
from tests.bot.running import TOKEN, running, settings_for

SUPPRESS_EMBEDS = 1 << 2


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
def guild(discord):
    return discord.add_guild("Home *of* music", discord.add_user("Olga"))


@pytest.fixture
async def spotify():
    async with SpotifyServer() as server:
        server.add_user("ada", "Ada _L_")
        yield server


@pytest.fixture
async def browser():
    async with Browser() as browser:
        yield browser


@pytest.fixture
async def reccobeats():
    async with ReccoBeatsServer() as server:
        yield server


@pytest.fixture
def music(spotify):
    """Ada saved 60 tracks and has 10 of them in a playlist."""
    album = spotify.catalogue.add_album("An album", [spotify.catalogue.add_artist("The Band")])
    tracks = [spotify.catalogue.add_track(f"Song {number}", album) for number in range(60)]
    spotify.users["ada"].save(tracks)
    spotify.users["ada"].add_playlist("Some", tracks[:10])


def settings(discord, spotify, folder, **changes):
    port = free_port()
    return settings_for(
        discord,
        folder,
        public_url=f"http://127.0.0.1:{port}",
        web_port=port,
        spotify_client_id=spotify.client_id,
        spotify_client_secret=spotify.client_secret,
        spotify_api_url=spotify.api_url,
        spotify_accounts_url=spotify.accounts_url,
        **changes,
    )


@asynccontextmanager
async def house(discord, spotify, folder, **changes):
    async with running(settings(discord, spotify, folder, **changes), discord) as app:
        yield app


def member(discord, guild, name, **options):
    user = discord.add_user(name, **options)
    discord.add_member(guild, user)
    return user


def link_in(message):
    found = re.search(r"http://127\.0\.0\.1:\d+/link/[\w-]+", message.content)
    assert found is not None, message.content
    return found[0]


async def ask(discord, user, command, guild=None):
    return await (await discord.command(user, command, guild=guild)).reply()


async def becomes(discord, message, text):
    await discord.wait_until(lambda: text in message.content or None, what=f"{text!r} in {message.content!r}")


async def test_from_the_command_to_the_edited_message_and_gone_again(discord, guild, spotify, browser, tmp_path):
    ada = member(discord, guild, "Ada")
    async with house(discord, spotify, tmp_path) as app:
        reply = await ask(discord, ada, "link", guild)
        assert reply.ephemeral
        assert "direct message" in reply.content
        assert "/link/" not in reply.content
        (message,) = discord.dms(ada)
        assert message.flags & SUPPRESS_EMBEDS
        assert r"Home \*of\* music" in message.content
        page = await browser.open(link_in(message))
        assert "Ada" in page.text
        assert "Home *of* music" in page.text
        page = await walk(browser, link_in(message), "ada")
        assert page.heading == "Your Spotify account is linked"
        await becomes(discord, message, r"**Linked as Ada \_L\_**, as you asked in Home \*of\* music.")
        assert "/link/" not in message.content

        reply = await ask(discord, ada, "unlink", guild)
        assert reply.ephemeral
        assert "0 tracks" in reply.content
        assert "https://www.spotify.com/account/apps/" in reply.content
        async with app.database.read() as connection:
            assert (await connection.execute(select(account))).all() == []
            assert (await connection.execute(select(link_request))).all() == []
        assert "nothing to delete" in (await ask(discord, ada, "unlink", guild)).content


async def test_collected_then_unlinked(discord, guild, spotify, reccobeats, music, browser, tmp_path):
    ada = member(discord, guild, "Ada")
    async with house(discord, spotify, tmp_path, reccobeats_url=reccobeats.url) as app:
        await ask(discord, ada, "link", guild)
        (message,) = discord.dms(ada)
        await walk(browser, link_in(message), "ada")
        await becomes(discord, message, "60 tracks collected")
        assert "/recommend" in message.content
        reply = await ask(discord, ada, "unlink", guild)
        assert "60 tracks, 70 interactions, 0 followed artists" in reply.content
        async with app.database.read() as connection:
            for table in (account, interaction, listing):
                assert (await connection.execute(select(table))).all() == []


async def test_a_sync_under_way_stores_nothing_after_unlink(
    discord, guild, spotify, reccobeats, music, browser, tmp_path
):
    ada = member(discord, guild, "Ada")
    async with house(discord, spotify, tmp_path, reccobeats_url=reccobeats.url) as app:
        await ask(discord, ada, "link", guild)
        (message,) = discord.dms(ada)
        hold = spotify.hold("/me/tracks")
        await walk(browser, link_in(message), "ada")
        await hold.arrived.wait()
        under_way = [task for task in asyncio.all_tasks() if task.get_name() == "sync"]
        assert under_way
        assert "unlinked" in (await ask(discord, ada, "unlink", guild)).content
        hold.release()
        await asyncio.wait_for(asyncio.gather(*under_way), 60)
        async with app.database.read() as connection:
            for table in (account, interaction, listing):
                assert (await connection.execute(select(table))).all() == []


async def test_closed_direct_messages(discord, guild, spotify, browser, tmp_path):
    ada = member(discord, guild, "Ada", dms_open=False)
    async with house(discord, spotify, tmp_path) as app:
        reply = await ask(discord, ada, "link", guild)
        assert reply.ephemeral
        assert "closed" in reply.content
        assert reply.flags & SUPPRESS_EMBEDS
        assert discord.dms(ada) == []
        assert (await walk(browser, link_in(reply), "ada")).status == 200
        async with app.database.read() as connection:
            assert await connection.scalar(select(account.c.display_name)) == "Ada _L_"


async def test_asked_for_in_a_direct_message(discord, guild, spotify, browser, tmp_path):
    ada = member(discord, guild, "Ada")
    async with house(discord, spotify, tmp_path):
        await ask(discord, ada, "link")
        message = next(one for one in discord.dms(ada) if "/link/" in one.content)
        assert "you asked for it in a direct message" in message.content
        assert "a direct message" in (await browser.open(link_in(message))).text
        assert (await walk(browser, link_in(message), "ada")).status == 200
        await becomes(discord, message, "**, as you asked in a direct message.")


async def test_the_link_and_its_message_survive_a_restart(discord, guild, spotify, browser, tmp_path):
    ada = member(discord, guild, "Ada")
    kept = settings(discord, spotify, tmp_path)
    async with running(kept, discord):
        await ask(discord, ada, "link", guild)
        (message,) = discord.dms(ada)
        page = await browser.submit(await browser.open(link_in(message)))
    async with running(kept, discord):
        assert (await browser.submit(page, user="ada", decision="agree")).status == 200
        await becomes(discord, message, "Linked as")


async def test_linked_already(discord, guild, spotify, browser, tmp_path):
    ada = member(discord, guild, "Ada")
    async with house(discord, spotify, tmp_path):
        for times in (1, 2):
            await ask(discord, ada, "link", guild)
            message = discord.dms(ada)[-1]
            assert (r"You are linked as Ada \_L\_ already" in message.content) == (times == 2)
            assert (await walk(browser, link_in(message), "ada")).status == 200
            await becomes(discord, message, "Linked as")


async def test_a_host_without_spotify(discord, guild, tmp_path):
    ada = member(discord, guild, "Ada")
    async with running(settings_for(discord, tmp_path), discord):
        reply = await ask(discord, ada, "link", guild)
        assert reply.ephemeral
        assert "no Spotify" in reply.content
        assert "nothing to delete" in (await ask(discord, ada, "unlink", guild)).content
