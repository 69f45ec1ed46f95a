"""JSON read in pieces and in bounded memory: whatever a file holds, `ELEMENT_LIMIT` of it wait at most."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ijson

from bot.errors import FileRefusedError

ELEMENT_LIMIT = 256 * 1024  # characters of one element; a play takes less than 2,000
DEPTH_LIMIT = 16
PIECE = 1024  # bytes parsed at once. For each bracket the parser notes the whole way to it: depth costs its square
EVENT_LIMIT = 2_000  # parts of one element

Json = Any


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


SPACES = " \t\r\n"
_SPACES = re.compile(f"[{SPACES}]*")
_DECODER = json.JSONDecoder(parse_constant=_no_number)


def elements(chunks: Iterable[bytes]) -> Iterator[Json]:
    """The elements of a document that is one array. Raises `FileRefusedError`, at its end too: until then nothing that
    was yielded is certain. So does `entries`.

    The standard library's decoder reads one value from where it is told to, in a third of the time that a parser of
    events takes; a history has hundreds of thousands. A value counts once its end is there: 1 may become 12.
    """
    decoded = codecs.iterdecode(_opening_with(b"[", chunks), "utf-8")
    text, is_over = "", False
    with _translated():
        for more in decoded:
            text, at = text + more, 0  # text[at] is the bracket or the comma before the next value
            while not is_over and (start := _next(text, at + 1)) < len(text):
                if text[at] == "[" and text[start] == "]":
                    end = start
                else:
                    try:
                        value, end = _DECODER.raw_decode(text, start)
                    except json.JSONDecodeError:
                        break
                    end = _next(text, end)
                    if end == len(text) or text[end] not in ",]":
                        break
                    yield value
                at, is_over = end, text[end] == "]"
            text = text[at:]
            if is_over and len(text.rstrip(SPACES)) > 1:
                raise FileRefusedError("is damaged")
            if len(text) > ELEMENT_LIMIT:
                raise FileRefusedError("is damaged or holds something far too long for an entry")
        if not is_over:
            raise FileRefusedError("ends in the middle or is damaged")


def entries(chunks: Iterable[bytes], *prefixes: str) -> Iterator[tuple[str, Json]]:
    """Of a document that is one object: the values at `prefixes` ("tracks.item"), with their prefix, as they come."""
    events = ijson.sendable_list()
    parser = ijson.parse_coro(events, use_float=True)
    wanted = _Wanted(prefixes)
    waiting = 0
    with _translated():
        for piece in _pieces(_opening_with(b"{", chunks)):
            parser.send(piece)
            waiting = 0 if events else waiting + len(piece)
            if waiting > ELEMENT_LIMIT:
                raise FileRefusedError("holds something far too long for an entry")
            yield from wanted.take(events)
            events.clear()
        parser.close()
        yield from wanted.take(events)


class _Wanted:
    """Puts the values at some prefixes together, across chunks."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = frozenset(prefixes)
        self._builder: ijson.ObjectBuilder | None = None
        self._depth = 0
        self._start = 0  # the depth at which the value being built began
        self._events = 0

    def take(self, events: Iterable[tuple[str, str, Json]]) -> Iterator[tuple[str, Json]]:
        for prefix, event, value in events:
            if event in ("end_map", "end_array"):
                self._depth -= 1
            if self._builder is None and prefix in self._prefixes and event not in ("end_map", "end_array"):
                self._builder, self._start, self._events = ijson.ObjectBuilder(), self._depth, 0
            if self._builder is not None:
                self._builder.event(event, value)
                self._events += 1
            if event in ("start_map", "start_array"):
                self._depth += 1
            elif self._builder is not None and self._depth == self._start and event != "map_key":
                yield prefix, self._builder.value
                self._builder = None
            if self._depth > DEPTH_LIMIT or self._events > EVENT_LIMIT:
                raise FileRefusedError("is built in another way than Spotify's files")


def _opening_with(bracket: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, without a byte order mark; the document must open with `bracket`."""
    rest, head = iter(chunks), b""
    while len(head) < len(codecs.BOM_UTF8) or not _bare(head):
        chunk = next(rest, None)
        if chunk is None:
            break
        head += chunk
        if len(head) > ELEMENT_LIMIT and not _bare(head):
            raise FileRefusedError("holds nothing but spaces")
    opening = _bare(head)
    if not opening:
        raise FileRefusedError("is empty")
    if not opening.startswith(bracket):
        raise FileRefusedError("is not built like the file of that name from Spotify")
    yield opening
    yield from rest


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


def _bare(head: bytes) -> bytes:
    return head.removeprefix(codecs.BOM_UTF8).lstrip(SPACES.encode())


def _next(text: str, at: int) -> int:
    """Where the next character stands that is no space."""
    found = _SPACES.match(text, at)
    return found.end() if found is not None else at


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ijson.IncompleteJSONError as error:
        raise FileRefusedError("ends in the middle or is damaged") from error
    except (ijson.JSONError, ValueError, OverflowError, RecursionError) as error:  # ValueError: endless digits
        raise FileRefusedError("is damaged") from error
