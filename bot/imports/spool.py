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

BATCH = 8_000  # a transaction: a third of a second
_LENGTH = struct.Struct("<I")


class Spool:
    """`with Spool(folder) as spool`: add everything, then take the batches, in order. Blocks: for threads."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._waiting: list[tuple[Any, ...]] = []
        self._songs: dict[Song, int] = {}  # of those that wait: most are played more than once
        self.size = 0  # how many there are

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, item: Listen | Kept) -> None:
        self._waiting.append(_packed(item, self._songs.setdefault(item.song, len(self._songs))))
        self.size += 1
        if len(self._waiting) >= BATCH:
            self._flush()

    def batches(self) -> Iterator[list[Listen | Kept]]:
        self._flush()
        self._file.seek(0)
        while head := self._file.read(_LENGTH.size):
            named, rows = marshal.loads(self._file.read(_LENGTH.unpack(head)[0]))
            songs = [Song(*one) for one in named]
            yield [_unpacked(row, songs) for row in rows]

    def _flush(self) -> None:
        if self._waiting:
            packed = marshal.dumps(([tuple(song) for song in self._songs], self._waiting))
            self._file.write(_LENGTH.pack(len(packed)))
            self._file.write(packed)
            self._waiting.clear()
            self._songs.clear()


def _packed(item: Listen | Kept, song: int) -> tuple[Any, ...]:
    if isinstance(item, Kept):
        return song, item.kind.value, item.listing, None if item.at is None else item.at.timestamp()
    return song, item.at.timestamp(), item.ms_played, item.to_the_minute, item.ended, item.skipped, item.private


def _unpacked(row: tuple[Any, ...], songs: list[Song]) -> Listen | Kept:
    if len(row) == 4:
        song, kind, listing, at = row
        return Kept(songs[song], Kind(kind), listing, None if at is None else datetime.fromtimestamp(at, UTC))
    song, at, *rest = row
    return Listen(songs[song], datetime.fromtimestamp(at, UTC), *rest)
