"""What makes many rows cheap says the same as what it stands in for."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.imports.json_stream import elements
from bot.storage.database import Database, among, insert_all, upsert
from bot.storage.interactions import Sighting, see_more
from bot.storage.listings import open_listing
from bot.storage.members import ensure_member
from bot.storage.names import _GUESTS, _REMASTER, _folded, name_key
from bot.storage.schema import UtcDateTime, interaction, metadata, note, track

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(json_values, max_size=6), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_the_same_however_it_is_cut(document, size, indent, as_ascii):
    content = json.dumps(document, indent=indent, ensure_ascii=as_ascii).encode("utf-8", "surrogatepass")
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    assert list(elements(pieces)) == document


@given(st.text(max_size=40))
def test_names_are_folded_character_by_character(name):
    letters = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(
        char if char.isalnum() else " " for char in letters.replace("&", " and ") if not unicodedata.combining(char)
    )
    assert _folded(name) == (" ".join(kept.split()) or " ".join(name.casefold().split()))


title_parts = st.sampled_from(
    [
        "Song",
        " ",
        " - ",
        "2011 ",
        "Remaster",
        "REMAſTERed",
        "(",
        "[",
        ")",
        "feat. ",
        " FT ",
        "ﬅ",
        "with",
        "wıth",
        "é",
        "_",
    ]
)


@given(st.lists(title_parts, max_size=8).map("".join))
def test_a_title_loses_its_guests_and_remasters_whether_or_not_it_is_looked_through(title):
    bare = _REMASTER.sub("", _GUESTS.sub("", title)) or title
    assert name_key(title, "Ada") == f"ada\x1f{_folded(bare)}"


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-23, 23))  # noqa: DTZ001 - a zone is added
def test_times_are_stored_as_sqlalchemy_stores_them(moment, hours):
    moment = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    ours = UtcDateTime().bind_processor(sqlite.dialect())
    theirs = sqlite.DATETIME().bind_processor(sqlite.dialect())
    assert ours(moment) == theirs(moment.astimezone(UTC).replace(tzinfo=None))
    assert ours(None) is None


async def test_among_takes_any_number(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        names = ["plain", 'with "quotes"', "ünïcode 🎵", "back\\slash", "not asked for"]
        await connection.execute(note.insert(), [{"key": one, "value": "x"} for one in names])
        asked = [*names[:-1], *map(str, range(50_000))]
        found = await connection.scalars(select(note.c.key).where(among(connection, note.c.key, asked)))
        assert set(found) == set(names[:-1])
        assert list(await connection.scalars(select(note.c.key).where(among(connection, note.c.key, [])))) == []
    await database.close()


def test_among_is_one_parameter_elsewhere_too():
    class Connection:
        dialect = postgresql.dialect()

    query = select(track.c.id).where(among(cast(AsyncConnection, Connection()), track.c.id, [1, 2, 3]))
    compiled = query.compile(dialect=postgresql.dialect())
    assert "= ANY (" in str(compiled)
    assert list(compiled.params.values()) == [[1, 2, 3]]


async def test_plays_add_up(tmp_path):
    database, now = Database(f"sqlite+aiosqlite:///{tmp_path}/x.db"), datetime(2026, 1, 1, tzinfo=UTC)
    early, late = now - timedelta(days=9), now - timedelta(days=1)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        row = {"id": 1, "title": "t", "source": "export", "updated_at": now}
        await connection.execute(track.insert(), [row])
        listing = await open_listing(connection, await ensure_member(connection, "1", now), "export", "plays")
        seen = [Sighting(2, early), Sighting(3, late), Sighting(1, None), Sighting(4, early)]
        for days, one in enumerate(seen):
            await see_more(connection, listing, "streamed", {1: one}, now + timedelta(days=days))
        [stored] = (await connection.execute(select(interaction))).mappings()
        assert (stored["count"], stored["occurred_at"]) == (10, late)
        assert (stored["first_seen"], stored["last_seen"]) == (now, now + timedelta(days=3))
    await database.close()


async def test_rows_may_come_column_by_column(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        await insert_all(connection, note, [{"key": "a", "value": "1"}, {"value": "2", "key": "b"}])
        await upsert(connection, note, {"value": ["3", "4"], "key": ["b", "c"]}, key=["key"], update=["value"])
        await insert_all(connection, note, {"key": [], "value": []})
        await insert_all(connection, note, [])
        found = await connection.execute(select(note.c.key, note.c.value).order_by(note.c.key))
        assert [tuple(row) for row in found] == [("a", "1"), ("b", "3"), ("c", "4")]
    await database.close()
