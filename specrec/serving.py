"""Recommending from a history, with numpy only: by a model version or, before there is one, by the taste profile."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue, Track
from specrec.checkpoint import Version, open_version
from specrec.compatibility import compatibility
from specrec.explanation import Explainer
from specrec.features import Floats, Mask, Scaling
from specrec.fusion import Numbers
from specrec.history import HistoryItem, fold
from specrec.interactions import Rows
from specrec.member import Member
from specrec.ranking import ListKind, best_of, top_k
from specrec.scoring import ModelScorer
from specrec.taste import TasteProfile

__all__ = ["ContentRecommender", "HistoryItem", "ListKind", "Recommendation", "Recommender", "ServedModel", "Track"]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One line of a list: `rank` counts from 1, `match` is 0-1, `reason` has at most 120 characters.

    `unheard`: nobody had the track when the version was trained; it has one of the places that are kept for such.
    """

    rank: int
    track_id: str
    match: float
    known: bool
    reason: str
    unheard: bool = False


class Recommender(Protocol):
    """Whatever turns a history into a list."""

    def recommend(
        self,
        history: Sequence[HistoryItem],
        *,
        top: int = 10,
        kind: ListKind = "mix",
        per_artist: int = 2,
        explore: int = 0,
    ) -> list[Recommendation]:
        """At most `top` tracks, best first, by the rules of `specrec.ranking.top_k`.

        The last `explore` places, but never all, are kept for tracks that nobody in the community has yet, as far as
        there are any of which something is known; not in a list of `familiar` ones.

        Known is every track of the history that is not disliked; disliked tracks never appear. The order of the
        history does not matter. The same history gets the same list.
        """
        ...

    def knows(self, track_id: str) -> bool:
        """Whether the track's artists and audio features are on board, so that a history need not bring them."""
        ...


UNHEARD = "nobody here has it yet, and nothing in your history speaks against it"


@dataclass(frozen=True, slots=True)
class _Judgement:
    """Of one member: `scores` (tracks,) order the list, −inf for what must not be listed."""

    scores: Floats
    match: Callable[[Rows], Floats]
    """Rows -> (rows,) 0-1."""
    contributions: Callable[[Rows], Numbers]
    """Rows -> (history, rows) the score with the whole history less the score without each of its tracks."""


class _CatalogueRecommender(ABC):
    """What both recommenders share: fold the history in, score the catalogue, pick the list, say why."""

    _fallback: str  # the reason when nothing of the history explains a track

    def __init__(
        self,
        catalogue: Catalogue,
        scaling: Scaling,
        values: Floats,
        known: Mask,
        unheard: NDArray[np.bool_],
        half_life_days: float = inf,
    ) -> None:
        """`values` and `known` (tracks, 9) are the catalogue's features standardised by `scaling`; `unheard` (tracks,)
        says which of them nobody has: those of which something is known may be explored."""
        self._catalogue = catalogue
        self._scaling = scaling
        self._values = values
        self._known = known
        self._unheard = unheard & (known.any(axis=1) | (np.diff(catalogue.artist_starts) > 0))
        self._half_life_days = half_life_days
        self._complete = known.any(axis=1) & (np.diff(catalogue.artist_starts) > 0)

    @abstractmethod
    def _judge(self, member: Member) -> _Judgement: ...

    def knows(self, track_id: str) -> bool:
        """See `Recommender.knows`."""
        row = self._catalogue.ids.row(track_id)
        return row is not None and bool(self._complete[row])

    def recommend(
        self,
        history: Sequence[HistoryItem],
        *,
        top: int = 10,
        kind: ListKind = "mix",
        per_artist: int = 2,
        explore: int = 0,
    ) -> list[Recommendation]:
        """See `Recommender.recommend`."""
        member = Member.fold_in(fold(history, self._half_life_days), self._catalogue, self._scaling)
        judgement = self._judge(member)
        scores = judgement.scores
        known = member.known_rows(len(scores))
        disliked = member.disliked_rows(len(scores))
        artists_of = self._catalogue.artists_of
        placed: list[int] = []
        if explore and kind != "familiar" and len(member.rows):
            unheard = self._unheard & ~known & ~disliked
            placed = best_of(scores, unheard, artists_of, top=min(explore, top - 1), per_artist=per_artist)
        rows = top_k(scores, known, disliked, artists_of, top=top, kind=kind, per_artist=per_artist, placed=placed)
        if not rows:
            return []
        chosen = np.array(rows, dtype=np.int64)
        match, raised = judgement.match(chosen), judgement.contributions(chosen)
        profile = TasteProfile.of(member.values, member.known, member.weights)
        reasons = Explainer(member, profile, self._catalogue, self._values, self._known).reasons(
            chosen, raised, [UNHEARD if row in placed else self._fallback for row in rows]
        )
        return [
            Recommendation(
                place + 1,
                self._catalogue.ids.ids[row],
                float(match[place]),
                bool(known[row]),
                reasons[place],
                row in placed,
            )
            for place, row in enumerate(rows)
        ]


class ContentRecommender(_CatalogueRecommender):
    """The taste profile alone: what answers while there is no model.

    `match` is the compatibility score of profile and track. Tracks without a known feature are never listed, and a
    history that has none gets an empty list.
    """

    _fallback = "the nearest to your taste so far"

    def __init__(self, tracks: Sequence[Track]) -> None:
        catalogue = Catalogue.from_tracks(tracks)
        scaling = Scaling.fit(catalogue.features)
        unheard = np.zeros(len(catalogue), dtype=np.bool_)  # it knows of no listeners, and treats all tracks alike
        super().__init__(catalogue, scaling, *scaling.apply(catalogue.features), unheard)

    def _judge(self, member: Member) -> _Judgement:
        profile = TasteProfile.of(member.values, member.known, member.weights)
        match = compatibility(profile, self._values, self._known)
        scores = np.where(match > 0, match, -np.inf).astype(np.float32)
        return _Judgement(scores, lambda rows: match[rows], lambda rows: self._contributions(member, match, rows))

    def _contributions(self, member: Member, match: Floats, rows: Rows) -> Numbers:
        without = TasteProfile.without_each(member.values, member.known, member.weights)
        each = TasteProfile(without.values[:, None, :], without.known[:, None, :])
        values, known = self._values[rows], self._known[rows]
        raised = match[rows].astype(np.float64) - compatibility(each, values[None], known[None])
        raised[member.rows[:, None] == rows[None, :]] = 0.0
        return raised


class ServedModel(_CatalogueRecommender):
    """A model version, memory-mapped; nothing in it changes after opening, so any number of threads may ask it.

    `match` is the calibrated chance described in `specrec.calibration.Calibration`. An empty history, and one of which
    the version knows no track, artist or feature, gets what most members like.
    """

    _fallback = "popular, and nothing in your history speaks against it"

    def __init__(self, version: Version) -> None:
        self._scorer = ModelScorer(version.catalogue, version.arrays)
        super().__init__(
            version.catalogue,
            self._scorer.scaling,
            self._scorer.values,
            self._scorer.known,
            ~np.asarray(version.arrays["heard"], dtype=np.bool_),
            version.report.get("half_life_days") or inf,
        )
        self.version = version.name
        self.metadata: Mapping[str, Any] = version.report

    @classmethod
    def open(cls, directory: Path) -> "ServedModel":
        """Open one version's directory. Raises CheckpointError, with the reason, where it is refused."""
        return cls(open_version(directory))

    def _judge(self, member: Member) -> _Judgement:
        ranked = self._scorer.rank(member)
        return _Judgement(
            ranked.ranking,
            lambda rows: self._scorer.match(ranked.ranking, rows),
            lambda rows: self._scorer.contributions(ranked, rows),
        )
