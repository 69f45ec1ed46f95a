"""The ZIP that a member gets: everything in one JSON file, and each table as CSV; written in pieces, in threads."""

import asyncio
import csv
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

Row = dict[str, Any]
Rows = AsyncIterable[list[Row]]

JSON_NAME = "everything.json"
COPIED_AT_ONCE = 1 << 20  # bytes
READ_ME = """What SpecRec holds about you.

everything.json   all of it: "about" says what is linked, paused and allowed; "tables" has the rows of each table.
csv/NAME.csv      the rows of one table, with the names of the tracks, artists and lists that they belong to.

Times are UTC. Tokens of linked accounts and one-time links are held encrypted or as hashes; they are left out, because
they would be of use only to somebody who took this file from you. Last.fm (https://www.last.fm) provides the data whose
source is "lastfm".
"""


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` have the names of `columns`; they are read once."""

    name: str
    columns: Sequence[str]
    rows: Rows


class DataArchive:
    """`async with DataArchive(file, scratch) as archive:` writes `file` from its start; after an error it is of no use.
    `scratch` is a folder on a disk."""

    def __init__(self, file: BinaryIO, scratch: Path) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._scratch = scratch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._zip.close)

    async def add_text(self, name: str, text: str) -> None:
        await asyncio.to_thread(self._zip.writestr, name, text)

    async def add_everything(self, about: Row, tables: Sequence[Table]) -> None:
        """One JSON object, `about` and a list of rows for each table; then each table as CSV (UTF-8, a header, lines
        ended as RFC 4180 says). A ZIP takes one entry after the other, so the CSV waits in files without a name."""
        with ExitStack() as waiting:
            files: dict[str, BinaryIO] = {}
            with self._zip.open(JSON_NAME, "w", force_zip64=True) as entry:
                await asyncio.to_thread(entry.write, f'{{"about": {_json(about)},\n"tables": {{'.encode())
                for place, table in enumerate(tables):
                    file = waiting.enter_context(await asyncio.to_thread(self._new_file))
                    files[table.name] = file
                    await asyncio.to_thread(file.write, _lines([table.columns]))
                    await asyncio.to_thread(entry.write, f"{',' if place else ''}\n{_json(table.name)}: [".encode())
                    between = "\n"
                    async for chunk in table.rows:
                        await asyncio.to_thread(_write_objects, entry, between, chunk)
                        await asyncio.to_thread(_write_lines, file, table.columns, chunk)
                        between = ",\n"
                    await asyncio.to_thread(entry.write, b"]")
                await asyncio.to_thread(entry.write, b"}}\n")
            for name, file in files.items():
                await asyncio.to_thread(self._copy, f"csv/{name}.csv", file)

    def _new_file(self) -> BinaryIO:
        return tempfile.TemporaryFile(dir=self._scratch)

    def _copy(self, name: str, file: BinaryIO) -> None:
        file.seek(0)
        with self._zip.open(name, "w", force_zip64=True) as entry:
            shutil.copyfileobj(file, entry, COPIED_AT_ONCE)


def _write_lines(entry: Any, columns: Sequence[str], rows: Sequence[Row]) -> None:
    entry.write(_lines([[_cell(row[name]) for name in columns] for row in rows]))


def _write_objects(entry: Any, before: str, rows: Sequence[Row]) -> None:
    if rows:
        entry.write((before + ",\n".join(map(_json, rows))).encode())


def _lines(lines: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """Empty where there is nothing; what has a structure is JSON."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return _json(value) if isinstance(value, dict | list | bool) else value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an export")
