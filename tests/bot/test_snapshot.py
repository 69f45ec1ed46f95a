"""What a training run is given to read."""

import csv
from datetime import timedelta

from sqlalchemy import delete, insert, update

from bot.services.snapshot import write_snapshot
from bot.sources import Source
from bot.storage import snapshots
from bot.storage.feedback import put_feedback
from bot.storage.members import ensure_member, set_paused
from bot.storage.schema import interaction, member, track, track_alias, training_refusal
from bot.storage.snapshots import Contribution, Size
from specrec.interactions import Histories, set_aside
from specrec.tables import read_interactions
from tests.bot.shelf import NOW, give, make_local, stock


async def test_local_files_are_left_out(database, tmp_path):
    """What is on a member's own disk must not stand in a model that answers everybody."""
    keys = await stock(database)
    mine, *others = keys["doom"][:5]
    await make_local(database, mine, "a tape of mine")
    await give(database, "1001", [mine, *others])
    await give(database, "1002", others)
    async with database.read() as connection:
        assert await snapshots.size(connection, ["spotify"]) == Size(2, len(others), 2 * len(others))
    files = tmp_path / "interactions.csv", tmp_path / "tracks.csv"
    await write_snapshot(database, [Source.SPOTIFY], *files)
    for path, count in zip(files, (2 * len(others), len(others)), strict=True):
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        had = [row for row in rows if row["track_id"] in others]
        assert len(had) == count
        assert mine not in {row["track_id"] for row in rows}
        assert "a tape of mine" not in path.read_text("utf-8")


async def test_a_track_that_spotify_has_too_stays(database, tmp_path):
    keys = await stock(database)
    await give(database, "1001", keys["doom"][:2])
    async with database.write() as connection:
        row = {"scheme": "local", "value": "the same on a disk", "track_id": int(keys["doom"][0])}
        await connection.execute(insert(track_alias), [row])
    async with database.read() as connection:
        assert await snapshots.size(connection, ["spotify"]) == Size(1, 2, 2)


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
        ids = {row["track_id"] for row in rows[0]}
        told = {row["track_id"] for row in rows[1]}
        nobody_has = set(keys["doom"][6:] + keys["disco"]) if Source.SPOTIFY in sources else set()
        assert told == ids | nobody_has  # nothing of what only those have who do not allow it
        async with database.read() as connection:
            size = await snapshots.size(connection, sources)
        assert size == Size(len({row["user_id"] for row in rows[0]}), len(ids), len(rows[0]))
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


async def test_what_is_set_aside_stays_so_from_snapshot_to_snapshot(database, tmp_path):
    """A pair that one version's weights may not see is hidden from every later one, whoever came or left meanwhile."""
    keys = await stock(database)
    for discord_id in ("1001", "1002", "1003"):
        await give(database, discord_id, keys["doom"])

    async def aside(folder):
        (tmp_path / folder).mkdir()
        files = tmp_path / folder / "interactions.csv", tmp_path / folder / "tracks.csv"
        await write_snapshot(database, [Source.SPOTIFY], *files)
        interactions = read_interactions(files[0]).interactions
        histories = Histories.of(interactions)
        chosen = set_aside(histories, interactions.users.ids, interactions.tracks.ids)
        members = [interactions.users.ids[row] for row in histories.members[chosen]]
        return set(zip(members, [interactions.tracks.ids[row] for row in histories.tracks[chosen]], strict=True))

    before = await aside("before")
    assert 4 <= len(before) <= 24  # a tenth of 120
    async with database.write() as connection:
        await connection.execute(delete(member).where(member.c.discord_id == "1001"))
    await stock(database, prefix="later")
    await give(database, "1004", keys["disco"])
    await give(database, "1002", keys["disco"])
    after = await aside("after")
    remaining = {pair for pair in before if pair[0] != "1"}
    assert remaining == {pair for pair in after if pair[0] in ("2", "3") and pair[1] in keys["doom"]}
    assert len(after) > len(remaining)


async def test_members_who_had_few_tracks_then_and_have_many_now(database):
    keys = await stock(database)
    for discord_id, tracks in (("1001", keys["doom"][:12]), ("1002", keys["doom"][:9]), ("1003", keys["doom"][:9])):
        await give(database, discord_id, tracks)
    await give(database, "1004", keys["doom"][:9], "disliked")
    later = NOW + timedelta(days=1)
    async with database.write() as connection:
        await connection.execute(update(interaction).values(first_seen=NOW - timedelta(days=1)))
    for discord_id in ("1001", "1002", "1004"):
        await give(database, discord_id, keys["disco"][:9])
    async with database.read() as connection:
        few = await snapshots.members_with_few(connection, ["spotify"], 10, NOW - timedelta(hours=1))
        assert few == [2]  # 1003 has few still, 1004 likes nine only
        assert await snapshots.members_with_few(connection, ["spotify"], 10, later) == []


async def test_tracks_that_nobody_has_are_told_apart(database, tmp_path):
    keys = await stock(database, per_genre=8)
    await give(database, "1001", keys["doom"][:2])
    nameless, local, foreign, *fresh = keys["disco"]
    await make_local(database, local, "a tape of mine")
    async with database.write() as connection:
        await connection.execute(update(track).where(track.c.id == int(nameless)).values(title=""))
        await connection.execute(update(track).where(track.c.id == int(foreign)).values(source="dataset"))
    files = tmp_path / "interactions.csv", tmp_path / "tracks.csv"
    await write_snapshot(database, [Source.SPOTIFY], *files)
    told = {row["track_id"] for row in csv.DictReader(files[1].read_text("utf-8").splitlines())}
    assert told == {*keys["doom"], *fresh}
    async with database.read() as connection:
        assert await snapshots.unheard(connection, keys["doom"]) == set(keys["doom"][2:])
        assert await snapshots.unheard(connection, []) == set()
