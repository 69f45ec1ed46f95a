"""Recommending from a history, with numpy only: by a model version or, before there is one, by the taste profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue, Track
from specrec.compatibility import compatibility
from specrec.explanation import Explainer
from specrec.features import Floats, Scaling
from specrec.history import HistoryItem, fold
from specrec.member import Member
from specrec.ranking import ListKind, top_k
from specrec.taste import TasteProfile

__all__ = ["ContentRecommender", "HistoryItem", "ListKind", "Recommendation", "Recommender", "Track"]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One line of a list: `rank` counts from 1, `match` is 0-1, `reason` has at most 120 characters."""

    rank: int
    track_id: str
    match: float
    known: bool
    reason: str


class Recommender(Protocol):
    """Whatever turns a history into a list."""

    def recommend(
        self, history: Sequence[HistoryItem], *, top: int = 10, kind: ListKind = "mix", per_artist: int = 2
    ) -> list[Recommendation]:
        """At most `top` tracks, best first, by the rules of `specrec.ranking.top_k`.

        Known is every track of the history that is not disliked; disliked tracks never appear. The order of the
        history does not matter. The same history gets the same list.
        """
        ...


class ContentRecommender:
    """The taste profile alone: what answers while there is no model.

    `match` is the compatibility score of profile and track. Tracks without a known feature are never listed, and a
    history that has none gets an empty list.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._catalogue = Catalogue.from_tracks(tracks)
        self._artists = [self._catalogue.artists_of(row) for row in range(len(self._catalogue))]
        self._scaling = Scaling.fit(self._catalogue.features)
        self._values, self._known = self._scaling.apply(self._catalogue.features)

    def recommend(
        self, history: Sequence[HistoryItem], *, top: int = 10, kind: ListKind = "mix", per_artist: int = 2
    ) -> list[Recommendation]:
        member = Member.fold_in(fold(history), self._catalogue, self._scaling)
        profile = TasteProfile.of(member.values, member.known, member.weights)
        match = compatibility(profile, self._values, self._known)
        known = member.known_rows(len(self._catalogue))
        rows = top_k(
            np.where(match > 0, match, -np.inf),
            known,
            member.disliked_rows(len(self._catalogue)),
            self._artists,
            top=top,
            kind=kind,
            per_artist=per_artist,
        )
        raised = self._contributions(member, match, rows)
        explainer = Explainer(member, self._catalogue, self._values, self._known)
        return [
            Recommendation(
                place + 1,
                self._catalogue.ids.ids[row],
                float(match[row]),
                bool(known[row]),
                explainer.reason(row, raised[:, place], "the nearest to your taste so far"),
            )
            for place, row in enumerate(rows)
        ]

    def _contributions(self, member: Member, match: Floats, rows: list[int]) -> NDArray[np.float32]:
        """(history, list) the score with the whole history less the score without each of its tracks."""
        without = TasteProfile.without_each(member.values, member.known, member.weights)
        each = TasteProfile(without.values[:, None, :], without.known[:, None, :])
        values, known = self._values[rows], self._known[rows]
        raised: NDArray[np.float32] = match[rows] - compatibility(each, values[None], known[None])
        raised[member.rows[:, None] == np.array(rows, dtype=np.int64)[None, :]] = 0.0
        return raised
