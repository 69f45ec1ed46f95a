"""specrec's own network as a model under study: fitted with its defaults, scoring many members at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from specrec.baselines.base import Predictions, Sample
from specrec.dataset import Dataset
from specrec.fitting import Schedule
from specrec.fusion import BRANCHES
from specrec.interactions import Histories
from specrec.ncf import NCF, Batch
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
        return NCFScorer(network.eval())


@dataclass(frozen=True, slots=True)
class NCFScorer:
    network: NCF

    def score(self, histories: csr_array) -> Predictions:
        ranking = np.zeros(histories.shape, dtype=np.float32)
        compatibility = np.zeros_like(ranking)
        for rows, batch, scaled in self._batches(histories):
            ranking[rows] = torch.einsum("bkt,k->bt", scaled, self.network.gates).cpu().numpy()
            with torch.no_grad():
                compatibility[rows] = self.network.compatibilities(batch).cpu().numpy()
        return Predictions(ranking, compatibility)

    def score_parts(self, histories: csr_array) -> dict[str, Predictions]:
        """Each branch alone, and the fusion without each source of branches; gates stay as they were found."""
        gates = self.network.gates
        parts = {f"{branch.name} alone": torch.eye(len(BRANCHES)).to(gates)[row] for row, branch in enumerate(BRANCHES)}
        for source in dict.fromkeys(branch.source for branch in BRANCHES):
            kept = torch.tensor([branch.source != source for branch in BRANCHES])
            parts[f"without {source}"] = gates * kept.to(gates)
        weights = torch.stack(list(parts.values()))  # (parts, branches)
        rankings = np.zeros((len(parts), *histories.shape), dtype=np.float32)
        for rows, _, scaled in self._batches(histories):
            rankings[:, rows] = torch.einsum("bkt,pk->pbt", scaled, weights).cpu().numpy()
        return {name: Predictions(ranking) for name, ranking in zip(parts, rankings, strict=True)}

    @torch.no_grad()
    def _batches(self, histories: csr_array) -> Iterator[tuple[slice, Batch, Tensor]]:
        """Rows of `histories`, the same as a batch, and their (rows, branches, T) scaled scores."""
        network = self.network
        members, tracks = histories.shape
        whole = Histories(histories.indptr.astype(np.int64), histories.indices.astype(np.int64), histories.data)
        values, known = network.values.cpu().numpy(), network.known.cpu().numpy()
        data = Dataset(whole, values, known, network.values.device)
        size = max(1, SCORES // tracks)
        for first in range(0, members, size):
            rows = slice(first, min(first + size, members))
            batch = data.batch(np.arange(rows.start, rows.stop))
            yield rows, batch, network.scaled(batch, network.branches(batch))
