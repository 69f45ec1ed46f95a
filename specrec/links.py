"""Track-to-track weights, stored sparse: what the closed-form branches are made of. Serving needs numpy only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.features import Floats
from specrec.interactions import Rows


@dataclass(frozen=True, slots=True)
class Links:
    """(T, T) compressed by rows: track i speaks for `targets[starts[i]:starts[i + 1]]`, ascending, with `weights`."""

    starts: Rows  # (T + 1,)
    targets: NDArray[np.int32]
    weights: Floats

    @classmethod
    def of_arrays(cls, name: str, arrays: Mapping[str, NDArray[Any]]) -> "Links":
        return cls(arrays[f"{name}.starts"], arrays[f"{name}.targets"], arrays[f"{name}.weights"])

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """By the names under which a version holds them."""
        return {f"{name}.starts": self.starts, f"{name}.targets": self.targets, f"{name}.weights": self.weights}

    def follow(self, rows: Rows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,) what the tracks `rows`, each with its weight, say together: Σ weight · links of the row."""
        return self.of(rows).together(weights)

    def of(self, rows: Rows) -> "LinksOf":
        """All links of `rows`, one row after the other."""
        first, last = self.starts[rows], self.starts[rows + 1]
        parts = [slice(*part) for part in zip(first.tolist(), last.tolist(), strict=True)]
        none = slice(0, 0)
        return LinksOf(
            np.concatenate([self.targets[part] for part in (*parts, none)]),
            np.concatenate([self.weights[part] for part in (*parts, none)]),
            last - first,
            len(self.starts) - 1,
        )


@dataclass(frozen=True, slots=True)
class LinksOf:
    """Those of n tracks: `targets` and `weights` of the first, of the second, …; `counts` (n,) says how many each has
    to the `tracks` of the catalogue."""

    targets: NDArray[np.int32]
    weights: Floats
    counts: Rows
    tracks: int

    def together(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,) the sum of the links, times `weights` (n,)."""
        return np.bincount(self.targets, np.repeat(weights, self.counts) * self.weights, self.tracks).astype(
            np.float64, copy=False
        )

    def to(self, rows: Rows) -> NDArray[np.float64]:
        """(n, rows) the weights, 0 where there is no link. `rows` are distinct."""
        columns = np.full(self.tracks, -1, dtype=np.int32)
        columns[rows] = np.arange(len(rows))
        places = columns[self.targets]
        found = np.flatnonzero(places >= 0)
        owners = np.searchsorted(np.cumsum(self.counts), found, side="right")
        dense = np.zeros((len(self.counts), len(rows)))
        dense[owners, places[found]] = self.weights[found]
        return dense
