"""The host's own files by the command line: a data set, a catalogue, and the members' data as a data set."""

import asyncio
import csv
import gzip

import pytest
from sqlalchemy import func, select

from bot.__main__ import main
from bot.clock import utc_now
from bot.services.content import ContentStore
from bot.spotify.records import ArtistRecord, TrackRecord
from bot.storage import snapshots
from bot.storage.database import Database
from bot.storage.interactions import Sighting, see
from bot.storage.listings import open_listing
from bot.storage.members import ensure_member
from bot.storage.schema import audio_features, interaction, listing, member, track, track_alias
from bot.storage.tracks import store_tracks
from specrec.tables import read_interactions
from tests.bot.running import KEY

FEATURES = "0.1,0.5,0.6,0,0.2,-7.5,0.05,0.4,121.5"
HEADER = "acousticness,danceability,energy,instrumentalness,liveness,loudness,speechiness,valence,tempo"
ORIGINAL = f"""ann,{"a" * 22},"One, two",Band,{FEATURES},True,False,False,False
ann,{"b" * 22},Three,Band,{FEATURES},True,True,False,False
ben,{"a" * 22},"One, two",Band,{FEATURES},False,False,False,False
"""


@pytest.fixture
def host(tmp_path, monkeypatch, capsys):
    """Runs a command as the host does; returns its exit code, what it printed and what it complained about."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DISCORD_TOKEN": "x",
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "TOKEN_ENCRYPTION_KEYS": KEY,
        "TRAINING_SOURCES": "export,dataset",
    }.items():
        monkeypatch.setenv(name, value)

    async def run(*arguments):
        code = await asyncio.to_thread(main, [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
async def house(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/var/specrec.db")
    yield database
    await database.close()


async def values(database, *columns, order=None):
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(*(order or columns)))]


async def test_the_original_form_with_its_people_and_tracks(host, house, tmp_path):
    file = tmp_path / "five.listeners.csv"
    file.write_text(ORIGINAL)
    code, out, _ = await host("import-dataset", file)
    assert code == 0
    assert out == "2 people and 2 tracks read, 2 of these new; 4 interactions new, 0 already there.\n"
    assert await values(house, member.c.discord_id) == [("dataset:five:ann",), ("dataset:five:ben",)]
    assert await values(house, track.c.spotify_id, track.c.title) == [("a" * 22, "One, two"), ("b" * 22, "Three")]
    kinds = [("interaction", "dataset", 1), ("playlist", "dataset", 2), ("saved", "dataset", 1)]
    async with house.read() as connection:
        query = select(interaction.c.kind, interaction.c.source, func.count()).group_by(interaction.c.kind)
        assert sorted(tuple(row) for row in await connection.execute(query)) == kinds
        assert (await snapshots.size(connection, ["dataset"])).members == 2
        assert (await snapshots.size(connection, ["spotify", "export"])).members == 0
    assert await values(house, audio_features.c.source, audio_features.c.tempo) == [("dataset", 121.5)] * 2
    assert "0 interactions new, 4 already there" in (await host("import-dataset", file))[1]
    file.write_text(ORIGINAL.splitlines(keepends=True)[0])  # the file's newest reading counts
    await host("import-dataset", file)
    assert await values(house, interaction.c.kind) == [("interaction",), ("playlist",)]


async def test_the_general_form_with_foreign_ids(host, house, tmp_path):
    plays, tracks = tmp_path / "radio.csv.gz", tmp_path / "tracks.csv"
    lines = "user_id,track_id,kind,weight,timestamp\n1,x1,streamed,2.6,2024-01-05T12:00:00Z\n1,x2,,,\n2,x1,disliked,,\n"
    plays.write_bytes(gzip.compress(lines.encode()))
    tracks.write_text(f"track_id,name,artist,{HEADER}\nx1,Heroes - 2017 Remaster,Bowie,{FEATURES}\nx3,Lone,,,,,,,,,,\n")
    await host("migrate")
    async with house.write() as connection:  # a member has it already, under another id
        await store_tracks(
            connection,
            [TrackRecord("s" * 22, None, None, "Heroes", (ArtistRecord(None, "Bowie"),))],
            "spotify",
            utc_now(),
        )
    code, out, _ = await host("import-dataset", plays, "--tracks", tracks)
    assert (code, out[:38]) == (0, "2 people and 3 tracks read, 2 of these")
    shown = await values(house, track.c.title, track.c.spotify_id, track.c.source)
    assert shown == [("Heroes", "s" * 22, "spotify"), ("Lone", None, "dataset"), ("x2", None, "dataset")]
    aliases = await values(house, track_alias.c.value, order=[track_alias.c.value])
    assert {("radio:x1",), ("radio:x2",), ("radio:x3",)} <= set(aliases)
    counts = await values(house, interaction.c.kind, interaction.c.count, interaction.c.occurred_at)
    assert [(kind, count) for kind, count, _ in counts] == [("disliked", 1), ("interaction", 1), ("streamed", 3)]
    assert counts[2][2].isoformat() == "2024-01-05T12:00:00+00:00"


@pytest.mark.parametrize(
    ("command", "text", "words"),
    [
        ("import-dataset", "", "is empty"),
        ("import-dataset", "user_id,track\n1,2\n", "line 1: the column track_id is missing"),
        ("import-dataset", "user_id,track_id,weight\n1,2,-1\n", "line 2, column weight: expected a number above 0"),
        ("import-tracks", "", "is empty"),
        ("import-tracks", "name\nx\n", "the column track_id is missing"),
        ("import-tracks", "track_id,tempo\n\na,100\nb,fast\n", "line 4, column tempo: expected a number"),
        ("import-tracks", 'track_id,name\na,"x\n', "expected a closing quotation mark"),
        ("import-tracks", "track_id\na\0b\n", "line 2: expected UTF-8 text, found a zero byte"),
    ],
)
async def test_bad_files_are_told_in_a_sentence_and_store_nothing(host, house, tmp_path, command, text, words):
    file = tmp_path / "file.csv"
    file.write_text(text)
    code, out, err = await host(command, file)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert await values(house, track.c.id) == []
    assert "No such file" in (await host(command, tmp_path / "none.csv"))[2]


async def test_a_catalogue_is_offered_beyond_what_members_play(host, house, tmp_path):
    file = tmp_path / "catalogue.csv"
    rows = [f'{number:022d},"Song\n{number}",Band {number % 3};Guest,{FEATURES}' for number in range(60)]
    file.write_text(
        "\n".join([f"track_id,name,artist,{HEADER}", *rows, "y" * 22 + ",No features,Band,,,,,,,,,", rows[0]])
    )
    code, out, _ = await host("import-tracks", file)
    assert (code, out) == (0, "61 tracks read, 61 of them new.\n")
    assert (await host("import-tracks", file))[1] == "61 tracks read, 0 of them new.\n"
    assert await values(house, interaction.c.track_id) == []
    async with house.read() as connection:
        candidates = [row async for row in snapshots.tracks_of(connection, ["export"])]
    assert len(candidates) == 60
    assert (candidates[0].title, candidates[0].artists) == ("Song 0", ("Band 0", "Guest"))
    recommender = await ContentStore(house).get()
    assert recommender.knows(candidates[0].track_id)


async def test_snapshots_page_through_tracks_of_members_and_of_the_catalogue(host, house, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "TRACKS_AT_ONCE", 7)
    file = tmp_path / "catalogue.csv"
    file.write_text("\n".join([f"track_id,{HEADER}", *(f"{number:022d},{FEATURES}" for number in range(30))]))
    dataset = tmp_path / "d.csv"
    dataset.write_text("user_id,track_id\n" + "".join(f"u,{number:022d}\n" for number in range(20, 45)))
    await host("import-tracks", file)
    await host("import-dataset", dataset)
    async with house.read() as connection:
        found = [row.spotify_id async for row in snapshots.tracks_of(connection, ["dataset"])]
    assert found == [f"{number:022d}" for number in range(45)]


async def test_members_data_is_appended_in_the_original_form(host, house, tmp_path):
    file, kept = tmp_path / "mine.csv", ORIGINAL.rstrip("\n")
    file.write_text(kept)
    assert (await host("import-dataset", file))[0] == 0
    async with house.write() as connection:
        key = await ensure_member(connection, "100", utc_now())
        keys = list(await connection.scalars(select(track.c.id).order_by(track.c.id)))
        plays = await open_listing(connection, key, "export", "plays")
        await see(connection, plays, "streamed", {keys[0]: Sighting(9)}, utc_now(), since=None)
        spotify = await open_listing(connection, key, "spotify", "saved")
        await see(connection, spotify, "saved", {keys[0]: Sighting(), keys[1]: Sighting()}, utc_now(), since=None)
    target = tmp_path / "export.csv"
    assert (await host("export-dataset", target))[1] == (
        f"4 rows appended to {target}; 0 were there already, 0 left out because their audio features are not known.\n"
    )
    rows = list(csv.reader(target.read_text().splitlines()))
    assert all(len(row) == 17 for row in rows)
    assert [row for row in rows if row[0] == f"member{key}"] == [
        [f"member{key}", "a" * 22, "One, two", "Band", *rows[0][4:13], "False", "False", "False", "False"]
    ]  # what came from Spotify may not train, so it is not exported
    assert sorted(read_interactions(target).interactions.users.ids) == [f"member{key}", "mine:ann", "mine:ben"]
    before = target.read_text()
    assert "0 rows appended" in (await host("export-dataset", target))[1]
    assert target.read_text() == before
    await host("export-dataset", file)
    text = file.read_text()
    assert text.startswith(kept + "\n")
    assert len(text.splitlines()) == 3 + 4

    other = tmp_path / "other.csv"
    other.write_text("user_id,track_id\n1,2\n")
    code, _, err = await host("export-dataset", other)
    assert (code, "is not of the original form" in err) == (2, True)
    assert other.read_text() == "user_id,track_id\n1,2\n"


async def test_listings_of_people_from_files_are_their_own(host, house, tmp_path):
    for name in ("first", "second"):
        (tmp_path / f"{name}.csv").write_text("user_id,track_id\n1,x\n")
        await host("import-dataset", tmp_path / f"{name}.csv")
    assert await values(house, member.c.discord_id) == [("dataset:first:1",), ("dataset:second:1",)]
    assert await values(house, listing.c.source) == [("dataset",), ("dataset",)]
