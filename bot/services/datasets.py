"""The host's own files: a data set of people and tracks, a catalogue of tracks, and the members' data as a data set.

For the command line only: it reads tables with pandas, which the running bot does without. A file is read to its end
before anything of it is stored.
"""

import csv
import marshal
import re
import struct
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from bot.clock import Clock
from bot.errors import FileRefusedError
from bot.sources import CATALOGUE, Source
from bot.spotify.records import ArtistRecord, TrackRecord, text
from bot.storage import snapshots
from bot.storage.catalogue import TrackRow, tracks_by_id
from bot.storage.database import Database
from bot.storage.datasets import Features, people, store_file_tracks, store_person
from bot.storage.interactions import Sighting
from specrec.catalogue import Catalogue
from specrec.errors import TableError
from specrec.features import in_range
from specrec.interactions import KINDS, Interactions
from specrec.table import ORIGINAL_COLUMNS, ORIGINAL_KINDS
from specrec.tables import read_interactions, read_tracks, read_tracks_in_parts

BATCH = 20_000  # tracks a transaction: two seconds, and the running bot writes in between
_LENGTH = struct.Struct("<Q")
_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")

Row = tuple[str, str, tuple[str, ...], Features | None]  # id, title, artists, the nine numbers
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """`people` and interactions are 0 for a catalogue."""

    tracks: int  # in the file
    new_tracks: int
    people: int = 0
    new: int = 0  # interactions
    already_there: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    rows: int  # appended
    already_there: int
    without_features: int  # pairs of a member and a track that the form has no place for


async def import_tracks(database: Database, path: Path, clock: Clock, tell: Tell) -> Imported:
    """Candidates beyond what the members play. Raises `FileRefusedError`; nothing is stored then."""
    with _refused(), tempfile.TemporaryFile() as spool:
        count = 0
        for part in read_tracks_in_parts(path):
            rows = list(_rows(part))
            for batch in _batches(rows):
                packed = marshal.dumps(batch)  # loading from a file itself would read it number by number
                spool.write(_LENGTH.pack(len(packed)))
                spool.write(packed)
            count += len(rows)
            tell(f"read {count:,} tracks")
        spool.seek(0)
        new = await _store_tracks(database, _loaded(spool, count), CATALOGUE, "", clock, tell)
    return Imported(count, new)


async def import_dataset(
    database: Database, path: Path, tracks_path: Path | None, clock: Clock, tell: Tell
) -> Imported:
    """People and what they did, with their tracks: of the original form both are in one file. The people are known as
    the file's name and what it calls them. Raises `FileRefusedError`; nothing is stored then."""
    with _refused():
        table = read_interactions(path)
        catalogue = table.tracks if tracks_path is None else read_tracks(tracks_path)
    name = path.name.split(".")[0]
    rows = {row[0]: row for row in _rows(catalogue)} if catalogue is not None else {}
    interactions = table.interactions
    everything = [rows.get(one) or (one, "", (), None) for one in interactions.tracks.ids]
    everything += [row for one, row in rows.items() if one not in interactions.tracks]
    keys: list[int] = []
    new_tracks = await _store_tracks(database, _batches(everything), Source.DATASET, name, clock, tell, keys)
    new = already_there = 0
    for user, kinds in _by_person(interactions, keys):
        async with database.write() as connection:
            added, before = await store_person(connection, f"{name}:{user}", kinds, clock())
        new, already_there = new + added, already_there + before
    return Imported(len(everything), new_tracks, len(interactions.users), new, already_there)


async def export_dataset(database: Database, path: Path, sources: Iterable[Source]) -> Exported:
    """Append what may train to a file of the original form, which is made where there is none; a row that stands there
    stays, and does not come again. Members stand in it by our own numbers. Raises `FileRefusedError` for a file of
    another form, which is left as it is."""
    with _refused():
        before, ends = _pairs_in(path)
    happened: dict[tuple[int, int], set[str]] = defaultdict(set)
    async with database.read() as connection:
        async for one in snapshots.interactions(connection, [source.value for source in sources]):
            if one.kind != "disliked":
                happened[one.member_id, one.track_id].add(one.kind)
        names = await people(connection)
        found: dict[str, TrackRow] = await tracks_by_id(connection, [str(key) for key in {key for _, key in happened}])
    rows, already_there, without = [], 0, 0
    for (member_id, key), kinds in happened.items():
        track = found[str(key)]
        person, identity = names.get(member_id, f"member{member_id}"), track.spotify_id or f"track{key}"
        if (person, identity) in before:
            already_there += 1
        elif not _complete(track.features):
            without += 1
        else:
            shown = (person, identity, track.title, ";".join(track.artists), *(track.features or ()))
            rows.append((*shown, *(str(kind.value in kinds) for kind in ORIGINAL_KINDS)))
    _append(path, rows, ends)
    return Exported(len(rows), already_there, without)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except TableError as error:
        raise FileRefusedError(str(error)) from error


async def _store_tracks(
    database: Database,
    batches: Iterable[Sequence[Row]],
    source: str,
    name: str,
    clock: Clock,
    tell: Tell,
    keys: list[int] | None = None,
) -> int:
    """Returns how many are new; their keys are added to `keys`."""
    new = done = 0
    for batch in batches:
        records = [_record(row, name) for row in batch]
        async with database.write() as connection:
            stored = await store_file_tracks(connection, records, [row[3] for row in batch], source, clock())
        new, done = new + stored.new, done + len(batch)
        if keys is not None:
            keys += stored.keys
        tell(f"stored {done:,} tracks")
    return new


def _record(row: Row, name: str) -> TrackRecord:
    identity, title, artists, _ = row
    is_spotify = _SPOTIFY_ID.fullmatch(identity) is not None
    names = {one: None for one in map(text, artists) if one is not None}
    return TrackRecord(
        identity if is_spotify else None,
        None,
        None,
        text(title) or identity[:500],
        tuple([ArtistRecord(None, one) for one in names]),
        dataset=None if is_spotify else f"{name}:{identity}",
    )


def _rows(part: Catalogue) -> Iterator[Row]:
    unknown = np.isnan(part.features)
    features = part.features.astype(object)  # floats of Python's own
    features[unknown] = None
    values, bare = features.tolist(), set(np.flatnonzero(unknown.all(axis=1)).tolist())
    names, starts = [part.artists.ids[row] for row in part.artist_rows.tolist()], part.artist_starts.tolist()
    for place, identity in enumerate(part.ids):
        artists = tuple(names[starts[place] : starts[place + 1]])
        yield identity, part.titles[place], artists, None if place in bare else tuple(values[place])


def _complete(features: Features | None) -> bool:
    """The original form has no empty cells."""
    return features is not None and in_range([nan if one is None else one for one in features]) and None not in features


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _loaded(spool: Any, count: int) -> Iterator[Sequence[Row]]:
    while count > 0:
        batch: Sequence[Row] = marshal.loads(spool.read(*_LENGTH.unpack(spool.read(_LENGTH.size))))
        count -= len(batch)
        yield batch


def _by_person(interactions: Interactions, keys: list[int]) -> Iterator[tuple[str, dict[str, dict[int, Sighting]]]]:
    """Each person's rows, added up where a track comes several times in one way; the rows are sorted by person."""
    bounds = np.searchsorted(interactions.user_rows, np.arange(len(interactions.users) + 1))
    for row, user in enumerate(interactions.users):
        kinds: dict[str, dict[int, Sighting]] = defaultdict(dict)
        for place in range(bounds[row], bounds[row + 1]):
            key = keys[interactions.track_rows[place]]
            seconds, weight = float(interactions.timestamps[place]), float(interactions.weights[place])
            at = None if isnan(seconds) else datetime.fromtimestamp(seconds, UTC)
            seen = Sighting(min(max(1, round(weight)), 2**31 - 1), at)
            of_kind = kinds[KINDS[interactions.kinds[place]].value]
            of_kind[key] = seen.and_also(of_kind[key]) if key in of_kind else seen
        yield user, kinds


def _pairs_in(path: Path) -> tuple[set[tuple[str, str]], bool]:
    """Who and which track stand in the file, and whether its last line has an end."""
    if not path.exists() or path.stat().st_size == 0:
        return set(), True
    if read_interactions(path).tracks is None:
        raise TableError(f"{path} is not of the original form ({len(ORIGINAL_COLUMNS)} columns): name another file")
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raise TableError(f"{path} is packed: unpack it first, rows are appended as text")
    lines = csv.reader(raw.decode("utf-8-sig").splitlines(keepends=True))
    return {(row[0].strip(), row[1].strip()) for row in lines if len(row) > 1}, raw.endswith(b"\n")


def _append(path: Path, rows: Sequence[Sequence[object]], ends: bool) -> None:
    if not rows:
        return
    with path.open("a", newline="", encoding="utf-8") as file:
        if not ends:
            file.write("\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
