"""How the branches become one score: each scaled per member, weighed by a gate of its own."""

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
