"""How loudly a branch speaks, and of which tracks."""

from dataclasses import dataclass

import numpy as np

from specrec.fusion import Branch, Numbers
from specrec.interactions import Rows


@dataclass(frozen=True, slots=True)
class Voice:
    """A branch that has a gate, and the tracks that it speaks of."""

    branch: Branch
    gate: float
    rows: Rows | None  # None: of all
    places: Rows | None  # (T,) where each track is among `rows`; len(rows): nowhere
    loudness: Numbers | None  # (T,) or (rows,); None: 1

    @classmethod
    def of(cls, branch: Branch, gate: float, listeners: Numbers) -> "Voice":
        loudness = branch.voice(listeners)
        rows = places = None
        if not loudness.all():
            rows = np.flatnonzero(loudness)
            places = np.full(len(listeners), len(rows))
            places[rows] = np.arange(len(rows))
            loudness = loudness[rows]
        return cls(branch, gate, rows, places, None if (loudness == 1).all() else loudness)

    @property
    def is_silent(self) -> bool:
        return self.rows is not None and not len(self.rows)

    def speak(self, scores: Numbers) -> Numbers:
        """(T,) of the source -> (rows,)."""
        if self.rows is not None:
            scores = scores[self.rows]
        return scores if self.loudness is None else scores * self.loudness

    def places_of(self, rows: Rows) -> Rows:
        """Where these tracks are among those it speaks of; those it does not speak of are left out."""
        if self.places is None or self.rows is None:
            return rows
        places = self.places[rows]
        return places[places < len(self.rows)]

    def add(self, total: Numbers, scaled: Numbers) -> None:
        """`scaled` (rows,) times the gate to `total` (T,)."""
        scaled *= self.gate
        if self.rows is None:
            total += scaled
        else:
            total[self.rows] += scaled

    def loudness_of(self, rows: Rows) -> Numbers:
        """(rows,) what the source's scores of these tracks are multiplied by; 0: it does not speak of them."""
        if self.places is None or self.rows is None:
            return np.ones(len(rows)) if self.loudness is None else self.loudness[rows]
        loudness = np.zeros(len(rows))
        spoken = self.places[rows] < len(self.rows)
        loudness[spoken] = 1.0 if self.loudness is None else self.loudness[self.places[rows][spoken]]
        return loudness
