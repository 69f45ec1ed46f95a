"""JSON read in pieces and in bounded memory: whatever a file holds, `ELEMENT_LIMIT` bytes of it wait at most."""

import codecs
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ijson

from bot.errors import FileRefusedError

ELEMENT_LIMIT = 256 * 1024  # bytes of one element; a play takes less than 2,000
DEPTH_LIMIT = 16
OPENINGS_LIMIT = 100  # brackets that may open, in texts too, before an element is whole; a play has one
PIECE = 1024  # bytes parsed at once. For each bracket the parser notes the whole way to it: depth costs its square
EVENT_LIMIT = 2_000  # parts of one element

Json = Any


def elements(chunks: Iterable[bytes]) -> Iterator[Json]:
    """The elements of a document that is one array. Raises `FileRefusedError`, at its end too: until then nothing that
    was yielded is certain. So does `entries`."""
    found = ijson.sendable_list()
    parser = ijson.items_coro(found, "item", use_float=True)
    waiting = openings = 0
    with _translated():
        for piece in _pieces(_opening_with(b"[", chunks)):
            parser.send(piece)
            waiting = 0 if found else waiting + len(piece)
            openings = 0 if found else openings + piece.count(b"[") + piece.count(b"{")
            if waiting > ELEMENT_LIMIT:
                raise FileRefusedError("holds something far too long for an entry")
            if openings > OPENINGS_LIMIT:
                raise FileRefusedError("is built in another way than Spotify's files")
            yield from found
            found.clear()
        parser.close()
        yield from found


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
    return head.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ijson.IncompleteJSONError as error:
        raise FileRefusedError("ends in the middle or is damaged") from error
    except (ijson.JSONError, ValueError, OverflowError, RecursionError) as error:  # ValueError: endless digits
        raise FileRefusedError("is damaged") from error
