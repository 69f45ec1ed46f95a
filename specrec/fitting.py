"""The two training loops: the compatibility head first, then the ranking, which takes the head as it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specrec.compatibility import compatibility
from specrec.dataset import Dataset
from specrec.errors import TrainingError
from specrec.features import Floats, Mask
from specrec.interactions import Histories
from specrec.ncf import NCF
from specrec.taste import TasteProfile

OnStep = Callable[[float, int, float], None]  # share of the loop that is done, step, loss


@dataclass(frozen=True, slots=True)
class Schedule:
    """How both loops go."""

    batch_members: int = 256
    batch_scores: int = 4_000_000
    """Members × tracks of one batch, at most: bounds the memory."""
    learning_rate: float = 4e-3
    gate_learning_rate: float = 5e-2
    weight_decay: float = 0.3
    warm_up_steps: int = 20
    average: float = 0.98
    """Decay of the running average of the weights, which is what is kept."""
    max_steps: int = 400
    check_every: int = 40
    """Steps between two looks at the interactions held out for stopping."""
    patience: int = 3
    """Looks without improvement after which training stops."""
    compatibility_steps: int = 1_200
    compatibility_pairs: int = 1_024
    """Pairs of profile and track in each step of the compatibility head."""


def fit_compatibility(
    network: NCF,
    data: Dataset,
    hidden_pairs: NDArray[np.int64],
    schedule: Schedule,
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    """Teach the audio towers the compatibility score on pairs of profile and track.

    Half of the profiles are members' own; the others are means of a few tracks drawn at random, so that a member whom
    training has not seen is no surprise. `hidden_pairs` (member · T + track, ascending) are never drawn. Without any
    known feature there is nothing to learn, and the head stays as it is.
    """
    tracks = np.flatnonzero(data.known.any(axis=1))
    if not len(tracks):
        return
    members = np.flatnonzero(np.diff(data.histories.starts))
    own_values, own_known = _profiles(data, members, schedule.batch_members)
    parameters = [*network.profile_tower.parameters(), *network.track_tower.parameters(), network.distance_bias]
    optimiser = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=1e-4)
    half = schedule.compatibility_pairs // 2
    for step in range(schedule.compatibility_steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * (0.5 + 0.5 * cos(pi * step / schedule.compatibility_steps))
        chosen = rng.integers(len(members), size=half)
        mixed_values, mixed_known = _mixed_profiles(data, tracks, half, rng)
        drawn = tracks[rng.integers(len(tracks), size=2 * half)]
        profile = TasteProfile(
            np.concatenate((own_values[chosen], mixed_values)), np.concatenate((own_known[chosen], mixed_known))
        )
        target = compatibility(profile, data.values[drawn], data.known[drawn])
        usable = target > 0  # a pair without a feature in common has no score to learn
        usable[:half] &= ~_contains(hidden_pairs, members[chosen] * len(data.values) + drawn[:half])
        predicted = network.compatibility(
            network.profile_tower(data.tensor(profile.values), data.tensor(profile.known)),
            network.track_tower(data.tensor(data.values[drawn]), data.tensor(data.known[drawn])),
        )
        mask = data.tensor(usable)
        loss = ((predicted - data.tensor(target)).square() * mask).sum() / mask.sum().clamp(min=1)
        _step(optimiser, loss, "compatibility head")
        on_step((step + 1) / schedule.compatibility_steps, step + 1, loss.item())
    with torch.no_grad():
        predicted_all = predicted[mask]
        if len(predicted_all):
            network.compatibility_centre.fill_(float(predicted_all.mean()))


def fit_ranking(
    network: NCF,
    data: Dataset,
    stopping: Histories,
    schedule: Schedule,
    rng: np.random.Generator,
    on_step: OnStep,
) -> int:
    """Teach the ranking by full softmax over the catalogue; returns the number of steps that was kept.

    Each member's own tracks are the targets, each weighing 1 / √n. Every `check_every` steps the averaged weights are
    tried on `stopping` (interactions held out from `data`); the best ones are kept. Without any, half the steps
    are made and the last weights kept.
    """
    targets = data.histories.keep(data.histories.weights > 0)
    members = np.flatnonzero(np.diff(targets.starts))
    size = max(1, min(schedule.batch_members, schedule.batch_scores // len(data.values)))
    judged = np.flatnonzero(np.diff(stopping.starts))
    gates = [network.artist_gate, network.audio_gate]
    tables = [network.history_embedding, network.track_embedding]
    plain = [network.track_bias, network.hidden_bias]
    optimiser = torch.optim.AdamW(
        [
            {"params": tables, "lr": schedule.learning_rate, "weight_decay": schedule.weight_decay},
            {"params": plain, "lr": schedule.learning_rate, "weight_decay": 0.0},
            {"params": gates, "lr": schedule.gate_learning_rate, "weight_decay": 0.0},
        ]
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    trained = [*tables, *plain, *gates]
    average = [parameter.detach().clone() for parameter in trained]
    best, best_average, best_step = -1.0, average, 0
    steps = schedule.max_steps if len(judged) else schedule.max_steps // 2
    for step, chosen in enumerate(_batches(members, size, rng), start=1):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, step / schedule.warm_up_steps)
        network.train()
        batch = data.batch(chosen)
        with torch.no_grad():
            compatibilities = network.compatibilities(batch)
        chances = torch.log_softmax(network.ranking(batch, compatibilities), dim=-1)
        liked = batch.weights > 0
        counts = torch.bincount(batch.members[liked], minlength=batch.size)
        gains = chances[batch.members[liked], batch.tracks[liked]] / counts.sqrt()[batch.members[liked]]
        loss = -gains.sum() / batch.size
        _step(optimiser, loss, "ranking")
        with torch.no_grad():
            decay = min(schedule.average, step / (step + 10))
            for mean, parameter in zip(average, trained, strict=True):
                mean.lerp_(parameter, 1 - decay)
        on_step(step / steps, step, loss.item())
        if len(judged) and step % schedule.check_every == 0:
            quality = _quality(network, data, stopping, judged[:2_000], trained, average, size)
            if quality > best:
                best, best_average, best_step = quality, [mean.clone() for mean in average], step
            elif step - best_step >= schedule.patience * schedule.check_every:
                break
        if step == steps:
            break
    if not len(judged):
        best_step = step
    with torch.no_grad():
        for parameter, mean in zip(trained, best_average, strict=True):
            parameter.copy_(mean)
    return best_step


def _step(optimiser: torch.optim.Optimizer, loss: Tensor, part: str) -> None:
    if not bool(torch.isfinite(loss)):
        raise TrainingError(
            f"training of the {part} stopped because its loss is no longer a number; check the counts and features of "
            "the data for extreme values, or try another seed"
        )
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _batches(members: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Batches without end, every epoch in a new order."""
    while True:
        shuffled = rng.permutation(members)
        yield from np.array_split(shuffled, ceil(len(shuffled) / size))


@torch.no_grad()
def _quality(
    network: NCF,
    data: Dataset,
    stopping: Histories,
    judged: NDArray[np.int64],
    trained: list[torch.nn.Parameter],
    average: list[Tensor],
    size: int,
) -> float:
    """Mean reciprocal-log gain of the held-out interactions under the averaged weights: NDCG over the whole catalogue.

    Smoother than NDCG@10 where members are few, and the same goal.
    """
    kept = [parameter.detach().clone() for parameter in trained]
    for parameter, mean in zip(trained, average, strict=True):
        parameter.copy_(mean)
    network.eval()
    gains: list[float] = []
    for start in range(0, len(judged), size):
        members = judged[start : start + size]
        batch = data.batch(members)
        scores = network.ranking(batch, network.compatibilities(batch))
        scores[batch.members, batch.tracks] = -torch.inf
        for position, member in enumerate(members):
            wanted = data.tensor(stopping.of_member(int(member))[0])
            places = (scores[position][None, :] > scores[position][wanted][:, None]).sum(dim=1)  # (hidden,)
            gains.append(float((1 / torch.log2(places + 2.0)).mean()))
    for parameter, value in zip(trained, kept, strict=True):
        parameter.copy_(value)
    return float(np.mean(gains))


def _profiles(data: Dataset, members: NDArray[np.int64], size: int) -> tuple[Floats, Mask]:
    """(members, 9) every member's own profile."""
    batches = [data.batch(members[start : start + size]) for start in range(0, len(members), size)]
    return (
        np.concatenate([batch.profiles.cpu().numpy() for batch in batches]),
        np.concatenate([batch.profiles_known.cpu().numpy() for batch in batches]),
    )


def _mixed_profiles(
    data: Dataset, tracks: NDArray[np.int64], count: int, rng: np.random.Generator, longest: int = 16
) -> tuple[Floats, Mask]:
    """(count, 9) means of one to `longest` tracks drawn at random."""
    drawn = tracks[rng.integers(len(tracks), size=(count, longest))]
    within = np.arange(longest) < rng.integers(1, longest + 1, size=count)[:, None]
    shares = (data.known[drawn] & within[:, :, None]).astype(np.float32)  # (count, longest, 9)
    totals = shares.sum(axis=1)
    return (data.values[drawn] * shares).sum(axis=1) / np.maximum(totals, 1.0), totals > 0


def _contains(ascending: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[places] == wanted
    return found
