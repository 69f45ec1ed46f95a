"""What the network trains on: one catalogue and the members' histories as tensors, cut into batches."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specrec.features import FEATURES, Floats, Mask
from specrec.interactions import Histories
from specrec.ncf import Batch


@dataclass(frozen=True, slots=True)
class Dataset:
    """Histories over a catalogue of T tracks; `values` and `known` (T, 9) are its standardised features."""

    histories: Histories
    values: Floats
    known: Mask
    device: torch.device

    def batch(self, members: NDArray[np.int64]) -> Batch:
        """The histories of some members, with the taste profile of each and that without each of its tracks."""
        starts, ends = self.histories.starts[members], self.histories.starts[members + 1]
        counts = ends - starts
        pairs = np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(counts.sum())
        owners = np.repeat(np.arange(len(members)), counts)
        tracks, weights = self.histories.tracks[pairs], self.histories.weights[pairs]
        shares = np.maximum(weights, 0.0)[:, None].astype(np.float64) * self.known[tracks]  # (P, 9)
        parts = shares * self.values[tracks]
        totals = _sum_by(owners, shares, len(members))
        sums = _sum_by(owners, parts, len(members))
        profiles, profiles_known = _means(sums, totals)
        without, without_known = _means(sums[owners] - parts, totals[owners] - shares)
        return Batch(
            self.tensor(owners),
            self.tensor(tracks),
            self.tensor(weights),
            self.tensor(profiles),
            self.tensor(profiles_known),
            self.tensor(without),
            self.tensor(without_known),
        )

    def tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _sum_by(owners: NDArray[np.int64], rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(owners, rows[:, i], count) for i in range(len(FEATURES))], axis=1)


def _means(sums: NDArray[np.float64], totals: NDArray[np.float64]) -> tuple[Floats, Mask]:
    known = totals > 1e-9
    means = np.where(known, sums, 0.0) / np.where(known, totals, 1.0)
    return means.astype(np.float32), known
