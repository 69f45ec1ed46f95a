"""The training loops, one for each part of the network that is learned: compatibility head, deep and audio branch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specrec.compatibility import compatibility
from specrec.dataset import Dataset
from specrec.descent import Descent
from specrec.errors import TrainingError
from specrec.features import Floats, Mask
from specrec.interactions import Histories
from specrec.ncf import NCF, Batch
from specrec.taste import TasteProfile

SCORES = 4_000_000
LOOKED_AT = 40_000_000  # scores in one look at the members held out for stopping
OnStep = Callable[[float, int, float], None]  # share of the loop that is done, step, loss


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the loops go."""

    batch_members: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.3
    warm_up_steps: int = 20
    average: float = 0.98
    """Decay of the running average of the weights, which is what is kept."""
    max_steps: int = 480
    check_every: int = 40
    """Steps between two looks at the members held out for stopping."""
    patience: int = 3
    """Looks without improvement after which training stops."""
    most_columns: int = 20_000
    """Tracks in one softmax; of a larger catalogue each step sees what its members like and a random choice."""
    sound_steps: int = 600
    sound_epochs: int = 20
    """At most; with few members there is little to learn beyond the likeness that the branch begins with."""
    sound_members: int = 128
    sound_columns: int = 4_000
    """As `most_columns`: what is learned of some tracks' sound holds for all."""
    sound_learning_rate: float = 3e-3
    compatibility_steps: int = 1_200
    compatibility_pairs: int = 1_024
    """Pairs of profile and track in each step of the compatibility head."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Members of whom a part is held out: what is `given` of their histories, and what is `hidden` and to be found."""

    given: Dataset
    hidden: Histories

    def batches(self, most: int | None = None) -> Iterator[tuple[NDArray[np.int64], Batch]]:
        """Of members with something to be found, as many at a time as keeps their scores at 16 MB; not more of them
        than `most` scores of all tracks are for, but always fifty."""
        members = np.flatnonzero(np.diff(self.hidden.starts))
        if most is not None:
            members = members[: max(50, most // len(self.given.values))]
        size = max(1, SCORES // len(self.given.values))
        for first in range(0, len(members), size):
            chosen = members[first : first + size]
            yield chosen, self.given.batch(chosen)


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


def fit_deep(
    network: NCF,
    data: Dataset,
    judged: Judged | None,
    schedule: Schedule,
    rng: np.random.Generator,
    on_step: OnStep,
) -> int:
    """Teach the deep branch by softmax over the catalogue; returns the number of steps that was kept.

    Each member's liked tracks are the targets, by taste weight. Every `check_every` steps the averaged weights are
    tried on what is held out of members, and the best are kept; without any, all steps are made and the last ones
    kept.
    """
    targets = data.histories.keep(data.histories.weights > 0)
    members = np.flatnonzero(np.diff(targets.starts))
    chances_of = np.bincount(targets.tracks, minlength=len(data.values)) / len(members)
    descent = Descent(
        [network.history_embedding, network.track_embedding],
        [network.track_bias, network.hidden_bias],
        learning_rate=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        average=schedule.average,
        sparse=len(data.values) > schedule.most_columns,
    )
    best, best_average, best_step = -1.0, None, schedule.max_steps
    for step, chosen in enumerate(_batches(members, schedule.batch_members, rng), start=1):
        network.train()
        batch = data.batch(chosen)
        weights = batch.weights.clamp(min=0)
        weights = weights / batch.sum_by_member(weights.square()).sqrt()[batch.members]
        pool = _Pool.draw(batch.tracks[weights > 0], chances_of, batch.size, schedule.most_columns, rng)
        chances = torch.log_softmax(network.deep(batch, pool.columns) - pool.correction, dim=-1)
        liked = weights > 0
        gains = weights[liked] * chances[batch.members[liked], pool.places(batch.tracks[liked])]
        loss = -gains.sum() / batch.size
        _check(loss, "ranking")
        descent.step(loss, step, min(1.0, step / schedule.warm_up_steps))
        on_step(step / schedule.max_steps, step, loss.item())
        if judged is not None and step % schedule.check_every == 0:
            with descent.trying():
                quality = _quality(network, judged)
            if quality > best:
                best, best_average, best_step = quality, descent.averaged(), step
            elif step - best_step >= schedule.patience * schedule.check_every:
                break
        if step == schedule.max_steps:
            break
    descent.settle(descent.averaged() if best_average is None else best_average)
    _silence(network, data.tensor(np.equal(chances_of, 0)))
    return best_step


@torch.no_grad()
def _silence(network: NCF, unheard: Tensor) -> None:
    """What begins at random and is never learned says nothing: a track that nobody has adds nothing to a history, and
    its own logit is the mean of all others'."""
    if unheard.all():
        return
    network.history_embedding[unheard] = 0.0
    network.track_embedding[unheard] = network.track_embedding[~unheard].mean(dim=0)
    network.track_bias[unheard] = network.track_bias[~unheard].mean()


def fit_sound(network: NCF, data: Dataset, schedule: Schedule, rng: np.random.Generator, on_step: OnStep) -> None:
    """Teach the audio branch to find one half of a history by the sound of the other, among the tracks that are heard.

    It never sees which track it is, only how it sounds: what it learns holds for tracks that nobody has yet.
    """
    audible: NDArray[np.bool_] = np.logical_or.reduce(data.known, axis=1)
    targets = data.histories.keep((data.histories.weights > 0) & audible[data.histories.tracks])
    members = np.flatnonzero(np.diff(targets.starts) > 1)
    if not len(members):
        return
    heard = np.bincount(targets.tracks, minlength=len(audible))
    silent = data.tensor(np.equal(heard, 0))
    chances_of = heard / len(members)
    parameters = [*network.history_sound.parameters(), *network.track_sound.parameters(), network.sound_temperature]
    optimiser = torch.optim.AdamW(parameters, lr=schedule.sound_learning_rate, weight_decay=1e-2)
    steps = min(schedule.sound_steps, schedule.sound_epochs * ceil(len(members) / schedule.sound_members))
    for step, chosen in enumerate(_batches(members, schedule.sound_members, rng), start=1):
        batch = data.batch(chosen)
        liked = (batch.weights > 0) & ~silent[batch.tracks]
        given = liked & data.tensor(np.less(rng.random(len(liked)), 0.5))
        wanted = liked & ~given
        pool = _Pool.draw(batch.tracks[liked], chances_of, batch.size, schedule.sound_columns, rng)
        cosines = network.sound(batch, given * batch.weights, pool.columns)
        scores = network.sound_temperature.exp() * cosines - pool.correction
        scores = scores.masked_fill(silent if pool.columns is None else silent[pool.columns], -1e9)
        scores = scores.index_put((batch.members[given], pool.places(batch.tracks[given])), scores.new_tensor(-1e9))
        chances = torch.log_softmax(scores, dim=-1)[batch.members[wanted], pool.places(batch.tracks[wanted])]
        counts = torch.bincount(batch.members[wanted], minlength=batch.size)
        loss = -(chances / counts[batch.members[wanted]].sqrt()).sum() / batch.size
        _step(optimiser, loss, "audio branch")
        on_step(step / steps, step, loss.item())
        if step == steps:
            break
    network.forget_sound()


@dataclass(frozen=True, slots=True)
class _Pool:
    """The tracks of one step's softmax: all, or those that are wanted and a random choice of the others.

    `correction` is the log of each one's chance to be in the pool; less it, the sum over the pool estimates the sum
    over the catalogue without bias.
    """

    columns: Tensor | None
    correction: Tensor

    @classmethod
    def draw(
        cls, wanted: Tensor, chances: NDArray[np.float64], members: int, most: int, rng: np.random.Generator
    ) -> "_Pool":
        if len(chances) <= most:
            return cls(None, torch.zeros((), device=wanted.device))
        share = most / 2 / len(chances)
        drawn = np.flatnonzero(rng.random(len(chances)) < share)
        columns = np.union1d(drawn, wanted.cpu().numpy())
        present = 1 - (1 - share) * (1 - np.minimum(chances[columns], 1.0)) ** members
        return cls(
            torch.from_numpy(columns).to(wanted.device),
            torch.from_numpy(np.log(present).astype(np.float32)).to(wanted.device),
        )

    def places(self, tracks: Tensor) -> Tensor:
        return tracks if self.columns is None else torch.searchsorted(self.columns, tracks)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor, part: str) -> None:
    _check(loss, part)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _check(loss: Tensor, part: str) -> None:
    if not bool(torch.isfinite(loss)):
        raise TrainingError(
            f"training of the {part} stopped because its loss is no longer a number; check the counts and features of "
            "the data for extreme values, or try another seed"
        )


def _batches(members: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Batches without end, every epoch in a new order."""
    while True:
        shuffled = rng.permutation(members)
        yield from np.array_split(shuffled, ceil(len(shuffled) / size))


@torch.no_grad()
def _quality(network: NCF, judged: Judged) -> float:
    """Mean reciprocal-log gain of the hidden tracks: NDCG over the whole catalogue.

    Smoother than NDCG@10 where members are few, and the same goal.
    """
    network.eval()
    gains: list[float] = []
    for members, batch in judged.batches(LOOKED_AT):
        scores = network.deep(batch)
        scores[batch.members, batch.tracks] = -torch.inf
        for position, member in enumerate(members):
            wanted = judged.given.tensor(judged.hidden.of_member(int(member))[0])
            places = (scores[position][None, :] > scores[position][wanted][:, None]).sum(dim=1)  # (hidden,)
            gains.append(float((1 / torch.log2(places + 2.0)).mean()))
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
