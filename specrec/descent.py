"""How the deep branch's weights move: Adam with decoupled decay, and a running average of the weights that is kept."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

DENSE_SWEEP, SPARSE_SWEEP = 4, 20


class Descent:
    """`tables` are the tracks' embeddings, which decay, `plain` the rest.

    Where a step touches a small part of a large catalogue (`sparse`), Adam moves the rows that it touches alone; what
    concerns all rows, the decay and the average, is done for several steps at once.
    """

    def __init__(
        self,
        tables: list[nn.Parameter],
        plain: list[nn.Parameter],
        *,
        learning_rate: float,
        weight_decay: float,
        average: float,
        sparse: bool,
    ) -> None:
        self._tables = tables
        self._rate = learning_rate
        self._decay = weight_decay if sparse else 0.0
        self._average = average
        self._sweep = SPARSE_SWEEP if sparse else DENSE_SWEEP
        self._trained = [*tables, *plain]
        self._mean = [parameter.detach().clone() for parameter in self._trained]
        # one fused pass over tables that may be gigabytes
        dense = [{"params": plain, "weight_decay": 0.0}]
        if not sparse:
            dense.append({"params": tables, "weight_decay": weight_decay})
        self._optimisers: list[torch.optim.Optimizer] = [torch.optim.AdamW(dense, lr=learning_rate, fused=True)]
        if sparse:
            self._optimisers.append(torch.optim.SparseAdam(tables, lr=learning_rate))

    def step(self, loss: Tensor, number: int, share: float) -> None:
        """Step `number`, from 1 on, with this share of the learning rate."""
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self._rate * share
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in self._optimisers:
            optimiser.step()
        if number % self._sweep == 0:
            self._sweep_all(number)

    @torch.no_grad()
    def _sweep_all(self, number: int) -> None:
        for table in self._tables:
            table.mul_((1 - self._rate * self._decay) ** self._sweep)
        kept = min(self._average, number / (number + 10)) ** self._sweep
        for mean, parameter in zip(self._mean, self._trained, strict=True):
            mean.lerp_(parameter, 1 - kept)

    def averaged(self) -> list[Tensor]:
        """A copy of the averages."""
        return [mean.clone() for mean in self._mean]

    @torch.no_grad()
    def settle(self, values: list[Tensor]) -> None:
        """Give the weights these values."""
        for parameter, value in zip(self._trained, values, strict=True):
            parameter.copy_(value)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """The averages in the place of the weights, for as long as it takes."""
        kept = [parameter.detach().clone() for parameter in self._trained]
        self.settle(self._mean)
        try:
            yield
        finally:
            self.settle(kept)
