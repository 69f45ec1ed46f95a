"""The ZIP of an export: whatever stands in the rows comes out of the JSON and of the CSV as it went in."""

import asyncio
import csv
import io
import json
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.services.data_archive import DataArchive, Table

NAMES = ("text", "number", "time", "nothing", "inside")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": TEXT,
            "number": st.integers(-(2**63), 2**63 - 1),
            "time": st.datetimes(timezones=st.just(UTC)),
            "nothing": st.none(),
            "inside": st.dictionaries(TEXT, st.none() | st.booleans() | TEXT, max_size=3),
        }
    ),
    max_size=12,
)


async def _pieces(rows, size):
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


async def _written(rows, other, size):
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        async with DataArchive(file, Path(scratch)) as archive:
            given = {"one": rows, "other": other, "none": []}
            tables = [Table(name, NAMES, _pieces(some, size)) for name, some in given.items()]
            await archive.add_everything({"when": datetime(2026, 1, 1, tzinfo=UTC)}, tables)
        assert not list(Path(scratch).iterdir())
    return file


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, st.integers(1, 5))
def test_what_goes_in_comes_out(rows, other, size):
    with zipfile.ZipFile(asyncio.run(_written(rows, other, size))) as archive:
        assert archive.testzip() is None
        everything = json.loads(archive.read("everything.json"))
        table = csv.reader(io.StringIO(archive.read("csv/one.csv").decode(), newline=""))
        header, *lines = table
        assert archive.read("csv/none.csv").decode().split() == [",".join(NAMES)]
    assert everything["about"] == {"when": "2026-01-01T00:00:00+00:00"}
    for name, expected in (("one", rows), ("other", other), ("none", [])):
        assert everything["tables"][name] == [{**row, "time": row["time"].isoformat()} for row in expected]
    assert header == list(NAMES)
    for row, line in zip(rows, lines, strict=True):
        text, number, time, nothing, inside = line
        assert (text, int(number), datetime.fromisoformat(time), nothing) == (
            row["text"],
            row["number"],
            row["time"],
            "",
        )
        assert json.loads(inside) == row["inside"]
