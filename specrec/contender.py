"""specrec's own network as a model under study: fitted with its defaults, scoring many members at once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions, Sample
from specrec.dataset import Dataset
from specrec.fitting import Schedule
from specrec.fusion import BRANCHES
from specrec.interactions import Histories
from specrec.ncf import NCF
from specrec.progress import Progress, silent
from specrec.training import TrainingOptions, train

SCORES = 500_000  # of each branch at a time: 30 MB a copy


@dataclass(frozen=True, slots=True)
class NCFContender:
    """The network with one set of defaults for all data: there is nothing to tune."""

    seed: int = 0
    device: str = "auto"
    schedule: Schedule = field(default_factory=Schedule)
    on_progress: Callable[[Progress], None] = field(default=silent, compare=False)
    name: str = "ncf"

    def fit(self, sample: Sample) -> "NCFScorer":
        options = TrainingOptions(
            seed=self.seed,
            device=self.device,
            hold_out=False,  # what is measured on is held out by the study
            schedule=self.schedule,
            on_progress=self.on_progress,
        )
        network = train(sample.interactions, sample.catalogue, options=options).network
        return NCFScorer(network.eval(), network.gates.cpu().numpy())


@dataclass(frozen=True, slots=True)
class NCFScorer:
    network: NCF
    gates: NDArray[np.float64]
    """(branches,) in the place of the network's own."""
    with_compatibility: bool = True

    @torch.no_grad()
    def score(self, histories: csr_array) -> Predictions:
        network = self.network
        members, tracks = histories.shape
        whole = Histories(histories.indptr.astype(np.int64), histories.indices.astype(np.int64), histories.data)
        values, known = network.values.cpu().numpy(), network.known.cpu().numpy()
        data = Dataset(whole, values, known, network.values.device)
        gates = data.tensor(self.gates)
        ranking = np.zeros((members, tracks), dtype=np.float32)
        compatibility = np.zeros_like(ranking) if self.with_compatibility else None
        size = max(1, SCORES // tracks)
        for first in range(0, members, size):
            part = slice(first, first + size)
            batch = data.batch(np.arange(members)[part])
            scaled = network.scaled(batch, network.branches(batch))  # (B, branches, T)
            ranking[part] = torch.einsum("bkt,k->bt", scaled, gates).cpu().numpy()
            if compatibility is not None:
                compatibility[part] = network.compatibilities(batch).cpu().numpy()
        return Predictions(ranking, compatibility)

    def ablations(self) -> "dict[str, NCFScorer]":
        """Each branch alone, and the fusion without each source of branches; gates stay as they were found."""
        parts = {f"{branch.name} alone": np.eye(len(BRANCHES))[row] for row, branch in enumerate(BRANCHES)}
        for source in dict.fromkeys(branch.source for branch in BRANCHES):
            kept = np.array([branch.source != source for branch in BRANCHES])
            parts[f"without {source}"] = np.where(kept, self.gates, 0.0)
        return {name: replace(self, gates=gates, with_compatibility=False) for name, gates in parts.items()}
