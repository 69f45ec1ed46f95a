"""The gates, found on what is held out of members: how much each branch counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from specrec.fusion import BRANCHES, Numbers
from specrec.metrics import ndcg_at_k

CANDIDATES = 100  # best tracks of each branch among which gates are found
PULL, FEW = 3.0, 50  # towards the defaults: fades as there are more than a few members to measure on
LEAST_UNHEARD = 0.1  # somebody has to tell the tracks apart that nobody has
SMALLEST_GATE = 0.01  # of the largest: less is left out of a version
TOP = 10  # places of the list that counts
STEPS = (0.0, 0.5, 0.8, 1.25, 2.0)  # times a gate
REVIVED = (0.25, 1.0)  # times the default of a branch without a gate
CLEAR = 1.0  # standard errors that a step has to gain
MOST_STEPS = 12
UNHEARD = np.array([branch.unheard for branch in BRANCHES])
HEARD_ALONE = np.array(
    [not any(other.unheard and other.source == one.source for other in BRANCHES) for one in BRANCHES]
)
"""(branches,) which of them have nothing to say of tracks that nobody has."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Of one held-out member: `scores` (candidates, branches) scaled, which candidates are to be found, and which of
    them nobody else has."""

    scores: Numbers
    wanted: NDArray[np.bool_]  # (candidates,)
    unheard: NDArray[np.bool_]  # (candidates,)

    def among_unheard(self) -> "Candidates":
        rows = self.unheard
        return Candidates(self.scores[rows], self.wanted[rows], self.unheard[rows])


def fit_gates(members: list[Candidates], defaults: Numbers, steps: int = MOST_STEPS) -> Numbers:
    """(branches,) gates ≥ 0, in two steps: the likeliest, then the best lists.

    First a multinomial logit of the hidden tracks among the candidates, pulled towards `defaults`: convex, smooth, and
    good where members are few. It counts every hidden track alike, though, where a list counts its first places; so
    then one gate after the other is changed, at most `steps`, as long as that clearly lifts the NDCG@10. Branches that
    order the unheard tracks too keep their likeliest gates: there are next to none of those in these lists.

    The gates of the branches that speak of unheard tracks alone are found afterwards, among these tracks alone: where
    the catalogue is what the members have, that nobody else has a track tells that it was hidden, which must not teach
    anything.
    """
    gates = np.where(UNHEARD, 0.0, defaults)
    gates = _fit(members, gates, defaults, ~UNHEARD, 0.0)
    gates = _climb(members, gates, defaults, steps)
    gates = np.where(gates < SMALLEST_GATE * gates.max(), 0.0, gates)
    return _fit([member.among_unheard() for member in members], gates, defaults, UNHEARD, LEAST_UNHEARD)


def _fit(
    members: list[Candidates], gates: Numbers, defaults: Numbers, free: NDArray[np.bool_], least: float
) -> Numbers:
    """`gates` with better ones in the `free` places. Each member's hidden tracks weigh 1 / √n."""
    found = [member for member in members if member.wanted.any() and not member.wanted.all()]
    better = np.where(free, defaults, gates)
    if not found:
        return better
    sizes = np.array([len(member.wanted) for member in found])
    starts = np.cumsum(sizes) - sizes
    everything = np.concatenate([member.scores for member in found])
    scores, settled = everything[:, free], everything @ np.where(free, 0.0, gates)
    weights = np.concatenate([member.wanted / member.wanted.sum() ** 0.5 for member in found])
    totals = np.add.reduceat(weights, starts)
    pull = PULL / (1 + len(found) / FEW)

    def loss(chosen: Numbers) -> tuple[float, Numbers]:
        logits = settled + scores @ chosen
        tops = np.maximum.reduceat(logits, starts)
        odds = np.exp(logits - np.repeat(tops, sizes))
        sums = np.add.reduceat(odds, starts)
        chances = odds / np.repeat(sums, sizes)
        pulled = chosen - defaults[free]
        value = -(weights @ logits) + totals @ (tops + np.log(sums)) + pull * (pulled @ pulled) / 2
        slope = scores.T @ (np.repeat(totals, sizes) * chances - weights) + pull * pulled
        return float(value), slope

    bounds = [(least, None)] * int(free.sum())
    better[free] = minimize(loss, defaults[free], jac=True, method="L-BFGS-B", bounds=bounds).x
    return better


def _climb(members: list[Candidates], gates: Numbers, defaults: Numbers, steps: int) -> Numbers:
    """Change the gate whose change gains most NDCG@10, until no change gains more than chance would, paired over
    members."""
    if not any(member.wanted.any() for member in members):
        return gates
    lists = _Lists.of([member for member in members if member.wanted.any()])
    ranking = lists.scores @ gates.astype(np.float32) + lists.padding
    quality = lists.ndcg(ranking)
    gates = gates.copy()
    for _ in range(steps):
        best = None
        gained = 0.0
        for branch, gate in _changes(gates, defaults):
            changed = ranking + np.float32(gate - gates[branch]) * lists.scores[:, :, branch]
            gains = lists.ndcg(changed) - quality
            if gains.mean() > max(gained, CLEAR * float(gains.std()) / len(gains) ** 0.5):
                gained, best = float(gains.mean()), (branch, gate, changed)
        if best is None:
            break
        branch, gates[branch], ranking = best
        quality = lists.ndcg(ranking)
    return gates


def _changes(gates: Numbers, defaults: Numbers) -> list[tuple[int, float]]:
    """Which gate might become what."""
    return [
        (int(branch), float(gate))
        for branch in np.flatnonzero(HEARD_ALONE)
        for gate in (gates[branch] * np.array(STEPS) if gates[branch] else defaults[branch] * np.array(REVIVED))
    ]


@dataclass(frozen=True, slots=True)
class _Lists:
    """Candidates of all members side by side, the shorter rows filled up: `scores` (members, most, branches), `wanted`
    (members, most), and `padding` (members, most), −inf where there is no candidate."""

    scores: NDArray[np.float32]
    wanted: NDArray[np.bool_]
    padding: NDArray[np.float32]

    @classmethod
    def of(cls, members: list[Candidates]) -> "_Lists":
        shape = (len(members), max(len(member.wanted) for member in members))
        lists = cls(
            np.zeros((*shape, len(BRANCHES)), np.float32),
            np.zeros(shape, np.bool_),
            np.full(shape, -np.inf, np.float32),
        )
        for row, member in enumerate(members):
            part = slice(len(member.wanted))
            lists.scores[row, part], lists.wanted[row, part], lists.padding[row, part] = member.scores, member.wanted, 0
        return lists

    def ndcg(self, ranking: NDArray[np.float32]) -> Numbers:
        """(members,) at 10, of (members, most) scores."""
        count = min(TOP, ranking.shape[1])
        best = np.argpartition(-ranking, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(ranking, best, axis=1), axis=1, kind="stable")
        hits = np.take_along_axis(self.wanted, np.take_along_axis(best, order, axis=1), axis=1)
        return ndcg_at_k(hits, self.wanted.sum(axis=1), TOP)
