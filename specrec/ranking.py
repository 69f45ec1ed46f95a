"""Top-k: which tracks make the list, and in which order."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specrec.interactions import Rows

ListKind = Literal["mix", "new", "familiar"]
NEW_SHARE = 0.6  # of a mixed list, at least


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
    order = np.argsort(-scores, kind="stable")
    order = order[(np.isfinite(scores) & ~excluded)[order]]
    order = order[~np.isin(order, placed)]
    picker = _Picker(artists_of, per_artist)
    for row in placed:
        picker.count(row)
    top -= len(placed)
    if kind == "new":
        picker.take(order[~known[order]], top)
    elif kind == "familiar":
        picker.take(order[known[order]], top)
    else:
        new_places = min(ceil(NEW_SHARE * top), max(top - 1, 1))
        picker.take(order[known[order]], min(1, top - new_places))
        picker.take(order[~known[order]], new_places)
        picker.take(order, top - len(picker.chosen))
    rank = {int(row): position for position, row in enumerate(order)}
    return [*sorted(picker.chosen, key=rank.__getitem__), *placed]


def best_of(
    scores: NDArray[np.floating],
    candidates: NDArray[np.bool_],
    artists_of: Callable[[int], Rows],
    *,
    top: int,
    per_artist: int = 2,
) -> list[int]:
    """The rows of at most `top` candidates with a score above 0, best first, by the same cap and with the same ties."""
    rows = np.flatnonzero(candidates & (scores > 0))
    picker = _Picker(artists_of, per_artist)
    picker.take(rows[np.argsort(-scores[rows], kind="stable")], top)
    return picker.chosen


class _Picker:
    """Takes tracks in the order given, as long as none of their artists is full."""

    def __init__(self, artists_of: Callable[[int], Rows], per_artist: int) -> None:
        self.chosen: list[int] = []
        self._artists_of = artists_of
        self._cap = per_artist
        self._count: dict[int, int] = {}

    def take(self, order: Rows, places: int) -> None:
        for row in order:
            if places <= 0:
                return
            names = [int(artist) for artist in self._artists_of(int(row))]
            if row in self.chosen or (self._cap and any(self._count.get(name, 0) >= self._cap for name in names)):
                continue
            self.chosen.append(int(row))
            self.count(int(row))
            places -= 1

    def count(self, row: int) -> None:
        """A track of these artists has a place."""
        for name in self._artists_of(row):
            self._count[int(name)] = self._count.get(int(name), 0) + 1
