"""The original's network and its two loops, without the work that never reaches a prediction.

The original's forward pass makes (batch, 1890, 18) numbers, sends all of them through five layers and keeps position
0. The other 1,889 outputs reach neither prediction nor gradient, and of its embeddings only rows 0 and 1 are ever
looked up; leaving both out changes no prediction and no weight that is used. What is left of a batch are at most four
different inputs: each goes through the network once.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from specrec.errors import TrainingError
from specrec.paper.steps import Encoding, Pairs, ScoreKind, network_input

FEATURE_SIZE = 9
TOLERANCE = 1e-8  # of the published accuracy

Activation = Literal["relu", "leaky relu", "tanh", "gelu"]
Loss = Literal["mse", "mae", "huber", "cross-entropy"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky relu": functional.leaky_relu,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
}
LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": lambda predicted, actual: functional.huber_loss(predicted, actual, delta=0.1),
    "cross-entropy": functional.binary_cross_entropy,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run goes. What has a default has the original's."""

    batch_size: int
    epochs: int
    learning_rate: float
    weight_decay: float
    hidden: tuple[int, ...] = (72, 56, 32, 16)
    activation: Activation = "relu"
    loss: Loss = "mse"
    encoding: Encoding = "one-hot"
    score: ScoreKind = "raw"
    shuffle: bool = False


BEST = Setting(batch_size=50, epochs=50, learning_rate=0.001, weight_decay=0.0005)
WORST = Setting(batch_size=512, epochs=20, learning_rate=0.1, weight_decay=0.0005)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: mean losses of its batches, and both readings of the accuracy (0-1) on the test rows."""

    train_loss: float
    test_loss: float
    accuracy_published: float
    accuracy_absolute: float


class SpotifyNet(nn.Module):
    """Two embeddings of nine numbers, put end to end (18), then 72, 56, 32, 16 and one output through a sigmoid."""

    def __init__(
        self,
        user_rows: int,
        track_rows: int,
        hidden: tuple[int, ...] = BEST.hidden,
        activation: Activation = BEST.activation,
    ) -> None:
        super().__init__()
        self.user_embed = nn.Embedding(user_rows, FEATURE_SIZE)
        self.track_embed = nn.Embedding(track_rows, FEATURE_SIZE)
        sizes = (2 * FEATURE_SIZE, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], 1)
        self.activation = ACTIVATIONS[activation]

    def forward(self, users: Tensor, tracks: Tensor) -> Tensor:
        """Predicted scores (batch,), 0-1, of rows of the two embeddings (batch,)."""
        x = torch.cat((self.user_embed(users), self.track_embed(tracks)), dim=-1)  # (batch, 18)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return torch.sigmoid(self.output(x)).squeeze(-1)


@dataclass(frozen=True, slots=True)
class Rows:
    """Pairs as the network takes them: rows of its two embeddings, and scores; all (rows,)."""

    users: Tensor
    tracks: Tensor
    scores: Tensor

    @classmethod
    def of(cls, pairs: Pairs, encoding: Encoding) -> "Rows":
        users, tracks = network_input(pairs.user_ids, encoding), network_input(pairs.track_ids, encoding)
        columns = users[pairs.users], tracks[pairs.tracks], pairs.scores
        return cls(*(torch.from_numpy(column) for column in columns))

    def batches(self, size: int, shuffle: bool = False) -> "Iterator[Batch]":
        """The rows in their order, or in one drawn anew, `size` at a time; the last batch may be smaller."""
        columns = (self.users, self.tracks, self.scores.float())
        if shuffle:
            order = torch.randperm(len(self.scores))
            columns = (columns[0][order], columns[1][order], columns[2][order])
        for users, tracks, scores in zip(*(_split(column, size) for column in columns), strict=True):
            yield Batch(*_distinct(users, tracks), scores)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: the distinct inputs among them, (inputs,) each, and for every row its input and its score, (rows,)."""

    users: Tensor
    tracks: Tensor
    place: Tensor
    scores: Tensor


def fit(
    train_pairs: Pairs, test_pairs: Pairs, setting: Setting, on_epoch: Callable[[int, Epoch], None]
) -> tuple[SpotifyNet, list[Epoch]]:
    """Train as the original did: Adam with weight decay on every parameter, rows always in the same order.

    The original also computes a falling learning rate in each epoch and hands it to nobody; nobody gets it here.
    Raises TrainingError when the loss stops being a number.
    """
    sizes = (2, 2) if setting.encoding == "one-hot" else (len(train_pairs.user_ids), len(train_pairs.track_ids))
    network = SpotifyNet(*sizes, setting.hidden, setting.activation)
    optimiser = torch.optim.Adam(
        network.parameters(), lr=setting.learning_rate, weight_decay=setting.weight_decay, fused=True
    )
    training, testing = Rows.of(train_pairs, setting.encoding), Rows.of(test_pairs, setting.encoding)
    epochs: list[Epoch] = []
    for number in range(1, setting.epochs + 1):
        if not epochs or setting.shuffle:
            batches = list(training.batches(setting.batch_size, setting.shuffle))
        train_loss = train_epoch(network, optimiser, batches, setting.loss)
        if not np.isfinite(train_loss):
            raise TrainingError(f"the loss stopped being a number in epoch {number}: lower the learning rate")
        epochs.append(measure(network, train_loss, testing, setting))
        on_epoch(number, epochs[-1])
    return network, epochs


def train_epoch(
    network: SpotifyNet, optimiser: torch.optim.Optimizer, batches: Iterable[Batch], loss_name: Loss
) -> float:
    """Once through the batches; returns the mean of their losses."""
    losses = []
    for batch in batches:
        optimiser.zero_grad()
        predicted = network(batch.users, batch.tracks)[batch.place]
        loss = LOSSES[loss_name](predicted, batch.scores)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def measure(network: SpotifyNet, train_loss: float, rows: Rows, setting: Setting) -> Epoch:
    """The test loss as the original means it (the mean over its batches), and both accuracies."""
    predicted = predict(network, rows)
    batches = zip(*(_split(column, setting.batch_size) for column in (predicted, rows.scores.float())), strict=True)
    loss = np.mean([float(LOSSES[setting.loss](*batch)) for batch in batches])
    difference = (predicted - rows.scores).numpy()
    return Epoch(train_loss, float(loss), accuracy_published(difference), accuracy_absolute(difference))


@torch.no_grad()
def predict(network: SpotifyNet, rows: Rows) -> Tensor:
    """Predicted scores (rows,). Each distinct input goes through the network once: equal inputs are equal exactly."""
    users, tracks, place = _distinct(rows.users, rows.tracks)
    predicted: Tensor = network(users, tracks)
    return predicted[place]


def accuracy_published(difference: NDArray[np.float64]) -> float:
    """The original's accuracy, 0-1: prediction less score at most 1e-8. Every under-estimate counts as right."""
    return float((difference <= TOLERANCE).mean())


def accuracy_absolute(difference: NDArray[np.float64], tolerance: float = TOLERANCE) -> float:
    """What was meant, 0-1: prediction and score at most `tolerance` apart."""
    return float((np.abs(difference) <= tolerance).mean())


def _distinct(users: Tensor, tracks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each input once, (inputs,) and (inputs,), and the place among them of every row, (rows,)."""
    inputs, place = torch.unique(torch.stack((users, tracks), dim=1), dim=0, return_inverse=True)
    return inputs[:, 0], inputs[:, 1], place


def _split(column: Tensor, size: int) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = column.split(size)  # type: ignore[no-untyped-call]
    return parts
