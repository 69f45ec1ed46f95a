"""What somebody uploaded, opened with care: a ZIP or one JSON file. Nothing is ever unpacked to a disk."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from bot.errors import FileRefusedError
from bot.imports.base import Item
from bot.imports.export import Form
from bot.spotify.records import text

MEGABYTE = 1_000_000
CHUNK = 64 * 1024
PART_LIMIT = 500 * MEGABYTE  # of one file, unpacked; Spotify's have about 13
TOTAL_LIMIT = 2_000 * MEGABYTE  # of all of an archive's files that are read: 2,700,000 plays
ENTRY_LIMIT = 5_000  # files in an archive, read or not
DIRECTORY_LIMIT = 2 * MEGABYTE  # the list of them, which is read at once
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
WHERE = "Download it again from Spotify's mail and upload it as it comes."
HOW = (
    'The right one is ordered at https://www.spotify.com/account/privacy as "Extended streaming history" (or '
    '"Account data"), and is uploaded as the ZIP that Spotify sends.'
)
NO_MUSIC = f"is not one of the files of Spotify's export that hold music. {HOW}"
_WRONG = re.compile(
    r"(?:userdata|identity|payments|searchqueries|inferences|follow)\.json|streaming_history_video.*", re.I
)


@dataclass(frozen=True, slots=True)
class Part:
    """One of Spotify's files inside an upload."""

    name: str  # without its folders
    form: Form
    items: Iterator[Item]


def parts(file: BinaryIO, name: str) -> Iterator[Part]:
    """The files that hold music, each to be read to its end before the next. `name` is what the upload is called.

    Raises `FileRefusedError` in words for the member, from here and from `items`: whatever is wrong with one file is
    wrong with the upload, and nothing of it may be used.
    """
    base = _base(name)
    file.seek(0)
    magic = file.read(6)
    if not magic:
        raise FileRefusedError(f"{shown(base)} is empty. {WHERE}")
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _archive(file, base)
        return
    if base.lower().endswith(".zip"):
        raise FileRefusedError(f"{shown(base)} is not a ZIP archive, although it is named like one. {WHERE}")
    if magic.startswith((b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        raise FileRefusedError(f"{shown(base)} is packed in another way than ZIP. {WHERE}")
    form = Form.of(base)
    if form is None:
        raise FileRefusedError(f"{shown(base)} {NO_MUSIC}")
    file.seek(0)
    yield _part(base, form, _bounded(iter(lambda: file.read(CHUNK), b""), [TOTAL_LIMIT]))


def check_name(name: str) -> None:
    """Before a byte of it came. Raises `FileRefusedError` for files that would be refused whatever is in them, with the
    words that follow the name."""
    base = _base(name)
    if not base.lower().endswith(".zip") and Form.of(base) is None:
        raise FileRefusedError(NO_MUSIC)


def _archive(file: BinaryIO, name: str) -> Iterator[Part]:
    try:
        _check_directory(file)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise FileRefusedError(f"{shown(name)} is cut short or damaged. {WHERE}") from error
    except _TooMuchError as error:
        raise FileRefusedError(f"{shown(name)} holds far more files than an export of Spotify. {HOW}") from error
    with archive:
        entries = archive.infolist()
        if any(_leads_outside(entry.filename) for entry in entries):
            raise FileRefusedError(
                f"{shown(name)} holds names that lead outside of it, so it is not from Spotify. {HOW}"
            )
        chosen = [(entry, form) for entry in entries if (form := _form(entry)) is not None]
        if not chosen:
            raise FileRefusedError(_wrong_package(name, entries))
        left = [TOTAL_LIMIT]
        for entry, form in chosen:
            if entry.flag_bits & 0x1:
                raise FileRefusedError(f"{shown(name)} is encrypted. Unpack it and upload it without a password.")
            if entry.compress_type not in METHODS:
                raise FileRefusedError(f"{shown(name)} is packed in an unusual way. {WHERE}")
            yield _part(f"{name}, {_base(entry.filename)}", form, _bounded(_unpacked(archive, entry), left))


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Never more than a chunk at a time, and no more than the entry announced; its checksum is compared at the end."""
    try:
        with archive.open(entry) as packed:
            while chunk := packed.read(CHUNK):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise FileRefusedError("is damaged") from error


def _part(name: str, form: Form, chunks: Iterator[bytes]) -> Part:
    def items() -> Iterator[Item]:
        try:
            yield from form.read(chunks)
        except FileRefusedError as error:
            raise FileRefusedError(f"{shown(name)} {error}. {WHERE}") from error

    return Part(name, form, items())


def _bounded(chunks: Iterator[bytes], left: list[int]) -> Iterator[bytes]:
    """`left` holds how many bytes may still come of the whole upload."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        left[0] -= len(chunk)
        if size > PART_LIMIT or left[0] < 0:
            raise FileRefusedError("unpacks to far more than an export of Spotify")
        yield chunk


def _form(entry: zipfile.ZipInfo) -> Form | None:
    path = entry.filename.replace("\\", "/")
    base = _base(path)
    if entry.is_dir() or base.startswith("._") or "__macosx" in path.lower().split("/"):
        return None
    return Form.of(base)


def _wrong_package(name: str, entries: list[zipfile.ZipInfo]) -> str:
    if any(_WRONG.fullmatch(_base(entry.filename)) for entry in entries):
        return f"{shown(name)} is an export of Spotify's, but without any of the files that hold music. {HOW}"
    return f"{shown(name)} is not an export of Spotify's: none of its files is one that is known. {HOW}"


def _leads_outside(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":")


def _base(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def shown(name: str) -> str:
    """A file's name as it is told: without its folders, on one line, not endless, its ending kept."""
    name = text(_base(name)) or "The file"
    return name if len(name) <= 100 else f"{name[:69]}…{name[-30:]}"


class _TooMuchError(Exception):
    pass


def _check_directory(file: BinaryIO) -> None:
    """`zipfile` reads an archive's whole list of files into memory: look at how long it is first."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 66_000))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("no end of the list of files")
    entries, size = struct.unpack_from("<HI", tail, at + 10)
    locator = tail[at - 20 : at] if at >= 20 else b""
    if locator.startswith(b"PK\x06\x07"):  # the longer form has its own numbers, which count
        file.seek(struct.unpack_from("<Q", locator, 8)[0])
        entries, size = struct.unpack_from("<QQ", file.read(56), 32)
    if entries > ENTRY_LIMIT or size > DIRECTORY_LIMIT:
        raise _TooMuchError
    file.seek(0)
