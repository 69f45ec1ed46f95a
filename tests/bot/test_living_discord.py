"""Seats, notices to the host and reminders as people in Discord see them: the whole bot between sandbox servers."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.spotify.oauth import consent_ends
from bot.storage.schema import account
from sandbox.browser import Browser
from sandbox.discord_server import DiscordServer
from sandbox.spotify_server import SpotifyServer
from tests.bot.linking import Hands, walk
from tests.bot.running import TOKEN, running
from tests.bot.test_link_discord import ask, link_in, member, settings


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
async def spotify():
    async with SpotifyServer() as server:
        for name in ("ada", "ben"):
            server.add_user(name, name.title())
        yield server


async def the_account(app):
    async with app.database.read() as connection:
        return (await connection.execute(select(account))).one()


async def test_seats_in_the_reply_and_the_host_hears_of_whoever_is_not_registered(discord, spotify, tmp_path):
    olga = discord.add_user("Olga")
    discord.add_application_owner(olga)
    guild = discord.add_guild("Home", olga)
    ada, ben = member(discord, guild, "Ada"), member(discord, guild, "Ben")
    spotify.allow_list("ada")
    async with running(settings(discord, spotify, tmp_path, spotify_seats=2), discord):
        reply = await ask(discord, ada, "link", guild)
        assert "0 of 2 seats used" in reply.content
        async with Browser() as browser:
            await walk(browser, link_in(discord.dms(ada)[-1]), "ada")
        reply = await ask(discord, ben, "link", guild)
        assert "1 of 2 seats used" in reply.content
        async with Browser() as browser:
            page = await walk(browser, link_in(discord.dms(ben)[-1]), "ben")
        assert page.status == 403
        (notice,) = discord.dms(olga)
        assert f"<@{ben.id}> tried to use Spotify here" in notice.content
        assert "1 of 2 seats used" in notice.content


async def test_a_reminder_and_its_button(discord, spotify, tmp_path):
    """Over a restart, so that the button is one of an earlier process."""
    clock = Hands()
    spotify._clock = spotify.accounts._clock = clock
    guild = discord.add_guild("Home", discord.add_user("Olga"))
    ada = member(discord, guild, "Ada")
    kept = settings(discord, spotify, tmp_path)
    async with running(kept, discord, clock):
        await ask(discord, ada, "link", guild)
        async with Browser() as browser:
            await walk(browser, link_in(discord.dms(ada)[-1]), "ada")
    ends = consent_ends(clock.now)
    clock.now = ends - timedelta(days=29)
    async with running(kept, discord, clock) as app:
        message = await discord.wait_until(
            lambda: next((one for one in discord.dms(ada) if "Your Spotify link ends" in one.content), None),
            what="a reminder",
        )
        assert f"<t:{int(ends.timestamp())}:R>" in message.content
        while (await the_account(app)).reminded_days is None:  # noqa: ASYNC110 -- noted down once it was sent
            await asyncio.sleep(0.02)
    async with running(kept, discord, clock) as app:
        await discord.click(ada, message, "No more reminders")
        await discord.wait_until(lambda: "No more reminders, as you wish" in message.content or None, what="the end")
        assert message.components == []
        row = await the_account(app)
        assert (row.reminds, row.reminded_days) == (False, 30)


async def test_a_link_that_broke_is_told_in_a_direct_message_once(discord, spotify, tmp_path):
    clock = Hands()
    spotify._clock = spotify.accounts._clock = clock
    guild = discord.add_guild("Home", discord.add_user("Olga"))
    ada = member(discord, guild, "Ada")
    kept = settings(discord, spotify, tmp_path)
    async with running(kept, discord, clock):
        await ask(discord, ada, "link", guild)
        async with Browser() as browser:
            await walk(browser, link_in(discord.dms(ada)[-1]), "ada")
    spotify.users["ada"].revoke()
    clock.turn(hours=25)
    async with running(kept, discord, clock) as app:
        while (await the_account(app)).status == "linked":  # noqa: ASYNC110 -- until its daily sync
            await asyncio.sleep(0.02)
    clock.turn(hours=25)
    for _ in range(2):
        async with running(kept, discord, clock) as app:
            message = await discord.wait_until(
                lambda: next((one for one in discord.dms(ada) if "takes your link no more" in one.content), None),
                what="a word about the broken link",
            )
            while (await the_account(app)).reminded_days is None:  # noqa: ASYNC110 -- noted down once it was sent
                await asyncio.sleep(0.02)
    async with running(kept, discord, clock) as app:
        await discord.click(ada, message, "No more reminders")
        await discord.wait_until(lambda: "No more reminders, as you wish" in message.content or None, what="the end")
        assert (await the_account(app)).reminds is False
    assert sum("takes your link no more" in one.content for one in discord.dms(ada)) == 1
