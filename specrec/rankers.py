"""Whatever ranks tracks for a member and can be measured on what was set aside: a version is one of several."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.features import Floats
from specrec.interactions import Rows
from specrec.member import Member
from specrec.scoring import ModelScorer, Scores


class Ranker(Protocol):
    """Ranks its own catalogue, which need not be that of the histories it is asked with."""

    @property
    def rows(self) -> Rows:
        """(tracks of the histories,) the row that each has in the ranker's own catalogue; −1: it cannot list it."""
        ...

    def score(self, member_id: str, rows: Rows, weights: NDArray[np.float32]) -> Scores:
        """All tracks of its own catalogue for one member. `rows` (n,) and `weights` (n,) are the history, by the
        numbers of the histories' catalogue; it may be empty."""
        ...

    def compatibilities(self, member_id: str, rows: Rows, weights: NDArray[np.float32]) -> Floats:
        """(tracks,) of its own catalogue: the compatibility scores that it predicts, 0-1."""
        ...


class VersionRanker:
    """A version as it serves members: whoever asks is folded in, whatever the version was trained on.

    `histories` is the catalogue in which the histories are numbered. What it knows of tracks that the version does not
    have (their sound, their artists) counts as it does in serving, where a history brings it along.
    """

    def __init__(self, scorer: ModelScorer, histories: Catalogue) -> None:
        self._scorer = scorer
        self._histories = histories
        own = scorer.catalogue
        if histories is own:
            self._rows: Rows = np.arange(len(own))
            self._values, self._known = scorer.values, scorer.known
            return
        found = (own.ids.row(id_) for id_ in histories.ids)
        self._rows = np.array([-1 if row is None else row for row in found], dtype=np.int64)
        self._values, self._known = scorer.scaling.apply(histories.features)
        better = self._rows >= 0
        better[better] = scorer.known[self._rows[better]].any(axis=1)
        self._values[better], self._known[better] = scorer.values[self._rows[better]], scorer.known[self._rows[better]]

    @property
    def rows(self) -> Rows:
        return self._rows

    def score(self, member_id: str, rows: Rows, weights: NDArray[np.float32]) -> Scores:
        return self._scorer.score(self._member(rows, weights))

    def compatibilities(self, member_id: str, rows: Rows, weights: NDArray[np.float32]) -> Floats:
        return self._scorer.compatibilities(self._member(rows, weights))

    def _member(self, rows: Rows, weights: NDArray[np.float32]) -> Member:
        return Member(
            (),
            self._rows[rows],
            weights,
            self._values[rows],
            self._known[rows],
            [self._artists(int(row)) for row in rows],
        )

    def _artists(self, row: int) -> Rows:
        """Rows of the version's artists."""
        own = self._scorer.catalogue
        if self._rows[row] >= 0 and (own is self._histories or len(own.artists_of(int(self._rows[row])))):
            return own.artists_of(int(self._rows[row]))
        names = (self._histories.artists.ids[artist] for artist in self._histories.artists_of(row))
        found = (own.artists.row(name) for name in names)
        return np.array([artist for artist in found if artist is not None], dtype=np.int64)
