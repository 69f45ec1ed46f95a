"""How the branches become one score: scaled per member, weighed by gates that are found on what is held out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from specrec.interactions import Rows
from specrec.ranking import largest

if TYPE_CHECKING:
    from torch import Tensor

Numbers = NDArray[np.float64]


RARER = 1.0
LOGITS, COSINES = 6.0, 0.3
Listeners = TypeVar("Listeners", Numbers, "Tensor")


@dataclass(frozen=True, slots=True)
class Branch:
    """One opinion on every track: the scores of `source`, louder for rarer tracks the larger the `exponent`."""

    name: str
    source: str
    exponent: float
    default: float
    """Its gate where nothing can be measured, and what few members can move little."""
    scale: float | None = None
    """How far above a member's mean is 1, where scores are comparable between members as they are. None: as far as the
    member's best ones are."""
    least: float = 0.0
    """The smallest scale: who likes a bit of everything is not pushed to whatever sounds a hair nearer."""
    unheard: bool = False
    """Whether it speaks of the tracks alone that nobody has yet: what is known of those is how they sound, and who
    made them, so that both may count for more there."""

    def voice(self, listeners: Listeners) -> Listeners:
        """(T,) what its scores are multiplied by. `listeners` (T,) of numpy or torch."""
        voice: Listeners = (listeners == 0) * (listeners + 1) if self.unheard else (listeners + RARER) ** -self.exponent
        return voice


BRANCHES = (
    Branch("wide", "wide", 0.0, 0.3),
    Branch("wide, rarer tracks", "wide", 0.3, 0.3),
    Branch("neighbour", "neighbour", 0.3, 2.0),
    Branch("neighbour, rarer tracks", "neighbour", 0.9, 0.9),
    Branch("deep", "deep", 0.0, 0.5, LOGITS),
    Branch("artist", "artist", 0.0, 4.0),
    Branch("audio", "audio", 0.0, 3.5, least=COSINES),
    Branch("artist, unheard tracks", "artist", 0.0, 1.0, unheard=True),
    Branch("audio, unheard tracks", "audio", 0.0, 1.0, least=COSINES, unheard=True),
)
TOP = 20  # tracks that the member does not have, whose mean is 1
CLIP = (-1.0, 3.0)
SMALLEST_SPREAD = 1e-4  # of the largest score: a branch that says less about a member is silent
CANDIDATES = 100  # best tracks of each branch among which gates are found
PULL, FEW = 3.0, 50  # towards the defaults: fades as there are more than a few members to measure on
LEAST_UNHEARD = 0.1  # somebody has to tell the tracks apart that nobody has
SMALLEST_GATE = 0.01  # of the largest: less is left out of a version


@dataclass(frozen=True, slots=True)
class Scale:
    """Of one member and one branch: where 0 and 1 are, and between which numbers what is scaled stays. An infinite
    `spread`: the branch says nothing about the member."""

    middle: float
    spread: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, branch: Branch, scores: Numbers, known: Rows, tracks: int) -> "Scale":
        """`scores` are of the tracks that the branch speaks of, out of `tracks`; `known` are places among them: those
        of the member's history."""
        middle = float(scores.mean())
        if branch.scale is not None:
            return cls(middle, branch.scale, -np.inf, np.inf)
        size = max(float(scores.max()), -float(scores.min()))
        unknown = scores.copy()
        unknown[known] = -np.inf
        count = min(TOP, tracks)
        best = largest(unknown, count)
        spread = float((best[np.isfinite(best)] - middle).sum()) / count  # a missing one is as the mean
        silent = spread <= SMALLEST_SPREAD * size
        return cls(middle, np.inf if silent else max(spread, branch.least), *CLIP)

    def apply(self, scores: Numbers) -> Numbers:
        """Scores of any shape -> the same, comparable between branches and members."""
        scaled = (scores - self.middle) / self.spread
        np.clip(scaled, self.lowest, self.highest, out=scaled)
        return scaled


UNHEARD = np.array([branch.unheard for branch in BRANCHES])


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


def fit_gates(members: list[Candidates], defaults: Numbers) -> Numbers:
    """(branches,) gates ≥ 0: multinomial logit of the hidden tracks among the candidates, pulled towards `defaults`.

    Convex, so that there is one answer. Those of the branches that speak of unheard tracks alone are found afterwards,
    among these tracks alone: where the catalogue is what the members have, that nobody else has a track tells that it
    was hidden, which must not teach anything.
    """
    gates = np.where(UNHEARD, 0.0, defaults)
    gates = _fit(members, gates, defaults, ~UNHEARD, 0.0)
    gates = np.where(gates < SMALLEST_GATE * gates.max(), 0.0, gates)
    return _fit([member.among_unheard() for member in members], gates, defaults, UNHEARD, LEAST_UNHEARD)


def _fit(
    members: list[Candidates], gates: Numbers, defaults: Numbers, free: NDArray[np.bool_], least: float
) -> Numbers:
    """`gates` with better ones in the `free` places. Each member's hidden tracks weigh 1 / √n."""
    from scipy.optimize import minimize  # serving reads this module, and has no scipy

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
