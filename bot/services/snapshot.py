"""The tables that a training run reads, written from the database in pieces, so that nothing waits for it."""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from math import isnan, nan
from pathlib import Path

from bot.sources import Source
from bot.storage import snapshots
from bot.storage.catalogue import TrackRow
from bot.storage.database import Database
from bot.storage.snapshots import Contribution, SnapshotRow
from specrec.features import FEATURES, in_range

ROWS_AT_ONCE = 2000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # an earlier time is a mistake at the source, and the table refuses it

Line = tuple[object, ...]


async def write_snapshot(
    database: Database, sources: Iterable[Source], interactions: Path, tracks: Path
) -> list[Contribution]:
    """Write what may train as specrec's general tables, in one read transaction, and return whose and which data it is.
    Members stand in the files by our own numbers only; the directory must be private all the same."""
    names = [source.value for source in sources]
    async with database.read() as connection:
        lines = (_interaction(row) async for row in snapshots.interactions(connection, names))
        await _write(interactions, ("user_id", "track_id", "kind", "weight", "timestamp"), lines)
        lines = (_track(row) async for row in snapshots.tracks_of(connection, names))
        await _write(tracks, ("track_id", "name", "artist", *FEATURES), lines)
        return await snapshots.contributions(connection, names)


async def _write(path: Path, header: Line, lines: AsyncIterator[Line]) -> None:
    chunk: list[Line] = [header]
    async for line in lines:
        chunk.append(line)
        if len(chunk) >= ROWS_AT_ONCE:
            await asyncio.to_thread(_append, path, chunk)
            chunk = []
    await asyncio.to_thread(_append, path, chunk)


def _append(path: Path, lines: Iterable[Line]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)


def _interaction(row: SnapshotRow) -> Line:
    when = "" if row.occurred_at is None or row.occurred_at < EPOCH else row.occurred_at.isoformat()
    return row.member_id, row.track_id, row.kind, row.count, when


def _track(row: TrackRow) -> Line:
    """Features out of their range are left out: one odd number must not stop everybody's training."""
    features = tuple(nan if value is None else value for value in row.features or (None,) * len(FEATURES))
    shown = features if in_range(features) else (nan,) * len(FEATURES)
    return row.track_id, row.title, ";".join(row.artists), *("" if isnan(value) else value for value in shown)
