"""specrec's own network as a model under study: fitted with its defaults, scoring many members at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from specrec.baselines.base import Predictions, Sample
from specrec.dataset import Dataset
from specrec.features import Floats
from specrec.fitting import Schedule
from specrec.fusion import BRANCHES
from specrec.interactions import Histories
from specrec.ncf import NCF, Batch
from specrec.progress import Progress, silent
from specrec.training import TrainingOptions, train

SCORES = 1_000_000  # of each branch at a time: 4 MB a copy


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
            half_life_days=sample.half_life_days,
            on_progress=self.on_progress,
        )
        network = train(sample.interactions, sample.catalogue, options=options).network
        return NCFScorer(network.eval())


@dataclass(frozen=True, slots=True)
class NCFScorer:
    network: NCF

    def score(self, histories: csr_array) -> Predictions:
        return Predictions(
            self._all(histories, lambda batch: self.network.ranking(batch, torch.float)),
            lambda: self._all(histories, self.network.compatibilities),
        )

    def _all(self, histories: csr_array, of: Callable[[Batch], Tensor]) -> Floats:
        """(members, T) from (B, T) of each batch. A thread takes a batch, and torch no more than that one: between its
        products, half of the work is numpy's, which would leave torch's threads waiting."""
        found = np.zeros(histories.shape, dtype=np.float32)

        def score(part: tuple[slice, Batch]) -> None:
            with torch.no_grad():
                found[part[0]] = of(part[1]).cpu().numpy()

        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for _ in pool.map(score, self._batches(histories)):
                    pass
        finally:
            torch.set_num_threads(threads)  # MKL has one number for all threads
        return found

    def score_parts(self, histories: csr_array) -> dict[str, Predictions]:
        """Each branch alone, and the fusion without each source of branches; gates stay as they were found."""
        names = [f"{branch.name} alone" for branch in BRANCHES]
        sources = list(dict.fromkeys(branch.source for branch in BRANCHES))
        gates = self.network.gates.cpu().numpy()
        kept = np.array([[branch.source != source for branch in BRANCHES] for source in sources])
        alone = np.zeros((len(BRANCHES), *histories.shape), dtype=np.float32)
        for rows, batch in self._batches(histories):
            alone[:, rows] = self._score_alone(batch)
        without = np.tensordot((kept * gates).astype(np.float32), alone, axes=1)  # (sources, members, T)
        names += [f"without {source}" for source in sources]
        return {name: Predictions(ranking) for name, ranking in zip(names, [*alone, *without], strict=True)}

    def _batches(self, histories: csr_array) -> Iterator[tuple[slice, Batch]]:
        """Rows of `histories`, and the same as a batch."""
        network = self.network
        members, tracks = histories.shape
        whole = Histories(histories.indptr.astype(np.int64), histories.indices.astype(np.int64), histories.data)
        data = Dataset(whole, network.values.cpu().numpy(), network.known.cpu().numpy(), network.values.device)
        size = max(1, SCORES // tracks)
        for first in range(0, members, size):
            rows = slice(first, min(first + size, members))
            yield rows, data.batch(np.arange(rows.start, rows.stop))

    @torch.no_grad()
    def _score_alone(self, batch: Batch) -> Floats:
        """(branches, B, T) as if each branch had the only gate, of 1."""
        gates = self.network.gates
        found = gates.clone()
        try:
            rankings = []
            for row in range(len(BRANCHES)):
                gates.zero_()[row] = 1.0
                rankings.append(self.network.ranking(batch, torch.float).cpu().numpy())
            return np.stack(rankings)
        finally:
            gates.copy_(found)
