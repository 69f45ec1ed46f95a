"""What a training run is given to read."""

import csv

from sqlalchemy import insert

from bot.services.snapshot import write_snapshot
from bot.sources import Source
from bot.storage import snapshots
from bot.storage.feedback import put_feedback
from bot.storage.members import ensure_member, set_paused
from bot.storage.schema import track_alias, training_refusal
from bot.storage.snapshots import Contribution, Size
from tests.bot.shelf import NOW, give, make_local, stock


async def test_local_files_are_left_out(database, tmp_path):
    """What is on a member's own disk must not stand in a model that answers everybody."""
    keys = await stock(database)
    mine, *others = keys["doom"][:5]
    await make_local(database, mine, "a tape of mine")
    await give(database, "1001", [mine, *others])
    await give(database, "1002", others)
    async with database.read() as connection:
        assert await snapshots.size(connection, ["spotify"]) == Size(2, len(others))
    files = tmp_path / "interactions.csv", tmp_path / "tracks.csv"
    await write_snapshot(database, [Source.SPOTIFY], *files)
    for path, count in zip(files, (2 * len(others), len(others)), strict=True):
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == count
        assert {row["track_id"] for row in rows} == set(others)
        assert "a tape of mine" not in path.read_text("utf-8")


async def test_a_track_that_spotify_has_too_stays(database, tmp_path):
    keys = await stock(database)
    await give(database, "1001", keys["doom"][:2])
    async with database.write() as connection:
        row = {"scheme": "local", "value": "the same on a disk", "track_id": int(keys["doom"][0])}
        await connection.execute(insert(track_alias), [row])
    async with database.read() as connection:
        assert await snapshots.size(connection, ["spotify"]) == Size(1, 2)


async def test_it_holds_what_the_host_and_each_member_allow_and_nothing_else(database, tmp_path):
    """Ada allows everything, Bob all but Spotify, Cem has paused; each has a track of their own from each source."""
    keys = await stock(database)
    theirs = {"1": keys["doom"][:2], "2": keys["doom"][2:4], "3": keys["doom"][4:6]}
    async with database.write() as connection:
        for discord_id, (_, liked) in theirs.items():
            await put_feedback(connection, discord_id, liked, ["liked"], NOW)
        ada, bob, cem = [await ensure_member(connection, discord_id, NOW) for discord_id in theirs]
        await set_paused(connection, cem, NOW)
        await connection.execute(insert(training_refusal).values(member_id=bob, source="spotify", since=NOW))
    for discord_id, (saved, _) in theirs.items():
        await give(database, discord_id, [saved])

    async def held(folder, *sources):
        (tmp_path / folder).mkdir()
        files = tmp_path / folder / "interactions.csv", tmp_path / folder / "tracks.csv"
        read = await write_snapshot(database, sources, *files)
        rows = [list(csv.DictReader(path.read_text("utf-8").splitlines())) for path in files]
        assert {row["track_id"] for row in rows[0]} == {row["track_id"] for row in rows[1]}
        async with database.read() as connection:
            size = await snapshots.size(connection, sources)
        assert size == Size(len({row["user_id"] for row in rows[0]}), len(rows[1]))
        return read, {(int(row["user_id"]), row["track_id"]) for row in rows[0]}

    read, rows = await held("both", Source.SPOTIFY, Source.DISCORD)
    assert read == [Contribution(ada, "discord", 1), Contribution(ada, "spotify", 1), Contribution(bob, "discord", 1)]
    assert rows == {(ada, theirs["1"][0]), (ada, theirs["1"][1]), (bob, theirs["2"][1])}
    read, rows = await held("spotify", Source.SPOTIFY)
    assert read == [Contribution(ada, "spotify", 1)]
    assert rows == {(ada, theirs["1"][0])}
    async with database.write() as connection:
        await set_paused(connection, cem, None)
    _, rows = await held("resumed", Source.DISCORD)
    assert rows == {(ada, theirs["1"][1]), (bob, theirs["2"][1]), (cem, theirs["3"][1])}
