"""The cells of one file as stripped text, each with the line it came from, so that a bad one can be named."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from specrec.errors import TableError
from specrec.features import FEATURES
from specrec.interactions import KINDS, Kind

ORIGINAL_KINDS = (Kind.PLAYLIST, Kind.SAVED, Kind.RECENTLY_PLAYED, Kind.FOLLOWED_ARTIST)
ORIGINAL_COLUMNS = ("user_id", "track_id", "name", "artist", *FEATURES, *(kind.value for kind in ORIGINAL_KINDS))
LATEST = 253_402_300_799  # seconds since 1970: the end of the year 9999
_OTHER_SPACES = re.compile(r"[^\S\n ]")
_PADDED = re.compile(r"[^\S\n](?:[,\"\n]|\Z)|(?:\A|[,\"\n])[^\S\n]")  # spaces around a cell, or a cell of spaces
KIND_ROWS = {kind.value: row for row, kind in enumerate(KINDS)}


class Table:
    """The cells of a file as stripped text, and where each came from."""

    def __init__(
        self, path: Path, cells: pd.DataFrame, lines: NDArray[np.int64], header_line: int, is_original: bool
    ) -> None:
        """`lines` (rows,): the line of the file on which each row begins."""
        self.path = path
        self.cells = cells
        self.is_original = is_original
        self._lines = lines
        self._header_line = header_line

    @classmethod
    def read(cls, path: Path) -> "Table":
        return cls.of(path, _text(path), 0)

    @classmethod
    def of(cls, path: Path, text: str, before: int) -> "Table":
        """`before`: lines of the file that come before the text."""
        cells, lines = _parse(path, text, before)
        first, second = (_data_cells(cells.iloc[row]) if len(cells) > row else 0 for row in (0, 1))
        has_header = first == 0
        header = [name.lower() for name in cells.iloc[0]]
        is_original = cells.shape[1] == len(ORIGINAL_COLUMNS) and (first or second) > len(FEATURES) // 2
        if is_original and has_header and {"user_id", "track_id"} & set(header):
            is_original = header == list(ORIGINAL_COLUMNS)  # a header that names its columns is believed
        if is_original:
            names = list(ORIGINAL_COLUMNS)
        else:
            has_header = True
            names = header
            for name in names:
                if name and names.count(name) > 1:
                    raise TableError(f"{path}, line {lines[0]}: the column {name} stands there twice; expected it once")
        skipped, header_line = (1 if has_header else 0), int(lines[0])
        cells = cells.iloc[skipped:]
        lines = lines[skipped:]
        cells.columns = pd.Index(names)
        if not len(cells):
            raise TableError(f"{path} holds no rows: expected at least one below its header")
        return cls(path, cells, lines, header_line, is_original)

    def __len__(self) -> int:
        return len(self.cells)

    def require(self, *columns: str) -> None:
        for column in columns:
            if column not in self.cells:
                raise TableError(
                    f"{self.path}, line {self._header_line}: the column {column} is missing; "
                    f"expected a header with {', '.join(columns)}"
                )

    def texts(self, column: str) -> list[str]:
        """The cells; "" for all where the column is missing."""
        cells: list[str] = self._cells(column).tolist()
        return cells

    def ids(self, column: str) -> list[str]:
        cells = self._cells(column)
        self._check(column, (cells != "").to_numpy(dtype=bool), "an id")
        ids: list[str] = cells.tolist()
        return ids

    def numbers(
        self,
        column: str,
        default: float,
        expected: str,
        *,
        above: float = -np.inf,
        low: float = -np.inf,
        high: float = np.inf,
        may_be_empty: bool = True,
    ) -> NDArray[np.float64]:
        """Finite numbers; `default` where the cell or the whole column is empty, unless that is refused."""
        cells = self._cells(column)
        empty = (cells == "").to_numpy(dtype=bool)
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        good = np.isfinite(numbers) & (numbers > above) & (numbers >= low) & (numbers <= high)
        self._check(column, good | (empty & may_be_empty), expected)
        return np.where(empty, default, numbers)

    def timestamps(self, column: str) -> NDArray[np.float64]:
        """Seconds since 1970, NaN where empty."""
        cells = self._cells(column)
        empty = (cells == "").to_numpy(dtype=bool)
        numbers = pd.to_numeric(cells, errors="coerce")
        seconds = numbers.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)  # pandas' own array is read-only
        dates = np.isnan(seconds) & ~empty
        if dates.any():
            parsed = pd.to_datetime(cells[dates], errors="coerce", utc=True, format="ISO8601")
            seconds[dates] = ((parsed - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy()
        self._check(
            column,
            empty | ((seconds >= 0) & (seconds <= LATEST)),
            "an ISO 8601 date from 1970 on, seconds since 1970, or nothing",
        )
        return seconds

    def kinds(self, column: str) -> NDArray[np.int8]:
        """Positions in KINDS; INTERACTION where the cell or the whole column is empty."""
        cells = self._cells(column).str.lower()
        rows = cells.where(cells != "", Kind.INTERACTION.value).map(KIND_ROWS)
        self._check(column, rows.notna().to_numpy(dtype=bool), f"one of {', '.join(KIND_ROWS)}, or nothing")
        return rows.to_numpy().astype(np.int8)

    def booleans(self, column: str) -> NDArray[np.bool_]:
        cells = self._cells(column).str.lower()
        true = cells.isin(("true", "1")).to_numpy(dtype=bool)
        self._check(column, true | cells.isin(("false", "0")).to_numpy(dtype=bool), "True or False")
        return true

    def _cells(self, column: str) -> "pd.Series[str]":
        if column in self.cells:
            return self.cells[column]
        return pd.Series("", index=self.cells.index, dtype=str)

    def _check(self, column: str, good: NDArray[np.bool_], expected: str) -> None:
        if not good.all():
            row = int((~good).argmax())
            found = self._cells(column).iloc[row]
            found = repr(found if len(found) <= 40 else found[:39] + "…") if found else "an empty cell"
            raise TableError(
                f"{self.path}, line {self._lines[row]}, column {column}: expected {expected}, found {found}"
            )


def _text(path: Path) -> str:
    """The whole file, unpacked and decoded."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error
    is_gzip = raw[:2] == b"\x1f\x8b"
    if path.suffix == ".gz" and not is_gzip:
        raise TableError(f"{path} is not a gzip file, although it is named like one: pack it or rename it")
    if is_gzip:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{path} is a damaged gzip file: fetch or pack it again") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise TableError(
            f"{path}, line {line}: expected UTF-8 text, found the byte 0x{raw[error.start]:02x}"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise TableError(f"{path}, line {line}: expected UTF-8 text, found a zero byte")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parts(path: Path, rows: int) -> Iterator[tuple[str, int]]:
    """The file in texts of about `rows` rows, cut between rows, each below the file's header; and how many lines of the
    file come before each, the repeated header counted with it."""
    number, header, begun, lines, is_open = 0, "", 0, [], False
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise TableError(f"{path}, line {number}: expected UTF-8 text, found a zero byte")
                if not header and not line.strip(" \t\r\n"):
                    continue
                if not header:
                    header, begun = line, number
                    continue
                lines.append(line)
                is_open ^= line.count('"') % 2 == 1  # a cell that goes on in the next line
                if len(lines) >= rows and not is_open:
                    yield header + "".join(lines), begun - 1
                    begun, lines = number, []
    except UnicodeDecodeError as error:
        raise TableError(f"{path}, line {number + 1} or a little later: expected UTF-8 text") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TableError(f"{path} is a damaged gzip file: fetch or pack it again") from error
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error
    if lines or number == 0 or begun <= 1:
        yield header + "".join(lines), max(0, begun - 1)


def _opened(path: Path) -> TextIO:
    """Unpacked and decoded, with line ends of any kind."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if path.suffix == ".gz" and not packed:
        raise TableError(f"{path} is not a gzip file, although it is named like one: pack it or rename it")
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _parse(path: Path, text: str, already: int = 0) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """All rows but blank ones as stripped text, and the line on which each begins. `already`: lines before the text."""
    body = text.lstrip("\n\t ")
    empty = TableError(f"{path} is empty: expected a header and at least one row")
    if not body:
        raise empty
    before = already + text[: len(text) - len(body)].count("\n")
    try:
        cells = pd.read_csv(
            StringIO(body), header=None, dtype=str, keep_default_na=False, skip_blank_lines=False, engine="c"
        )
    except pd.errors.ParserError as error:
        raise _parser_error(path, before, str(error)) from error
    _check_lengths(path, body, before, cells)
    lines = before + 1 + np.arange(len(cells))
    if '"' in body:  # else no cell goes on in the next line
        inner = cells.apply(lambda column: column.str.count("\n")).sum(axis=1).to_numpy(dtype=np.int64)
        lines += np.concatenate(([0], np.cumsum(inner)[:-1]))
    if _is_padded(body):
        cells = cells.apply(lambda column: column.str.strip())
    blank = (cells == "").all(axis=1).to_numpy(dtype=bool)
    if blank.all():
        raise empty
    return cells[~blank].reset_index(drop=True), lines[~blank]


def _is_padded(body: str) -> bool:
    """As `_PADDED` finds it, in a fifth of the time where no spaces but the usual ones stand in a file."""
    if _OTHER_SPACES.search(body) is not None:
        return _PADDED.search(body) is not None
    inner = any(pair in body for pair in (" ,", ", ", ' "', '" ', " \n", "\n "))
    return inner or body.startswith(" ") or body.endswith(" ")


def _check_lengths(path: Path, body: str, before: int, cells: pd.DataFrame) -> None:
    """pandas refuses a row that is too long, but fills up one that is too short, which may have been cut off."""
    width = cells.shape[1]
    if not (cells[width - 1] == "").any():
        return
    reader = csv.reader(StringIO(body))
    line = before + 1
    try:
        for row in reader:
            if len(row) < width and any(cell.strip() for cell in row):
                raise TableError(f"{path}, line {line}: expected {width} columns, found {len(row)}")
            line = before + 1 + reader.line_num
    except csv.Error as error:
        raise TableError(f"{path}, line {line}: expected shorter cells ({error})") from error


def _parser_error(path: Path, before: int, message: str) -> TableError:
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message):
        wanted, line, seen = (int(number) for number in found.groups())
        return TableError(f"{path}, line {before + line}: expected {wanted} columns, found {seen}")
    if found := re.search(r"EOF inside string starting at row (\d+)", message):
        line = before + int(found[1]) + 1
        return TableError(f"{path}, line {line}: expected a closing quotation mark, found the end of the file")
    return TableError(f"{path} is not a CSV file that can be read: {message.strip()}")


def _data_cells(row: "pd.Series[str]") -> int:
    """How many of the nine feature cells and four True/False cells of an original row look the part."""
    cells = row.fillna("").tolist()
    numbers = pd.to_numeric(pd.Series(cells[4:13], dtype=str), errors="coerce").notna().sum()
    return int(numbers) + sum(cell.lower() in ("true", "false") for cell in cells[13:17])
