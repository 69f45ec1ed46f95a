"""/import as members see it: the whole bot between the sandbox's Discord and ReccoBeats."""

import re
import zipfile

import pytest
from sqlalchemy import func, select

from bot.storage.schema import interaction, listen, member
from sandbox.discord_server import DiscordServer
from sandbox.reccobeats_server import ReccoBeatsServer
from tests.bot.collecting import MIDDLE
from tests.bot.exports import (
    AUDIO,
    FOLDER,
    PERSONAL,
    account_play,
    as_json,
    episode,
    extended,
    identity,
    library,
    play,
    zipped,
)
from tests.bot.linking import everything_on_disk
from tests.bot.ports import free_port
from tests.bot.running import TOKEN, running, settings_for
from tests.bot.uploading import Sender


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
def ada(discord):
    user = discord.add_user("Ada")
    discord.add_guild("Home", user)
    return user


@pytest.fixture
async def reccobeats():
    async with ReccoBeatsServer({identity(number): MIDDLE for number in range(30)}) as server:
        yield server


@pytest.fixture
async def app(discord, reccobeats, ada, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = settings_for(discord, tmp_path, reccobeats_url=reccobeats.url, public_url=url, web_port=port)
    async with running(settings, discord) as app:
        yield app


async def bring(discord, user, *files, **options):
    """The reply as it is at the end."""
    names = ("file", "file2", "file3", "file4", "file5")
    attached = {name: discord.upload(user, *file) for name, file in zip(names, files, strict=False)}
    asked = await discord.command(user, "import", attached | options)
    over = ("imported", "there already")
    await asked.wait_until(
        lambda it: it.original is not None and it.original.embeds and it.original.embeds[0]["title"].endswith(over)
    )
    assert asked.ephemeral
    return asked.original.text


async def count(app, column):
    async with app.database.read() as connection:
        return await connection.scalar(select(func.count(column)))


async def test_an_export_is_imported_once(discord, ada, app, reccobeats):
    rows = [*(play(number) for number in range(1, 13)), play(20, ms_played=4_000, reason_end="fwdbtn"), episode()]
    export = ("my_spotify_data.zip", extended(*rows, play(21, incognito_mode=True)))
    text = await bring(discord, ada, export)
    assert "Your history is imported" in text
    assert "**my\\_spotify\\_data.zip**: done, 12 new" in text
    assert "12 entries new" in text
    assert "1 play shorter than 30 seconds" in text
    assert "1 play in a private session" in text
    assert "1 podcast, audiobook or video" in text
    assert "`/recommend`" in text
    again = await bring(discord, ada, export)
    assert "Everything in it was there already" in again
    assert "12 already there" in again
    assert await count(app, listen.c.play) == 12

    status = await (await discord.command(ada, "status")).reply()
    assert "From your Spotify export\n12 tracks streamed" in status.text
    await discord.wait_until(lambda: reccobeats.requests or None, what="a question for audio features")
    listed = await (await discord.command(ada, "recommend")).reply()
    assert "Title 1" in listed.text


async def test_private_sessions_count_for_whom_asks(discord, ada, app):
    text = await bring(discord, ada, (AUDIO, as_json([play(1, incognito_mode=True)])), private=True)
    assert "1 entry new" in text
    assert "private" not in text


async def test_several_files_of_every_kind(discord, ada, app):
    text = await bring(
        discord,
        ada,
        (AUDIO, as_json([play(1), play(2)], bom=True)),
        ("endsong_0.json", as_json([play(3)])),
        ("StreamingHistory_music_0.json", as_json([account_play(1), account_play(9)])),
        ("YourLibrary.json", as_json(library(4, 5))),
        ("holiday.zip", zipped({"beach.jpg": b"x"})),
    )
    assert "A part of your history is imported" in text
    assert "6 entries new" in text
    assert "1 already there" in text  # the same play, to the minute
    assert "1 of tracks that I do not know yet" in text
    assert "holiday.zip is not an export of Spotify's" in text
    assert "**holiday.zip**: not imported" in text


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (("x.zip", extended(play(1))[:-30]), "x.zip is cut short or damaged."),
        ((AUDIO, b""), "is empty."),
        ((AUDIO, as_json([play(1), play(2)])[:-20]), "ends in the middle or is damaged."),
        ((AUDIO, as_json([episode(), play(1, ms_played=10, reason_end="fwdbtn")])), "holds nothing that counts"),
        (("Playlist1.json", as_json({"playlists": []})), "holds nothing that counts"),
        (("notes.txt", b"hello"), "notes.txt is not one of the files of Spotify's export"),
    ],
)
async def test_nothing_of_a_refused_file_is_stored(discord, ada, app, file, words):
    text = await bring(discord, ada, file)
    assert "Nothing was imported" in text
    assert words in text
    assert "Your history is imported" not in text
    assert "`/recommend`" not in text
    assert await count(app, interaction.c.track_id) == 0


async def test_where_somebody_was_is_nowhere(discord, ada, app, caplog):
    await bring(discord, ada, ("x.zip", zipped({f"{FOLDER}/{AUDIO}": as_json([play(1)])}, zipfile.ZIP_STORED)))
    kept = everything_on_disk(app.database) + caplog.text.encode()
    for word in PERSONAL[:-1]:
        assert word.encode() not in kept
    assert b"Title 1" in kept
    assert list((app.settings.model_dir / ".incoming").iterdir()) == []


async def test_a_file_that_is_gone_from_discord(discord, ada, app):
    file = discord.upload(ada, AUDIO, as_json([play(1)]))
    del discord._state.attachments[file.id]
    asked = await discord.command(ada, "import", {"file": file})
    await asked.wait_until(lambda it: it.original is not None and "Nothing was imported" in it.original.text)
    assert "cannot be fetched from Discord any more. Attach it again." in asked.original.text
    assert await count(app, member.c.id) == 0


async def test_members_import_beside_each_other(discord, ada, app):
    ben = discord.add_user("Ben")
    first = await discord.command(ada, "import", {"file": discord.upload(ada, AUDIO, as_json([play(1)]))})
    second = await discord.command(ben, "import", {"file": discord.upload(ben, AUDIO, as_json([play(1)]))})
    for asked in (first, second):
        await asked.wait_until(lambda it: it.original is not None and "is imported" in it.original.text)
    assert await count(app, interaction.c.member_id.distinct()) == 2


async def test_an_upload_page_without_files(discord, ada, app):
    asked = await discord.command(ada, "import", {"private": True}, guild=next(iter(discord._state.guilds.values())))
    reply = await asked.reply()
    assert reply.ephemeral
    address = re.search(r"<(http://127\.0\.0\.1:\d+/import/[\w-]+)>", reply.content)
    async with Sender(address[1]) as page:
        status, text = await page.open()
        assert (status, "Ada" in text, "Home" in text, "checked" in text) == (200, True, True, True)
        await page.send("my_spotify_data.zip", extended(play(1), play(2, incognito_mode=True)), private=True)
    await asked.wait_until(lambda it: "Your history is imported" in it.original.text)
    assert address[1] in asked.original.text
    assert "2 entries new" in asked.original.text
