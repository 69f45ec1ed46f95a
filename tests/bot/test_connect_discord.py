"""/connect, /disconnect, /sync and /status as members see them: the whole bot between the sandbox's far ends."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from bot.clock import utc_now
from bot.storage.schema import account, interaction, listen
from sandbox.discord_server import DiscordServer
from sandbox.lastfm_server import LastFmServer
from sandbox.listenbrainz_server import ListenBrainzLabsServer, ListenBrainzServer
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.spotify_server import SpotifyServer
from tests.bot.collecting import MIDDLE, link_account
from tests.bot.connecting import SPRING
from tests.bot.linking import everything_on_disk
from tests.bot.running import KEY, TOKEN, running, settings_for

IDS = [f"{number:022d}" for number in range(20)]


@pytest.fixture
async def discord():
    async with DiscordServer(token=TOKEN) as server:
        yield server


@pytest.fixture
async def listenbrainz():
    async with ListenBrainzServer() as server:
        yield server


@pytest.fixture
async def lastfm():
    async with LastFmServer() as server:
        yield server


@pytest.fixture
async def house(discord, listenbrainz, lastfm, tmp_path):
    @asynccontextmanager
    async def open_house(**changes):
        async with ListenBrainzLabsServer() as labs, ReccoBeatsServer(dict.fromkeys(IDS, MIDDLE)) as reccobeats:
            far_ends = {
                "listenbrainz_url": listenbrainz.url,
                "listenbrainz_labs_url": labs.url,
                "lastfm_url": lastfm.url,
                "lastfm_api_key": lastfm.key,
                "reccobeats_url": reccobeats.url,
            }
            async with running(settings_for(discord, tmp_path, **far_ends | changes), discord) as app:
                yield app

    return open_house


@pytest.fixture
def ada(discord):
    user = discord.add_user("Ada")
    discord.add_guild("Home", user)
    return user


def listens(server, name, number=40):
    user = server.add_user(name)
    for place in range(number):
        song = place % 20
        user.listen(SPRING - 3_600 * place, f"Song {song}", f"Artist {song}", spotify_id=f"spotify:track:{IDS[song]}")
    user.listen(SPRING + 60, "Unheard of", "Nobody")
    return user


async def says(interaction, words):
    await interaction.wait_until(lambda it: it.original is not None and words in it.original.text)
    assert interaction.ephemeral
    return interaction.original.text


async def typed(discord, who, command, words, **options):
    return await says(await discord.command(who, command, options), words)


async def test_connect_listenbrainz_to_a_list_and_back(discord, listenbrainz, ada, house, caplog):
    caplog.set_level("DEBUG", logger="bot")
    listens(listenbrainz, "MusicLover").token = "token-that-nobody-may-see"
    async with house() as app:
        refused = await typed(discord, ada, "connect listenbrainz", "no user of that name", user="nobody")
        assert refused == "ListenBrainz knows no user of that name. Look at how it is spelt on your profile page there."
        hold = listenbrainz.hold("/1/user/*/listens", skip=1)
        asked = await discord.command(
            ada, "connect listenbrainz", {"user": "musiclover", "token": "token-that-nobody-may-see"}
        )
        text = await says(asked, "Reading what you listened to on ListenBrainz")
        await asyncio.wait_for(hold.arrived.wait(), 15)
        assert "Your token proved that it is yours" in text
        assert "It is being read: listens." in await typed(discord, ada, "status", "Next")
        assert "Wait a little" in await typed(discord, ada, "status", "Next")
        await typed(discord, ada, "sync", "ListenBrainz is being read already")
        hold.release()
        text = await says(asked, "is up to date")
        assert "I know 20 tracks of yours." in text
        assert "41 listens read, 41 of them new" in text
        assert "1 play is of tracks not known here yet" in text
        assert "`/recommend`" in text

        text = await typed(discord, ada, "status", "Next")
        assert "Connected as MusicLover since <t:" in text
        assert "your token proved that it is yours" in text
        assert "Last read <t:" in text
        assert "20 tracks streamed" in text
        assert "1 play is of tracks not known here yet" in text
        assert "20 different tracks; features known for 100 % of your tracks." in text

        listenbrainz.users["musiclover"].listen(SPRING + 9_000, "Song 3", "Artist 3", spotify_id=IDS[3])
        text = await typed(discord, ada, "sync", "is up to date")
        assert "1 of them new" in text
        reply = await (await discord.command(ada, "recommend")).reply()
        assert "Song" in reply.text

        text = await typed(discord, ada, "disconnect", "is disconnected", service="listenbrainz")
        assert "42 plays, 20 rows about 20 tracks" in text
        assert "No tracks yet." in await typed(discord, ada, "status", "Next")
        async with app.database.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(listen)) == 0
        on_disk = everything_on_disk(app.database)
        assert b"MusicLover" not in on_disk
        assert b"token-that" not in on_disk
        text = await typed(discord, ada, "disconnect", "nothing to delete", service="listenbrainz")
        assert text == "You have no ListenBrainz user connected here, so there is nothing to delete."
    assert "musiclover" not in caplog.text.lower()
    assert "token-that" not in caplog.text


async def test_connect_lastfm_credits_it_and_says_what_it_cannot_match(discord, lastfm, ada, house):
    rita = lastfm.add_user("Rita")
    for place in range(250):
        rita.scrobble(SPRING - 60 * place, f"Song {place % 5}", "Band")
    async with house():
        text = await typed(discord, ada, "connect lastfm", "is up to date", user="https://www.last.fm/user/rita")
        assert "[Last.fm](https://www.last.fm) provides this data." in text or "Last.fm provides this data." in text
        assert "250 plays are of tracks not known here yet" in text
        assert "None of your tracks is known here yet" in text
        assert "offers no proof" in text
        text = await typed(discord, ada, "status", "Next")
        assert "Connected as Rita since" in text
        assert "on your word" in text
        assert "provides this data" in text
        text = await typed(discord, ada, "privacy show", "250 single plays")
        assert "provides this data" in text
        lastfm.users["shy"] = lastfm.add_user("Shy", hidden=True)
        bob = discord.add_user("Bob")
        discord.add_guild("Other", bob)
        text = await typed(discord, bob, "connect lastfm", "hides", user="shy")
        assert text.startswith("That user hides their recent listening on Last.fm")
        text = await typed(discord, bob, "connect lastfm", "already", user="rita")
        assert "Another member here has connected this Last.fm user already." in text


async def test_a_host_without_a_key_for_last_fm(discord, ada, house):
    async with house(lastfm_api_key=None):
        text = await typed(discord, ada, "connect lastfm", "no Last.fm", user="rita")
        assert text == "This host has no Last.fm: it is up to them to set it up."
        assert "`/connect lastfm`" not in await typed(discord, ada, "help", "/connect")


async def test_sync_shows_spotify_and_the_others_together(discord, listenbrainz, ada, house):
    listens(listenbrainz, "Rob")
    async with SpotifyServer() as spotify:
        user = spotify.add_user("ada", "Ada")
        album = spotify.catalogue.add_album("Songs", [spotify.catalogue.add_artist("Nobody")])
        user.save([spotify.catalogue.add_track("Unheard of", album)])
        urls = {
            "spotify_client_id": spotify.client_id,
            "spotify_client_secret": spotify.client_secret,
            "spotify_api_url": spotify.api_url,
            "spotify_accounts_url": spotify.accounts_url,
        }
        async with house(**urls) as app:
            await typed(discord, ada, "connect listenbrainz", "is up to date", user="rob")
            assert "1 play is" in await typed(discord, ada, "status", "Waiting")
            await link_account(app.database, spotify, user, str(ada.id), KEY, utc_now())
            asked = await discord.command(ada, "sync")
            await says(asked, "Your tracks are up to date")
            await says(asked, "Your listening from ListenBrainz is up to date")
            assert len(asked.original.embeds) == 2
            # What waited was given its track by Spotify's sync.
            assert "Waiting" not in await typed(discord, ada, "status", "Next")
            async with app.database.read() as connection:
                kinds = set(await connection.scalars(select(interaction.c.kind)))
            assert kinds == {"saved", "streamed"}


async def test_a_stop_in_the_middle_goes_on_after_the_start(discord, listenbrainz, ada, house):
    listens(listenbrainz, "Rob", 2_500)
    async with house() as app:
        hold = listenbrainz.hold("/1/user/*/listens", skip=2)
        await discord.command(ada, "connect listenbrainz", {"user": "rob"})
        await asyncio.wait_for(hold.arrived.wait(), 15)
        app.stop()
        hold.release()
    listenbrainz.clear_faults()
    async with house() as app, asyncio.timeout(30):  # nobody asks again
        while True:
            async with app.database.read() as connection:
                if await connection.scalar(select(account.c.last_synced_at)) is not None:
                    break
            await asyncio.sleep(0.05)
        async with app.database.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(listen)) == 2_501
