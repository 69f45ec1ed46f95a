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
        targets, links, counts = self._of(rows)
        return np.bincount(targets, np.repeat(weights, counts) * links, minlength=len(self.starts) - 1).astype(
            np.float64, copy=False
        )

    def between(self, rows: Rows, targets: Rows) -> NDArray[np.float64]:
        """(rows, targets) the weights, 0 where there is no link. `targets` are distinct."""
        linked, links, counts = self._of(rows)
        columns = np.full(len(self.starts) - 1, -1, dtype=np.int32)
        columns[targets] = np.arange(len(targets))
        found = np.flatnonzero(columns[linked] >= 0)
        dense = np.zeros((len(rows), len(targets)))
        dense[np.repeat(np.arange(len(rows)), counts)[found], columns[linked[found]]] = links[found]
        return dense

    def _of(self, rows: Rows) -> tuple[NDArray[np.int32], Floats, Rows]:
        """Targets and weights of all links of `rows`, one row after the other, and how many each has."""
        parts = [slice(self.starts[row], self.starts[row + 1]) for row in rows]
        none = slice(0, 0)
        targets = np.concatenate([self.targets[part] for part in (*parts, none)])
        weights = np.concatenate([self.weights[part] for part in (*parts, none)])
        return targets, weights, self.starts[rows + 1] - self.starts[rows]
