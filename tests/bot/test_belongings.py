"""What belongs to a member: every table has its place, and what is shown, exported and deleted is the same."""

import asyncio
import csv
import json
import zipfile
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from bot.errors import MemberError
from bot.replies.privacy import WORDS
from bot.services.deletion import DeletionService
from bot.services.export import ExportService
from bot.services.privacy import PrivacyService
from bot.sources import Source
from bot.storage import belongings
from bot.storage.schema import artist, interaction, metadata, track, track_alias, track_artist, training_run
from tests.bot.linking import everything_on_disk
from tests.bot.people import ADA, BOB, COMMON, NAMED_ONLY, SEEN, fill

FIVE_DAYS = timedelta(days=5)
SECRET = ("token", "token_hash", "state_hash", "browser_hash", "verifier")


@pytest.fixture
async def people(database):
    await fill(database, ADA, "Ada's own")
    await fill(database, BOB, "Bob's own")
    return database


@pytest.fixture
async def exports(people, tmp_path):
    privacy = PrivacyService(people, [Source.SPOTIFY], FIVE_DAYS, lambda: SEEN)
    service = ExportService(people, privacy, tmp_path / "outgoing", "http://127.0.0.1:1", lambda: SEEN)
    yield service
    await service.close()


async def rows(database):
    async with database.read() as connection:
        return {
            name: await connection.scalar(select(func.count()).select_from(table))
            for name, table in metadata.tables.items()
        }


def deletion(database, under_way=()):
    return DeletionService(database, under_way, FIVE_DAYS, lambda: SEEN)


def test_every_table_belongs_to_members_or_to_nobody():
    """A new table has to be one of both: belong to a member by a `member_id`, a `discord_id` or a row that does, or be
    named in COMMON."""
    assert set(belongings.tables()) | COMMON == set(metadata.tables)
    assert not set(belongings.tables()) & COMMON


async def test_all_of_a_person_is_shown(people):
    async with people.read() as connection:
        held = await belongings.belongings_of(connection, await belongings.person(connection, ADA))
        nobody = await belongings.belongings_of(connection, await belongings.person(connection, "1"))
    assert nobody == []
    assert {one.table: one.rows for one in held} == dict.fromkeys(belongings.tables(), 1)
    assert {one.since for one in held if one.table != "listen"} <= {SEEN, None}
    assert {one.source for one in held if one.table == "listen"} == {"Ada's own listing source"}


async def test_the_export_holds_all_that_is_shown_and_nothing_of_others(people, exports):
    export = await exports.make(ADA, "Ada")
    with export.file, zipfile.ZipFile(export.file) as archive:
        assert archive.testzip() is None
        everything = json.loads(archive.read("everything.json"))
        tables = {
            name.removeprefix("csv/").removesuffix(".csv"): list(
                csv.DictReader(archive.read(name).decode().splitlines())
            )
            for name in archive.namelist()
            if name.startswith("csv/")
        }
        text = b"".join(archive.read(name) for name in archive.namelist())
    held = {one["table"]: one["rows"] for one in everything["about"]["held"]}
    assert set(held) == set(belongings.tables())
    assert {name: len(found) for name, found in tables.items()} == held
    assert {name: len(found) for name, found in everything["tables"].items()} == held
    for name, found in everything["tables"].items():
        assert list(found[0]) == list(tables[name][0]), name
        assert not {one for one in found[0] if one.endswith(SECRET)}, name
    assert b"Bob" not in text
    assert BOB.encode() not in text
    for secret in ("access_token", "refresh_token", "token_hash", "verifier"):
        assert secret.encode() not in text
    assert everything["tables"]["interaction"][0]["track_title"] == "common track title"
    assert everything["tables"]["interaction"][0]["track_artists"] == "common artist name"
    assert everything["tables"]["interaction"][0]["listing_key"] == "Ada's own listing key"
    assert everything["tables"]["listen"][0]["played_at"] == "1970-01-01T00:01:01+00:00"


async def test_after_delete_nothing_of_the_person_is_left_on_the_disk(people):
    before = await rows(people)
    own = (b"Ada's own", ADA.encode())
    assert all(one in everything_on_disk(people) for one in own)
    receipt = await deletion(people).delete(ADA)
    assert receipt.log_is_clean
    assert [one for one in own if one in everything_on_disk(people)] == []
    assert people.path.with_name(f"{people.path.name}-wal").stat().st_size == 0
    assert {one.table: one.rows for one in receipt.belongings} == dict.fromkeys(belongings.tables(), 1)
    stays = COMMON | NAMED_ONLY
    expected = {name: count - (name not in stays) for name, count in before.items()}
    assert await rows(people) == expected | {"unmatched_track": 0}  # nobody's play waits for it
    async with people.read() as connection:
        bob = await belongings.belongings_of(connection, await belongings.person(connection, BOB))
        asked = (await connection.execute(select(training_run.c.requested_by, training_run.c.channel_id))).all()
    assert {one.table: one.rows for one in bob} == dict.fromkeys(belongings.tables(), 1)
    assert asked == [("", None), (BOB, "Bob's own training_run channel_id")]
    with pytest.raises(MemberError, match="Nothing is held"):
        await deletion(people).delete(ADA)


async def test_what_was_found_on_their_own_disk_goes_too(people):
    """A title and an artist that only a local file names are the member's own; what another member has too stays."""
    async with people.write() as connection:
        ada, bob = [(await belongings.person(connection, one)).member_id for one in (ADA, BOB)]
        for name in ("a tape of mine", "a tape of ours"):
            added = await connection.execute(insert(track).values(title=name, source="spotify", updated_at=SEEN))
            key = added.inserted_primary_key[0]
            await connection.execute(insert(track_alias).values(scheme="local", value=f"local:{name}", track_id=key))
            singer = await connection.execute(insert(artist).values(name=f"singer of {name}"))
            singer_key = singer.inserted_primary_key[0]
            await connection.execute(insert(track_artist).values(track_id=key, position=0, artist_id=singer_key))
            for member_id in (ada, bob) if "ours" in name else (ada,):
                await connection.execute(
                    insert(interaction).values(
                        member_id=member_id, track_id=key, listing_id=member_id, kind="playlist",
                        source="spotify", count=1, first_seen=SEEN, last_seen=SEEN,
                    )
                )  # fmt: skip
    await deletion(people).delete(ADA)
    left = everything_on_disk(people)
    assert b"a tape of mine" not in left
    assert b"singer of a tape of ours" in left


async def test_an_export_in_the_making_is_not_handed_out_after_a_deletion(people, exports, monkeypatch):
    """The deletion comes between two tables; the export sees the database as it was, and must not be given away."""
    columns = belongings.columns
    done: list[asyncio.Task[None]] = []

    def in_between(name):
        if not done:
            done.append(asyncio.ensure_future(exports.forget(ADA)))
        return columns(name)

    monkeypatch.setattr("bot.storage.belongings.columns", in_between)
    with pytest.raises(MemberError, match="was deleted"):
        await exports.make(ADA, "Ada")
    await done[0]
    monkeypatch.undo()
    with (await exports.make(BOB, "Bob")).file as file:
        assert zipfile.is_zipfile(file)


async def test_nothing_to_export_and_one_at_a_time(people, exports):
    with pytest.raises(MemberError, match="Nothing is held"):
        await exports.make("1", "Nobody")


def test_every_table_has_a_name_that_members_understand():
    assert set(belongings.tables()) == set(WORDS)
