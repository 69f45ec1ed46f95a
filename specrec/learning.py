"""Histories -> a network: its branches solved and learned, their gates found on what is held out of members."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median_high

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from specrec.calibration import OTHERS, Calibration, negatives
from specrec.closed_form import history_matrix, listeners, neighbour_links, wide_links
from specrec.dataset import Dataset
from specrec.fitting import Judged, Schedule, fit_deep, fit_sound
from specrec.fusion import BRANCHES
from specrec.gates import CANDIDATES, Candidates, fit_gates
from specrec.holding_out import folds, hide
from specrec.links import Links
from specrec.ncf import NCF, NCFConfig
from specrec.scoring import log_mean

OnShare = Callable[[str, float, int | None, float | None], None]  # stage, share of all that is done, step, loss
MOST_CALIBRATED = 1_000  # members
NEWCOMERS = 0.5  # of the members held out: nothing of them is learned from, of the others all but what is hidden


@dataclass(frozen=True, slots=True)
class Learned:
    """The network and the links that its closed-form branches were made of."""

    network: NCF
    wide: Links
    neighbour: Links
    steps: int


@dataclass(frozen=True, slots=True)
class Fusion:
    """What the held-out members say: gates, the deep branch's steps, and how a score becomes a match."""

    gates: NDArray[np.float64]
    steps: int | None  # None: nobody could be held out
    calibration: Calibration
    members: int

    def has(self, source: str) -> bool:
        """Whether any branch that takes its scores from `source` has a gate."""
        return any(gate > 0 for branch, gate in zip(BRANCHES, self.gates, strict=True) if branch.source == source)


def learn_branches(
    config: NCFConfig,
    data: Dataset,
    artists: csr_array,
    judged: Judged | None,
    schedule: Schedule,
    rng: np.random.Generator,
    on_step: Callable[[str, float, int | None, float | None], None],
) -> Learned:
    """A network whose gates are still 0. `on_step` hears of shares of this one alone."""
    tracks = len(data.values)
    on_step("linking tracks", 0.0, None, None)
    matrix = history_matrix(data.histories, tracks)
    wide, neighbour = wide_links(matrix), neighbour_links(matrix)
    network = NCF(
        config,
        data.tensor(data.values),
        data.tensor(data.known),
        artists,
        wide,
        neighbour,
        data.tensor(listeners(data.histories, tracks)),
    ).to(data.device)
    fit_sound(
        network, data, schedule, rng, lambda share, step, loss: on_step("learning sound", 0.2 * share, step, loss)
    )
    steps = fit_deep(
        network,
        data,
        judged,
        schedule,
        rng,
        lambda share, step, loss: on_step("learning taste", 0.2 + 0.8 * share, step, loss),
    )
    network.eval()
    return Learned(network, wide, neighbour, steps)


def find_fusion(
    config: NCFConfig,
    data: Dataset,
    artists: csr_array,
    schedule: Schedule,
    rng: np.random.Generator,
    on_step: OnShare,
) -> Fusion:
    """Learn without a part of some members' histories, and choose on it what no training can tell by itself.

    Half of these members are as those who have been here for long, the rest of whose history is learned from; half are
    as newcomers are, of whom nothing is.
    """
    defaults = np.array([branch.default for branch in BRANCHES])
    held_out = folds(data.histories, rng)
    found: list[Candidates] = []
    tried: list[tuple[NCF, Judged, int]] = []
    for number, members in enumerate(held_out):
        held = np.isin(data.histories.members, members)
        newcomers = np.isin(data.histories.members, members[rng.random(len(members)) < NEWCOMERS])
        hidden = hide(data.histories, members, rng)
        judged = Judged(replace(data, histories=data.histories.keep(held & ~hidden)), data.histories.keep(hidden))
        learned = learn_branches(
            config,
            replace(data, histories=data.histories.keep(~newcomers & ~hidden)),
            artists,
            judged,
            schedule,
            rng,
            lambda stage, share, step, loss, number=number: on_step(  # type: ignore[misc]
                stage, (number + share) / len(held_out), step, loss
            ),
        )
        tried.append((learned.network, judged, learned.steps))
        found += _candidates(learned.network, judged)
    if not tried:
        return Fusion(defaults, None, Calibration(), 0)
    gates = fit_gates(found, defaults)
    return Fusion(gates, median_high(steps for _, _, steps in tried), _calibrate(tried, gates, rng), len(found))


@torch.no_grad()
def _candidates(network: NCF, judged: Judged) -> list[Candidates]:
    """Of each held-out member the best unknown tracks of each branch together."""
    found = []
    unheard = (network.listeners == 0).cpu().numpy()
    everything = [True] * len(BRANCHES)
    for members, batch in judged.batches():
        opinions = torch.stack([scores for _, scores in network.opinions(batch, everything, torch.float)], dim=1)
        unknown = opinions.transpose(1, 2).index_put((batch.members, batch.tracks), opinions.new_tensor(-torch.inf))
        best = unknown.transpose(1, 2).topk(min(CANDIDATES, opinions.shape[2]), dim=2).indices
        for position, member in enumerate(members):
            known, _ = judged.given.histories.of_member(int(member))
            rows = np.setdiff1d(best[position].cpu().numpy(), known)
            scores = opinions[position][:, torch.from_numpy(rows)].T.double().cpu().numpy()
            wanted = np.isin(rows, judged.hidden.of_member(int(member))[0])
            found.append(Candidates(scores, wanted, unheard[rows]))
    return found


@torch.no_grad()
def _calibrate(
    tried: list[tuple[NCF, Judged, int]], gates: NDArray[np.float64], rng: np.random.Generator
) -> Calibration:
    """On the hidden tracks of the held-out members, each beside nine tracks that its member does not have."""
    real: list[float] = []
    other: list[float] = []
    count = 0
    for network, judged, _ in tried:
        network.gates.copy_(torch.from_numpy(gates))
        for members, batch in judged.batches():
            for position, scores in enumerate(network.ranking(batch).cpu().numpy()):
                known, _ = judged.given.histories.of_member(int(members[position]))
                hidden, _ = judged.hidden.of_member(int(members[position]))
                lift = scores - log_mean(scores)
                real += lift[hidden].tolist()
                other += lift[negatives(rng, len(lift), [*known, *hidden], OTHERS * len(hidden))].tolist()
            count += len(members)
            if count >= MOST_CALIBRATED:
                break
    return Calibration.fit(np.array(real), np.array(other))
