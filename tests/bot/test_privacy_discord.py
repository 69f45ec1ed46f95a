"""/privacy as members see it: the whole bot between the sandbox's far ends."""

import csv
import io
import json
import re
import zipfile
from contextlib import asynccontextmanager

import aiohttp
import pytest
from sqlalchemy import func, select

from bot.clock import utc_now
from bot.storage.members import paused_since
from bot.storage.schema import interaction, listing, member, training_run
from sandbox.browser import Browser
from sandbox.discord_server import DiscordServer
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.spotify_server import SpotifyServer
from tests.bot.collecting import link_account
from tests.bot.linking import Hands, everything_on_disk
from tests.bot.ports import free_port
from tests.bot.running import KEY, TOKEN, running, settings_for
from tests.bot.shelf import give, stock
from tests.bot.test_sync_discord import settings


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
def guild(discord):
    return discord.add_guild("Home", discord.add_user("Olga"))


@pytest.fixture
def ada(discord, guild):
    user = discord.add_user("Ada Lovelace")
    discord.add_member(guild, user)
    return user


@pytest.fixture
async def spotify():
    """Ada has saved sixty tracks and has a playlist of ten of them, and of one file on her own disk."""
    async with SpotifyServer() as server:
        user = server.add_user("adas-spotify-id", "Ada on Spotify")
        album = server.catalogue.add_album("Songs", [server.catalogue.add_artist("The Band")])
        songs = [server.catalogue.add_track(f"Song {number}", album) for number in range(60)]
        user.save(songs)
        user.add_playlist("A playlist", songs[:10])
        yield server


@pytest.fixture
async def reccobeats():
    async with ReccoBeatsServer() as server:
        yield server


@asynccontextmanager
async def house(discord, spotify, reccobeats, folder, **changes):
    async with running(settings(discord, spotify, reccobeats, folder, **changes), discord) as app:
        yield app


async def ask(discord, user, command, **options):
    reply = await (await discord.command(user, command, options)).reply()
    assert reply.ephemeral
    return reply


async def link(app, spotify, user):
    await link_account(app.database, spotify, spotify.users["adas-spotify-id"], str(user.id), KEY, utc_now())


async def synced(discord, user):
    interaction = await discord.command(user, "sync")
    await interaction.wait_until(lambda it: it.original is not None and "up to date" in it.original.text, 20)


async def count(app, table):
    async with app.database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(table))


async def test_show_and_export_from_nothing_to_everything(discord, spotify, reccobeats, ada, tmp_path):
    async with house(discord, spotify, reccobeats, tmp_path) as app:
        assert "Nothing is held about you" in (await ask(discord, ada, "privacy show")).text
        for command in ("export", "pause", "resume", "delete"):
            assert "othing" in (await ask(discord, ada, f"privacy {command}")).text
        assert await count(app, member) == 0
        await link(app, spotify, ada)
        await synced(discord, ada)
        shown = (await ask(discord, ada, "privacy show")).text
        assert "70 entries of tracks in them, since <t:" in shown
        assert "60 different tracks" in shown
        assert "Spotify: Ada on Spotify, since <t:" in shown
        assert "with tokens, encrypted" in shown
        assert (
            "Spotify's terms forbid training on what its API returns; this host has decided to do it all the same."
            in shown
        )

        reply = await ask(discord, ada, "privacy export")
        (attached,) = reply.attachments
        with zipfile.ZipFile(io.BytesIO(attached.content)) as archive:
            everything = json.loads(archive.read("everything.json"))
            rows = list(csv.DictReader(archive.read("csv/interaction.csv").decode().splitlines()))
        assert len(rows) == len(everything["tables"]["interaction"]) == 70
        assert {row["track_title"] for row in rows} == {f"Song {number}" for number in range(60)}
        assert everything["tables"]["account"][0]["display_name"] == "Ada on Spotify"
        assert not list((tmp_path / "models" / ".outgoing").iterdir())


async def test_pause_and_resume(discord, spotify, reccobeats, ada, tmp_path):
    async with house(discord, spotify, reccobeats, tmp_path) as app:
        await link(app, spotify, ada)
        hold = spotify.hold("/me/tracks", skip=1)
        asked = await discord.command(ada, "sync")
        await hold.arrived.wait()
        assert "**Paused.**" in (await ask(discord, ada, "privacy pause")).text
        hold.release()
        await asked.wait_until(lambda it: it.original is not None and "The sync stopped" in it.original.text)
        assert "/privacy resume" in asked.original.text
        held = await count(app, interaction)
        assert held == 50
        spotify.requests.clear()
        for command in ("sync", "link"):
            assert "You have paused" in (await ask(discord, ada, command)).text
        assert spotify.requests == []
        shown = (await ask(discord, ada, "privacy show")).text
        assert "Paused since <t:" in shown
        assert await count(app, interaction) == held
        async with app.database.read() as connection:
            assert await paused_since(connection, str(ada.id)) is not None
        assert "Going on" in (await ask(discord, ada, "privacy resume")).text
        assert "have not paused" in (await ask(discord, ada, "privacy resume")).text
        await synced(discord, ada)
        assert await count(app, interaction) == 70


async def test_nobody_hears_of_a_member_who_paused(discord, guild, ada, tmp_path):
    """Their tracks count for nobody's first list, and a training that they started has no name."""
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:1])
        text = (await ask(discord, guild.owner, "recommend")).text
        assert "doom" in text
        await ask(discord, ada, "privacy pause")
        assert "doom" not in (await ask(discord, guild.owner, "recommend")).text
        async with app.database.write() as connection:
            run = {"status": "running", "requested_by": str(ada.id), "started_at": utc_now(), "heartbeat_at": utc_now()}
            await connection.execute(training_run.insert().values(run))
        status = await (await discord.command(guild.owner, "model status", guild=guild)).reply()
        assert "Started <t:" in status.text
        assert str(ada.id) not in status.text


async def test_training_is_said_plainly_and_decided_by_source(discord, ada, tmp_path):
    async with running(settings_for(discord, tmp_path, training_sources="discord"), discord):
        text = (await ask(discord, ada, "privacy training")).text
        assert "This host trains the shared model on: the buttons under your lists." in text
        assert "this host has decided not to" in text
        assert "IV.2.a.i" in text
        assert "You have refused nothing." in text
        assert "Give both" in (await ask(discord, ada, "privacy training", source="discord")).text
        text = (await ask(discord, ada, "privacy training", source="discord", allow=False)).text
        assert "You have refused: the buttons under your lists." in text
        await ask(discord, ada, "privacy training", source="all", allow=False)
        text = (await ask(discord, ada, "privacy training", source="spotify", allow=True)).text
        assert "You have refused: the buttons" in text
        assert "Spotify," not in text.split("You have refused")[1]


async def test_delete_asks_once_and_leaves_nothing(discord, spotify, reccobeats, guild, ada, tmp_path):
    """Also of the link that is under way, and of the training that the member started."""
    async with house(discord, spotify, reccobeats, tmp_path) as app:
        await link(app, spotify, ada)
        await synced(discord, ada)
        await ask(discord, ada, "link")
        async with app.database.write() as connection:
            run = {"status": "failed", "requested_by": str(ada.id), "started_at": utc_now(), "heartbeat_at": utc_now()}
            await connection.execute(training_run.insert().values(**run, channel_id="4711"))
            playlists = list(
                await connection.scalars(select(listing.c.key).where(listing.c.key.startswith("playlist:")))
            )
        own = [str(ada.id), "Ada Lovelace", "adas-spotify-id", "Ada on Spotify", *playlists, "4711"]
        assert len(playlists) == 1
        assert all(one.encode() in everything_on_disk(app.database) for one in own)

        asked = await ask(discord, ada, "privacy delete")
        assert [button.label for button in asked.buttons] == ["Delete everything", "Keep it"]
        kept = await (await discord.click(ada, asked, "Keep it")).reply()
        assert "Nothing was deleted" in kept.text
        assert await count(app, interaction) == 70

        asked = await ask(discord, ada, "privacy delete")
        receipt = await (await discord.click(ada, asked, "Delete everything")).reply()
        assert receipt.buttons == []
        for line in (
            "70 entries of tracks in them",
            "1 account",
            "1 link that you asked for",
            "1 training that you started",
            "No version that is kept was trained with your data",
            "no copies of the database",
            "https://www.spotify.com/account/apps/",
        ):
            assert line in receipt.text
        assert [one for one in own if one.encode() in everything_on_disk(app.database)] == []
        files = [path for path in (tmp_path / "models").rglob("*") if path.is_file()]
        assert [one for one in own for path in files if one.encode() in path.read_bytes()] == []
        assert await count(app, member) == 0
        assert "Nothing is held about you" in (await ask(discord, ada, "privacy show")).text
        assert "nothing to delete" in (await ask(discord, ada, "privacy delete")).text


async def test_a_sync_under_way_stores_nothing_after_delete(discord, spotify, reccobeats, ada, tmp_path):
    async with house(discord, spotify, reccobeats, tmp_path) as app:
        await link(app, spotify, ada)
        hold = spotify.hold("/me/tracks", skip=1)
        asked = await discord.command(ada, "sync")
        await hold.arrived.wait()
        question = await ask(discord, ada, "privacy delete")
        receipt = await (await discord.click(ada, question, "Delete everything")).reply()
        assert "50 entries of tracks" in receipt.text
        hold.release()
        await asked.wait_until(lambda it: it.original is not None and "The sync ended" in it.original.text)
        for table in (member, listing, interaction):
            assert await count(app, table) == 0


@pytest.fixture
async def on_a_page(discord, ada, tmp_path, monkeypatch):
    """The bot where Discord takes no file of Ada's size: a function that exports and hands out the page's address."""
    monkeypatch.setattr("sandbox.discord.people.FILE_BYTES", 100)  # what Discord says of its limit
    port = free_port()
    changes = {"public_url": f"http://127.0.0.1:{port}", "web_port": port}
    clock = Hands(utc_now())
    async with running(settings_for(discord, tmp_path, **changes), discord, clock) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"])

        async def export():
            reply = await ask(discord, ada, "privacy export")
            assert reply.attachments == []
            return re.search(r"http://127\.0\.0\.1:\d+/export/[\w-]+", reply.text)[0]

        yield app, export, clock


async def test_what_is_too_large_for_discord_waits_on_a_page_for_one_download(on_a_page, tmp_path):
    _, export, clock = on_a_page
    address = await export()
    async with Browser() as browser, aiohttp.ClientSession() as client:
        page = await browser.open(address)
        assert page.status == 200
        assert "Ada Lovelace" in page.text
        foreign = {"Sec-Fetch-Site": "cross-site"}
        async with client.post(address, headers=foreign) as refused:
            assert refused.status == 403
        async with client.get(address) as again:  # looking takes nothing
            assert again.status == 200
            assert again.headers["Cache-Control"] == "no-store"
        async with client.post(address) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"] == 'attachment; filename="specrec-data.zip"'
            body = await answer.read()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            assert archive.testzip() is None
            assert len(json.loads(archive.read("everything.json"))["tables"]["interaction"]) == 40
        async with client.post(address) as second, client.get(address) as look:
            assert (second.status, look.status) == (404, 404)
        first, newest = await export(), await export()
        assert [(await browser.open(one)).status for one in (first, newest)] == [404, 200]
        clock.turn(minutes=61)
        assert (await browser.open(newest)).status == 404
        assert not list((tmp_path / "models" / ".outgoing").iterdir())


async def test_deleting_takes_the_download_back(on_a_page, discord, ada):
    _, export, _ = on_a_page
    address = await export()
    question = await ask(discord, ada, "privacy delete")
    await (await discord.click(ada, question, "Delete everything")).reply()
    async with Browser() as browser:
        assert (await browser.open(address)).status == 404


async def test_a_file_that_discord_refuses_waits_on_the_page_too(discord, ada, tmp_path):
    async with running(settings_for(discord, tmp_path), discord) as app:
        keys = await stock(app.database)
        await give(app.database, str(ada.id), keys["doom"][:3])
        discord.fail_next("PATCH", "/webhooks/*", 413)
        reply = await ask(discord, ada, "privacy export")
        assert "/export/" in reply.text
        assert reply.attachments == []
