"""Top-k: which tracks make the list, and in which order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from math import ceil
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from specrec.interactions import Rows

ListKind = Literal["mix", "new", "familiar"]
NEW_SHARE = 0.6  # of a mixed list, at least
FRONT = 500  # tracks
STRIP = 64
Number = TypeVar("Number", bound=np.floating)


def top_k(
    scores: NDArray[np.floating],
    known: NDArray[np.bool_],
    excluded: NDArray[np.bool_],
    artists_of: Callable[[int], Rows],
    *,
    top: int = 10,
    kind: ListKind = "mix",
    per_artist: int = 2,
    placed: Sequence[int] = (),
) -> list[int]:
    """The rows of the best tracks, best first. `scores`, `known`, and `excluded` are (tracks,).

    - Excluded tracks (disliked ones) and tracks without a finite score never appear.
    - Ties go to the lower row; rows are in the order of the ids, so the same tie always falls the same way.
    - `new` lists only unknown tracks, `familiar` only known ones.
    - `mix` has at least one known track and at least ⌈0.6 top⌉ new ones; the remaining places go by score. A list of
      two has one of each; a list of one is new.
    - At most `per_artist` tracks share an artist (0: no cap; tracks without a named artist are never capped).
    - `placed` rows have their places already, fewer than `top`: they come last, count for the cap, and the rest of the
      list is as if it were so much shorter.
    - Too few tracks: a mixed list fills the places of the missing side from the other side. The cap holds even then,
      and `new` and `familiar` keep their word: the list gets shorter instead, down to an empty one.
    """
    if top < 1:
        raise ValueError("a list has at least one place")
    listable = np.isfinite(scores) & ~excluded
    listable[list(placed)] = False
    new, familiar = (_best_first(scores, np.flatnonzero(listable & side)) for side in (~known, known))
    picker = _Picker(artists_of, per_artist)
    for row in placed:
        picker.count(row)
    top -= len(placed)
    if kind == "new":
        picker.take(new, top)
    elif kind == "familiar":
        picker.take(familiar, top)
    else:
        new_places = min(ceil(NEW_SHARE * top), max(top - 1, 1))
        picker.take(familiar, min(1, top - new_places))
        picker.take(new, new_places)
        picker.take(merge(new, familiar, key=lambda row: (-scores[row], row)), top - len(picker.chosen))
    return [*sorted(picker.chosen, key=lambda row: (-scores[row], row)), *placed]


def best_of(
    scores: NDArray[np.floating],
    candidates: NDArray[np.bool_],
    artists_of: Callable[[int], Rows],
    *,
    top: int,
    per_artist: int = 2,
) -> list[int]:
    """The rows of at most `top` candidates with a finite score, best first, by the same cap and with the same ties."""
    picker = _Picker(artists_of, per_artist)
    picker.take(_best_first(scores, np.flatnonzero(candidates & np.isfinite(scores))), top)
    return picker.chosen


def largest(values: NDArray[Number], count: int) -> NDArray[Number]:
    """The `count` largest of (n,) values, in no order; all where there are no more.

    The maxima of strips bound the smallest of them from below, so that few values are left to be sorted.
    """
    if len(values) <= count:
        return values
    strips = len(values) // STRIP
    if strips > count:
        maxima = values[: strips * STRIP].reshape(STRIP, strips).max(axis=0)
        values = values[values >= np.partition(maxima, -count)[-count]]
    return np.partition(values, -count)[-count:]


def _best_first(scores: NDArray[np.floating], rows: Rows) -> Iterator[int]:
    """`rows` (ascending) by score, the largest first and the lower row first. The front is sorted alone: few lists need
    more than that."""
    if len(rows) > FRONT:
        bound = largest(scores[rows], FRONT).min()
        front = rows[scores[rows] >= bound]
        yield from front[np.argsort(-scores[front], kind="stable")].tolist()
        rows = rows[scores[rows] < bound]
    yield from rows[np.argsort(-scores[rows], kind="stable")].tolist()


class _Picker:
    """Takes tracks in the order given, as long as none of their artists is full."""

    def __init__(self, artists_of: Callable[[int], Rows], per_artist: int) -> None:
        self.chosen: list[int] = []
        self._artists_of = artists_of
        self._cap = per_artist
        self._count: dict[int, int] = {}

    def take(self, order: Iterable[int], places: int) -> None:
        if places <= 0:
            return
        for row in order:
            names = self._artists_of(row).tolist()
            if self._cap and any(self._count.get(name, 0) >= self._cap for name in names):
                continue
            self.chosen.append(row)
            self.count(row)
            places -= 1
            if not places:
                return

    def count(self, row: int) -> None:
        """A track of these artists has a place."""
        for name in self._artists_of(row):
            self._count[int(name)] = self._count.get(int(name), 0) + 1
