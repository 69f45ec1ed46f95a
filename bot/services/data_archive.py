"""The ZIP that a member gets: everything in one JSON file, and each table as CSV; written in pieces, in threads."""

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterable, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Self

Row = dict[str, Any]
Rows = AsyncIterable[list[Row]]

JSON_NAME = "everything.json"
READ_ME = """What SpecRec holds about you.

everything.json   all of it: "about" says what is linked, paused and allowed; "tables" has the rows of each table.
csv/NAME.csv      the rows of one table, with the names of the tracks, artists and lists that they belong to.

Times are UTC. Tokens of linked accounts and one-time links are held encrypted or as hashes; they are left out, because
they would be of use only to somebody who took this file from you.
"""


class DataArchive:
    """`async with DataArchive(file) as archive:` writes `file` from its start; after an error it is of no use."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._zip.close)

    async def add_text(self, name: str, text: str) -> None:
        await asyncio.to_thread(self._zip.writestr, name, text)

    async def add_table(self, name: str, columns: Sequence[str], rows: Rows) -> int:
        """One CSV file (UTF-8, a header, lines ended as RFC 4180 says). Returns the number of rows."""
        count = 0
        with self._zip.open(name, "w", force_zip64=True) as entry:
            await asyncio.to_thread(entry.write, _lines([columns]))
            async for chunk in rows:
                count += len(chunk)
                await asyncio.to_thread(_write_lines, entry, columns, chunk)
        return count

    async def add_everything(self, about: Row, tables: Sequence[tuple[str, Rows]]) -> None:
        """One JSON object: `about`, and a list of rows for each table."""
        with self._zip.open(JSON_NAME, "w", force_zip64=True) as entry:
            await asyncio.to_thread(entry.write, f'{{"about": {_json(about)},\n"tables": {{'.encode())
            for place, (name, rows) in enumerate(tables):
                await asyncio.to_thread(entry.write, f"{',' if place else ''}\n{_json(name)}: [".encode())
                between = "\n"
                async for chunk in rows:
                    await asyncio.to_thread(_write_objects, entry, between, chunk)
                    between = ",\n"
                await asyncio.to_thread(entry.write, b"]")
            await asyncio.to_thread(entry.write, b"}}\n")


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
