"""Tables in files: interactions, tracks and users, read and written by pandas. Ids are text, always.

Two forms are recognised by themselves:

- the original project's 17 columns, with or without a header: user id, track id, name, artist, the nine features, and
  four True/False columns, each of which stands for an interaction kind; it brings its tracks along;
- the general form, with a header: `user_id, track_id` and optionally `kind, weight, timestamp` for interactions,
  `track_id` and optionally `name, artist` and the nine features for tracks. Other columns are ignored.

A cell may be empty where a value is optional. Several artists of a track are separated by semicolons. Equal rows count
once; a timestamp is ISO 8601 (UTC where it names no zone) or seconds since 1970.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.errors import TableError
from specrec.features import AUDIO_FEATURES, FEATURES, AudioFeature
from specrec.interactions import Interactions, Kind
from specrec.table import KIND_ROWS, ORIGINAL_COLUMNS, ORIGINAL_KINDS, Table, parts


@dataclass(frozen=True, slots=True)
class InteractionTable:
    """What a file of interactions holds; `tracks` only where it is of the original form."""

    interactions: Interactions
    tracks: Catalogue | None


@dataclass(frozen=True, slots=True)
class OriginalRows:
    """A file of the original form, row by row: who, which track, and what `specrec.paper` counts with."""

    users: list[str]
    tracks: list[str]
    features: NDArray[np.float64]
    """(rows, 9), in the order of FEATURES and in their own units; all known."""
    happened: NDArray[np.bool_]
    """(rows, 4), in the order of ORIGINAL_KINDS."""


def read_interactions(path: Path) -> InteractionTable:
    """Read either form. Raises TableError: one sentence naming file, line, column and what was expected."""
    table = Table.read(path)
    if table.is_original:
        return _read_original(table)
    table.require("user_id", "track_id")
    users, tracks = table.ids("user_id"), table.ids("track_id")
    kinds = table.kinds("kind")
    weights = table.numbers("weight", 1.0, "a number above 0", above=0.0)
    rows = pd.DataFrame(
        {"user": users, "track": tracks, "kind": kinds, "weight": weights, "time": table.timestamps("timestamp")}
    ).drop_duplicates()
    interactions = Interactions.from_columns(
        rows["user"].tolist(),
        rows["track"].tolist(),
        rows["kind"].to_numpy(),
        rows["weight"].to_numpy(),
        rows["time"].to_numpy(),
    )
    return InteractionTable(interactions, None)


def read_tracks(path: Path) -> Catalogue:
    """Read a file of tracks, or the tracks of a file of the original form. Raises TableError."""
    table = Table.read(path)
    table.require("track_id")
    return _catalogue(table)


def read_tracks_in_parts(path: Path, rows: int = 20_000) -> Iterator[Catalogue]:
    """As `read_tracks`, some rows at a time, for files larger than the memory; an id that stands twice may come twice.
    Raises TableError at any part: nothing that came before it is certain until the end."""
    for text, before in parts(path, rows):
        table = Table.of(path, text, before)
        table.require("track_id")
        yield _catalogue(table)


def read_original_rows(path: Path) -> OriginalRows:
    """The rows of a file of the original form, repeated ones included. Raises TableError, also for an empty feature."""
    table = Table.read(path)
    if not table.is_original:
        raise TableError(f"{path} is not of the original form: expected its {len(ORIGINAL_COLUMNS)} columns")
    return OriginalRows(
        table.ids("user_id"),
        table.ids("track_id"),
        np.stack([_feature(table, feature, optional=False) for feature in AUDIO_FEATURES], axis=1),
        np.stack([table.booleans(kind.value) for kind in ORIGINAL_KINDS], axis=1),
    )


def read_users(path: Path) -> list[str]:
    """The `user_id` column, each user once, in the file's order. Raises TableError."""
    table = Table.read(path)
    table.require("user_id")
    return list(dict.fromkeys(table.ids("user_id")))


def _read_original(table: Table) -> InteractionTable:
    users, tracks = np.array(table.ids("user_id"), dtype=object), np.array(table.ids("track_id"), dtype=object)
    happened = np.stack([table.booleans(kind.value) for kind in ORIGINAL_KINDS])  # (kinds, rows)
    # A row without any True is still a row of that listener: an interaction of no stated kind.
    happened = np.vstack((happened, ~happened.any(axis=0)))
    kind, row = np.nonzero(happened)
    kinds = np.array([KIND_ROWS[name] for name in (*ORIGINAL_KINDS, Kind.INTERACTION)], dtype=np.int8)[kind]
    pairs = pd.DataFrame({"user": users[row], "track": tracks[row], "kind": kinds}).drop_duplicates()
    interactions = Interactions.from_columns(
        pairs["user"].tolist(),
        pairs["track"].tolist(),
        pairs["kind"].to_numpy(),
        np.ones(len(pairs)),
        np.full(len(pairs), np.nan),
    )
    return InteractionTable(interactions, _catalogue(table))


def _catalogue(table: Table) -> Catalogue:
    features = np.full((len(table), len(FEATURES)), np.nan, dtype=np.float32)
    for column, feature in enumerate(AUDIO_FEATURES):
        features[:, column] = _feature(table, feature, optional=True)
    artists = [_split(cell) for cell in table.texts("artist")]
    # Of rows with the same id the first counts, whole.
    return Catalogue.from_columns(table.ids("track_id"), table.texts("name"), artists, features)


def _feature(table: Table, feature: AudioFeature, *, optional: bool) -> NDArray[np.float64]:
    """One column of features; an empty cell is NaN where `optional`, and refused elsewhere."""
    expected = f"a number from {feature.low:g} to {feature.high:g} ({feature.unit})" + " or nothing" * optional
    return table.numbers(feature.name, np.nan, expected, low=feature.low, high=feature.high, may_be_empty=optional)


def _split(cell: str) -> tuple[str, ...]:
    if ";" not in cell:  # as in most
        return (name,) if (name := cell.strip()) else ()
    return tuple(dict.fromkeys(name.strip() for name in cell.split(";") if name.strip()))


def write_recommendations(rows: Sequence[Sequence[object]], target: Path | TextIO) -> None:
    """Write `user_id,rank,track_id,match,known,reason`, UTF-8, one line each."""
    table = pd.DataFrame(rows, columns=["user_id", "rank", "track_id", "match", "known", "reason"])
    table.to_csv(target, index=False, float_format="%.4f", lineterminator="\n")
