"""What an upload holds, on its way from reading to storing: an upload is stored after all of it was read, or not at
all, and it may be larger than the memory. The file has no name and goes with the process."""

import marshal
import struct
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bot.imports.base import Kept, Listen, Song
from specrec.interactions import Kind

BATCH = 1_000
_LENGTH = struct.Struct("<I")


class Spool:
    """`with Spool(folder) as spool`: add everything, then take the batches, in order. Blocks: for threads."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._waiting: list[tuple[Any, ...]] = []
        self.size = 0  # how many there are

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, item: Listen | Kept) -> None:
        self._waiting.append(_packed(item))
        self.size += 1
        if len(self._waiting) >= BATCH:
            self._flush()

    def batches(self) -> Iterator[list[Listen | Kept]]:
        self._flush()
        self._file.seek(0)
        while head := self._file.read(_LENGTH.size):
            rows = marshal.loads(self._file.read(_LENGTH.unpack(head)[0]))
            yield [_unpacked(row) for row in rows]

    def _flush(self) -> None:
        if self._waiting:
            packed = marshal.dumps(self._waiting)
            self._file.write(_LENGTH.pack(len(packed)))
            self._file.write(packed)
            self._waiting.clear()


def _packed(item: Listen | Kept) -> tuple[Any, ...]:
    song = item.song
    named = (song.title, song.artist, song.spotify_id, song.isrc, song.album)
    if isinstance(item, Kept):
        return named, item.kind.value, item.listing, None if item.at is None else item.at.timestamp()
    rest = (item.to_the_minute, item.ended, item.skipped, item.private)
    return named, item.at.timestamp(), item.ms_played, rest, True


def _unpacked(row: tuple[Any, ...]) -> Listen | Kept:
    named, *values = row
    if len(values) == 3:
        kind, listing, at = values
        return Kept(Song(*named), Kind(kind), listing, None if at is None else datetime.fromtimestamp(at, UTC))
    at, ms_played, rest, _ = values
    return Listen(Song(*named), datetime.fromtimestamp(at, UTC), ms_played, *rest)
