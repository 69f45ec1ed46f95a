"""What a model under study learns from, and what it has to answer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from specrec.catalogue import Catalogue
from specrec.features import Floats, Mask, Scaling
from specrec.interactions import Histories, Interactions, Rows


@dataclass(frozen=True)
class Sample:
    """Interactions over one catalogue of T tracks. It has to hold every track of the interactions: see `over`."""

    interactions: Interactions
    catalogue: Catalogue
    half_life_days: float = np.inf
    """See `specrec.recency`."""

    @classmethod
    def over(
        cls, interactions: Interactions, tracks: Catalogue | None = None, half_life_days: float = np.inf
    ) -> "Sample":
        """`tracks` and, for tracks of the interactions that are not among them, ones of which nothing is known."""
        catalogue = Catalogue.from_tracks([]) if tracks is None else tracks
        return cls(interactions, catalogue.with_ids(interactions.tracks.ids), half_life_days)

    @cached_property
    def track_rows(self) -> Rows:
        """(interactions,) the catalogue's row of each interaction's track."""
        rows = np.array([self.catalogue.ids.row(id_) for id_ in self.interactions.tracks], dtype=np.int64)
        return rows[self.interactions.track_rows]

    @cached_property
    def histories(self) -> csr_array:
        """(members, T) taste weights: a dislike is negative, what is merely known is a stored 0."""
        rows = np.array([self.catalogue.ids.row(id_) for id_ in self.interactions.tracks], dtype=np.int64)
        histories = Histories.of(self.interactions, rows, self.half_life_days)
        shape = (len(histories), len(self.catalogue))
        return csr_array((histories.weights, histories.tracks, histories.starts), shape=shape)

    @cached_property
    def standardised(self) -> tuple[Floats, Mask]:
        """(T, 9) both: the catalogue's features, 0 where unknown, and which are known."""
        return Scaling.fit(self.catalogue.features).apply(self.catalogue.features)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model says of some members and all T tracks."""

    ranking: Floats
    """(members, T); higher is better, ties fall at random; no NaN."""
    compatibility: Callable[[], Floats] | None = None
    """What computes (members, T) predicted compatibility scores, of a model that predicts them."""


class Scorer(Protocol):
    """A fitted model. A member is nothing but their history, whether it was learned from or not."""

    def score(self, histories: csr_array) -> Predictions:
        """`histories` (members, T) holds taste weights as `Sample.histories` does; a row may be empty."""
        ...


class Contender(Protocol):
    """A model with its settings, before it has seen anything."""

    @property
    def name(self) -> str: ...

    def fit(self, sample: Sample) -> Scorer: ...


def liked(histories: csr_array) -> csr_array:
    """The same rows with 1 for every track with a weight above 0, and nothing else."""
    ones = csr_array(
        ((histories.data > 0).astype(np.float32), histories.indices, histories.indptr), shape=histories.shape
    )
    ones.eliminate_zeros()
    return ones
