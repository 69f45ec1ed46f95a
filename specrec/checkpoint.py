"""Model versions on disk: safetensors for the arrays, JSON for the rest; no pickle, and numpy is enough to read them.

    DIR/active                       the name of the version in use, one line
    DIR/<version>/model.safetensors  arrays by name; a branch without a gate has none
    DIR/<version>/version.json       format, sha256 of the arrays' file, report, and a checksum over all of these

A version is written into a hidden sibling and renamed into place, so that it is whole or not there. It holds tracks,
weights and measurements, but no member.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from specrec.catalogue import Catalogue
from specrec.errors import CheckpointError
from specrec.features import FEATURES
from specrec.fusion import BRANCHES
from specrec.interactions import Vocabulary

FORMAT = "specrec-model"
FORMAT_NUMBER = 2
ARRAYS, METADATA, ACTIVE = "model.safetensors", "version.json", "active"
KEPT_VERSIONS = 5

# What every version holds beside the catalogue, with the number of dimensions.
_REQUIRED = {
    "gates": 1,
    "listeners": 1,
    "heard": 1,
    "distance_bias": 0,
    "track_vectors": 2,
    "scaling.centre": 1,
    "scaling.spread": 1,
    "calibration": 1,
    **{f"profile_tower.{name}.weight": 2 for name in ("hidden", "output", "skip")},
    **{f"profile_tower.{name}.bias": 1 for name in ("hidden", "output")},
}

# What it holds for each branch that has a gate.
_LINKS = {"starts": 1, "targets": 1, "weights": 1}
_OF_BRANCH: dict[str, dict[str, int]] = {
    "wide": {f"wide.{name}": dimensions for name, dimensions in _LINKS.items()},
    "neighbour": {f"neighbour.{name}": dimensions for name, dimensions in _LINKS.items()},
    "deep": {"history_embedding": 2, "hidden_bias": 1, "track_units": 2, "track_bias": 1},
    "artist": {},
    "audio": {
        "sound_units": 2,
        "history_sound.weight": 2,
        "history_sound.bias": 1,
        "wave_directions": 2,
        "wave_phases": 1,
    },
}


class TextColumn(Sequence[str]):
    """Texts in two arrays: all their UTF-8 bytes, and where each begins; decoded one by one as they are asked for."""

    def __init__(self, text: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        self._text = text
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        return bytes(self._text[self._starts[row] : self._starts[row + 1]]).decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    @staticmethod
    def encode(name: str, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        encoded = [text.encode() for text in texts]
        starts = np.concatenate(([0], np.cumsum([len(text) for text in encoded]))).astype(np.int64)
        return {f"{name}.text": np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{name}.starts": starts}

    @classmethod
    def decode(cls, name: str, arrays: Mapping[str, NDArray[Any]]) -> "TextColumn":
        return cls(arrays[f"{name}.text"], arrays[f"{name}.starts"])


@dataclass(frozen=True, slots=True)
class Version:
    """An opened version; `arrays` are mapped from the file, not copied. `report` is what training measured."""

    name: str
    catalogue: Catalogue
    arrays: Mapping[str, NDArray[Any]]
    report: Mapping[str, Any]


def write_version(
    directory: Path, catalogue: Catalogue, arrays: Mapping[str, NDArray[Any]], report: Mapping[str, Any], now: datetime
) -> Path:
    """Write a version beside the others and return its directory. It is not active yet.

    Its name is the UTC time and the beginning of the arrays' sha256. Raises ValueError if `report` is not JSON
    (NaN among it), OSError if the disk does not take it; neither leaves anything behind.
    """
    directory.mkdir(parents=True, exist_ok=True)
    beside = Path(mkdtemp(prefix=".writing-", dir=directory))
    try:
        beside.chmod(0o755)  # mkdtemp is for its owner alone; a version is for whoever may read the directory
        save_file({**_catalogue_arrays(catalogue), **_contiguous(arrays)}, beside / ARRAYS)
        sha256 = _sha256(beside / ARRAYS)
        name = f"{now:%Y%m%dT%H%M%SZ}-{sha256[:8]}"
        metadata = {
            "format": FORMAT,
            "format_number": FORMAT_NUMBER,
            "version": name,
            "created": now.isoformat(),
            "sha256": sha256,
            "features": list(FEATURES),
            "report": dict(report),
        }
        metadata["checksum"] = _checksum(metadata)
        text = json.dumps(metadata, ensure_ascii=False, indent=1, allow_nan=False)
        (beside / METADATA).write_text(text, encoding="utf-8")
        for file in (beside / ARRAYS, beside / METADATA):
            _flush(file)
        target = directory / name
        if target.exists():  # the same second, the same arrays
            _remove(target)
        beside.rename(target)
        return target
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def open_version(path: Path) -> Version:
    """Open a version's directory; its arrays' file is read once to check it, then mapped.

    Raises CheckpointError, with the reason, for a version that is missing, damaged, foreign or too new.
    """
    metadata = _metadata(path)
    try:
        if _sha256(path / ARRAYS) != metadata["sha256"]:
            raise CheckpointError(f"{path} is damaged: {ARRAYS} is not the file that {METADATA} describes")
        arrays = map_arrays(path / ARRAYS)
        required = dict(_REQUIRED)
        for branch, gate in zip(BRANCHES, arrays["gates"], strict=True):
            required |= _OF_BRANCH[branch.source] if gate > 0 else {}
        for name, dimensions in required.items():
            if name not in arrays or arrays[name].ndim != dimensions:
                raise CheckpointError(f"{path} is damaged: its array {name} is missing or of another shape")
        catalogue = _catalogue(arrays)
    except OSError as error:
        raise CheckpointError(f"{path / ARRAYS} cannot be read: {error.strerror}") from error
    except (SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(f"{path} is damaged: its arrays are not those of a model version") from error
    by_track = {
        "track_vectors": 0,
        "listeners": 0,
        "heard": 0,
        "history_embedding": 0,
        "track_units": 1,
        "sound_units": 1,
    }
    lengths = {arrays[name].shape[axis] for name, axis in by_track.items() if name in arrays}
    if lengths | {len(catalogue.features)} != {len(catalogue)}:
        raise CheckpointError(f"{path} is damaged: its arrays are not about the same tracks")
    return Version(path.name, catalogue, arrays, metadata["report"])


def map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a safetensors file, read-only views of one memory map: the system loads what is touched.

    `safe_open` checks the header (names, types, offsets without gaps); the offsets count from the end of the header.
    """
    with safe_open(path, framework="numpy") as file:
        names = set(file.keys())
    with path.open("rb") as raw:
        header_size = int.from_bytes(raw.read(8), "little")
        header = json.loads(raw.read(header_size))
    everything = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + header_size)
    arrays = {}
    for name in names:
        first, last = header[name]["data_offsets"]
        view = everything[first:last].view(_DTYPES[header[name]["dtype"]]).reshape(header[name]["shape"])
        arrays[name] = np.asarray(view)
    return arrays


_DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


def active_version(directory: Path) -> Path:
    """The version in use. Raises CheckpointError if there is none."""
    try:
        name = (directory / ACTIVE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{directory} holds no model yet: train one with `specrec train --model`") from error
    if directory / name not in versions(directory):
        raise CheckpointError(f"{directory / ACTIVE} names no version of {directory}: train again")
    return directory / name


def publish(version: Path, keep: int = KEPT_VERSIONS) -> None:
    """Make a version the active one, at once and wholly, and remove all but the newest `keep` (never the active)."""
    directory = version.parent
    pointer = directory / f".{ACTIVE}-{os.getpid()}"
    pointer.write_text(version.name + "\n", encoding="utf-8")
    _flush(pointer)
    pointer.replace(directory / ACTIVE)
    for old in versions(directory)[keep:]:
        if old != version:
            _remove(old)
    for left_over in directory.glob(".removing-*"):  # by a process that was killed meanwhile
        shutil.rmtree(left_over, ignore_errors=True)


def versions(directory: Path) -> list[Path]:
    """All versions, newest first: by name, which begins with the time."""
    return sorted((file.parent for file in directory.glob(f"[!.]*/{METADATA}")), reverse=True)


def _remove(version: Path) -> None:
    """Out of sight first, so that nobody ever sees half of it."""
    hidden = version.rename(version.with_name(f".removing-{version.name}"))
    shutil.rmtree(hidden)


def _metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads((path / METADATA).read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path} is no model version: {METADATA} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {METADATA} is not JSON") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a model of this program")
    number = metadata.get("format_number")
    if not isinstance(number, int) or number < 1:
        raise CheckpointError(f"{path} is damaged: {METADATA} has no format number")
    if number < FORMAT_NUMBER:
        raise CheckpointError(f"{path} was written by an older specrec (format {number}): train again")
    if number > FORMAT_NUMBER:
        raise CheckpointError(
            f"{path} was written by a newer specrec (format {number}; this one reads {FORMAT_NUMBER}): update it"
        )
    if not isinstance(metadata.get("sha256"), str) or not isinstance(metadata.get("report"), dict):
        raise CheckpointError(f"{path} is damaged: {METADATA} is not complete")
    if metadata.get("checksum") != _checksum(metadata):
        raise CheckpointError(f"{path} is damaged: {METADATA} is not as it was written")
    if metadata.get("features") != list(FEATURES):
        raise CheckpointError(f"{path} was trained on other audio features than this specrec knows: train again")
    return metadata


def _catalogue_arrays(catalogue: Catalogue) -> dict[str, NDArray[Any]]:
    return {
        **TextColumn.encode("tracks.id", catalogue.ids.ids),
        **TextColumn.encode("tracks.title", catalogue.titles),
        **TextColumn.encode("artists.name", catalogue.artists.ids),
        "tracks.artist_starts": catalogue.artist_starts,
        "tracks.artist_rows": catalogue.artist_rows,
        "tracks.features": catalogue.features,
    }


def _catalogue(arrays: Mapping[str, NDArray[Any]]) -> Catalogue:
    return Catalogue(
        Vocabulary(TextColumn.decode("tracks.id", arrays)),
        TextColumn.decode("tracks.title", arrays),
        Vocabulary(TextColumn.decode("artists.name", arrays)),
        arrays["tracks.artist_starts"],
        arrays["tracks.artist_rows"],
        arrays["tracks.features"],
    )


def _contiguous(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(array, order="C") for name, array in arrays.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(metadata: Mapping[str, Any]) -> str:
    """Over the values, whatever the layout of the text: a wrong digit in the report is as much a damage as any."""
    rest = {name: value for name, value in metadata.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _flush(path: Path) -> None:
    """Onto the disk, before a name points to it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
