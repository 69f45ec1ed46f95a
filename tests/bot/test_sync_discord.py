"""/sync and /status as members see them: the whole bot between the sandbox's far ends."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from bot.clock import utc_now
from bot.storage.database import Database
from bot.storage.schema import account, interaction, listing
from sandbox.bot_process import BotProcess
from sandbox.discord_server import DiscordServer
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.spotify_server import SpotifyServer
from tests.bot.collecting import MIDDLE, link_account
from tests.bot.ports import free_port
from tests.bot.running import KEY, TOKEN, running, settings_for


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
async def spotify():
    """Ada has saved 120 tracks and has a playlist of four entries."""
    async with SpotifyServer() as server:
        ada = server.add_user("ada", "Ada")
        album = server.catalogue.add_album("Songs", [server.catalogue.add_artist("The Band")])
        songs = [server.catalogue.add_track(f"Song {number}", album) for number in range(120)]
        ada.save(songs)
        ada.add_playlist("Mine", [*songs[:3], None])
        yield server


@pytest.fixture
async def reccobeats(spotify):
    known = list(spotify.catalogue.tracks)[:90]
    async with ReccoBeatsServer(dict.fromkeys(known, MIDDLE)) as server:
        yield server


@pytest.fixture
def ada(discord):
    user = discord.add_user("Ada")
    discord.add_guild("Home", user)
    return user


def settings(discord, spotify, reccobeats, folder, **changes):
    return settings_for(
        discord,
        folder,
        spotify_client_id=spotify.client_id,
        spotify_client_secret=spotify.client_secret,
        spotify_api_url=spotify.api_url,
        spotify_accounts_url=spotify.accounts_url,
        reccobeats_url=reccobeats.url,
        **changes,
    )


@pytest.fixture
async def house(discord, spotify, reccobeats, tmp_path):
    @asynccontextmanager
    async def open_house():
        async with running(settings(discord, spotify, reccobeats, tmp_path), discord) as app:
            yield app

    return open_house


async def says(interaction, words):
    """Until the reply, which is edited as things go, says this."""
    await interaction.wait_until(lambda it: it.original is not None and words in it.original.text)
    assert interaction.ephemeral
    return interaction.original.text


async def test_from_nothing_to_tracks(discord, spotify, ada, house):
    async with house() as app:
        text = await says(await discord.command(ada, "status"), "Next")
        assert "Not linked." in text
        assert "No tracks yet." in text
        assert "`/link` connects" in text
        refused = await (await discord.command(ada, "sync")).reply()
        assert refused.text == "You have not linked a Spotify account yet. Type /link to connect one."

        await link_account(app.database, spotify, spotify.users["ada"], str(ada.id), KEY, utc_now())
        hold = spotify.hold("/me/tracks", skip=1)
        first = await discord.command(ada, "sync")
        await says(first, "Reading: saved tracks")
        second = await discord.command(ada, "sync")
        await says(second, "A sync is under way already")
        await says(await discord.command(ada, "status"), "A sync is under way: saved tracks")
        hold.release()
        for one in (first, second):
            text = await says(one, "up to date")
            assert "I know 120 tracks of yours." in text
            assert "123 entries read, 123 of them new" in text
            assert "audio features found for 90 tracks" in text
            assert "1 entry whose track Spotify removed" in text
            assert "`/recommend`" in text
        assert spotify.count("/me/tracks") == 3

        text = await says(await discord.command(ada, "status"), "Next")
        assert "3 tracks in playlists" in text
        assert "120 tracks saved" in text
        assert "120 different tracks; features known for 75 % of your tracks." in text
        assert "Last synced <t:" in text
        assert "`/recommend`" in text

        spotify.users["ada"].revoke()
        text = await says(await discord.command(ada, "sync"), "The sync stopped")
        assert "Type /link to connect again" in text
        text = await says(await discord.command(ada, "status"), "Next")
        assert "needs to be connected again" in text
        assert "120 tracks saved" in text


async def test_an_edit_that_does_not_go_out_is_followed_by_another(discord, spotify, ada, house, caplog):
    async with house() as app:
        await link_account(app.database, spotify, spotify.users["ada"], str(ada.id), KEY, utc_now())
        hold = spotify.hold("/me/tracks")
        discord.fail_next("PATCH", "/webhooks/*", 403)
        asked = await discord.command(ada, "sync")
        await says(asked, "Reading: saved tracks")
        hold.release()
        await says(asked, "up to date")
    assert "a sync was not shown" in caplog.text
    assert "went wrong" not in asked.original.text


async def test_a_limit_is_told_with_its_time(discord, spotify, ada, house):
    async with house() as app:
        await link_account(app.database, spotify, spotify.users["ada"], str(ada.id), KEY, utc_now())
        spotify.quota_exceeded("/me/tracks", 7_200)
        text = await says(await discord.command(ada, "sync"), "The sync stopped")
        assert "Spotify asks this bot to wait until" in text
        assert "It goes on by itself <t:" in text
        text = await says(await discord.command(ada, "status"), "Next")
        assert "Not synced to the end yet." in text
        assert "It goes on by itself <t:" in text


async def test_a_stop_in_the_middle_of_a_sync_and_a_start(discord, spotify, ada, house):
    async with house() as app:
        await link_account(app.database, spotify, spotify.users["ada"], str(ada.id), KEY, utc_now())
        hold = spotify.hold("/me/tracks", skip=1)
        asked = await discord.command(ada, "sync")
        await hold.arrived.wait()
        app.stop()
        hold.release()
    assert asked.original is not None
    spotify.clear_faults()
    async with house() as app:  # nobody asks again
        await _synced(app.database)
        async with app.database.read() as connection:
            assert await connection.scalar(select(func.sum(interaction.c.count))) == 123


async def test_a_host_without_spotify(discord, ada, tmp_path):
    async with running(settings_for(discord, tmp_path), discord):
        refused = await (await discord.command(ada, "sync")).reply()
        assert "This host has no Spotify connection" in refused.text
        text = await says(await discord.command(ada, "status"), "Next")
        assert "This host has no Spotify connection." in text


async def test_killed_in_the_middle_of_a_sync(discord, spotify, reccobeats, ada, tmp_path):
    """kill -9 between two pages: what was acknowledged is there, and the next start reads only the rest."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    wanted = settings(discord, spotify, reccobeats, tmp_path, public_url=url, web_port=port)
    public = "database_url model_dir public_url web_port discord_api_url discord_gateway_url spotify_client_id"
    names = f"{public} spotify_api_url spotify_accounts_url reccobeats_url".split()
    environment = {name.upper(): str(getattr(wanted, name)) for name in names} | {
        "DISCORD_TOKEN": TOKEN,
        "TOKEN_ENCRYPTION_KEYS": KEY,
        "TRAINING_SOURCES": "spotify,discord",
        "SPOTIFY_CLIENT_SECRET": spotify.client_secret,
    }
    bot = BotProcess(tmp_path, environment, url)
    database = Database(wanted.database_url)
    try:
        await bot.start()
        await bot.wait_ready()
        await discord.wait_commands()
        await link_account(database, spotify, spotify.users["ada"], str(ada.id), KEY, utc_now())
        hold = spotify.hold("/me/tracks", skip=1)
        await discord.command(ada, "sync")
        await asyncio.wait_for(hold.arrived.wait(), 60)
        os.kill(bot.pid, signal.SIGKILL)
        await discord.wait_gone()
        async with database.read() as connection:
            assert await connection.scalar(select(func.sum(interaction.c.count))) == 50
            cursor = await connection.scalar(select(listing.c.cursor).where(listing.c.key == "saved"))
            assert cursor["offset"] == 50
        spotify.clear_faults()
        spotify.requests.clear()
        bot = BotProcess(tmp_path, environment, url)
        await bot.start()
        await _synced(database)
        async with database.read() as connection:
            assert await connection.scalar(select(func.sum(interaction.c.count))) == 123
            assert await connection.scalar(select(func.max(interaction.c.count))) == 1
        offsets = [request.query["offset"] for request in spotify.requests if request.path == "/me/tracks"]
        assert offsets == ["50", "100"]
        await bot.wait_ready()
        await bot.stop()
        assert bot.complaints() == []
    finally:
        await database.close()
        await bot.stop()


async def _synced(database, seconds=60.0):
    async with asyncio.timeout(seconds):
        while True:
            async with database.read() as connection:
                if await connection.scalar(select(account.c.last_synced_at)) is not None:
                    return
            await asyncio.sleep(0.05)
