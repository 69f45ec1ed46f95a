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
        entries, owners = self._entries(rows)
        return np.bincount(
            self.targets[entries], weights[owners] * self.weights[entries], minlength=len(self.starts) - 1
        ).astype(np.float64)

    def between(self, rows: Rows, targets: Rows) -> NDArray[np.float64]:
        """(rows, targets) the weights, 0 where there is no link. `targets` are distinct."""
        entries, owners = self._entries(rows)
        order = np.argsort(targets)
        places = np.minimum(np.searchsorted(targets[order], self.targets[entries]), len(targets) - 1)
        found = targets[order][places] == self.targets[entries]
        dense = np.zeros((len(rows), len(targets)))
        dense[owners[found], order[places[found]]] = self.weights[entries[found]]
        return dense

    def _entries(self, rows: Rows) -> tuple[Rows, Rows]:
        """Positions of all links of `rows`, and of which of them each is."""
        first, counts = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        owners = np.repeat(np.arange(len(rows)), counts)
        return np.arange(len(owners)) + np.repeat(first - (np.cumsum(counts) - counts), counts), owners
