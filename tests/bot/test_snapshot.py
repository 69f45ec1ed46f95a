"""What a training run is given to read."""

import csv

from sqlalchemy import insert

from bot.services.snapshot import write_snapshot
from bot.sources import Source
from bot.storage import snapshots
from bot.storage.schema import track_alias
from bot.storage.snapshots import Size
from tests.bot.shelf import give, make_local, stock


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
