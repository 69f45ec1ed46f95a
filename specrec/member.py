"""A member folded in: their history as arrays beside a catalogue. A member is their history, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.features import FEATURES, Floats, Mask, Scaling
from specrec.history import HistoryTrack
from specrec.interactions import Rows


@dataclass(frozen=True, slots=True)
class Member:
    """The tracks of one history, one entry a track; tracks that the catalogue does not have have row −1.

    `weights` (n,) is the taste weight: negative for dislikes. `values` and `known` (n, 9) are standardised features;
    `artists` are rows of the catalogue's artists, of which the catalogue may know none.
    """

    history: Sequence[HistoryTrack]
    rows: Rows
    weights: NDArray[np.float32]
    values: Floats
    known: Mask
    artists: Sequence[Rows]

    @classmethod
    def fold_in(cls, history: Sequence[HistoryTrack], catalogue: Catalogue, scaling: Scaling) -> "Member":
        """Look up every track. What the history itself brings is used only where the catalogue knows nothing."""
        rows = np.array([_row(catalogue, item) for item in history], dtype=np.int64)
        features = np.full((len(history), len(FEATURES)), np.nan, dtype=np.float32)
        features[rows >= 0] = catalogue.features[rows[rows >= 0]]
        for place in np.flatnonzero(~np.isfinite(features).any(axis=1)).tolist():
            if (track := history[place].track) is not None:
                features[place] = track.features
        values, known = scaling.apply(features)
        return cls(
            history,
            rows,
            np.array([item.weight for item in history], dtype=np.float32),
            values,
            known,
            [_artists(catalogue, item, row) for item, row in zip(history, rows, strict=True)],
        )

    @classmethod
    def of_rows(
        cls, rows: Rows, weights: NDArray[np.float32], values: Floats, known: Mask, catalogue: Catalogue
    ) -> "Member":
        """A history of catalogue rows without words for it; `values` and `known` are the whole catalogue's."""
        return cls((), rows, weights, values[rows], known[rows], [catalogue.artists_of(int(row)) for row in rows])

    def known_rows(self, tracks: int) -> NDArray[np.bool_]:
        """(tracks,) which tracks the member knows and does not dislike."""
        return self._mark(tracks, self.weights >= 0)

    def disliked_rows(self, tracks: int) -> NDArray[np.bool_]:
        return self._mark(tracks, self.weights < 0)

    def _mark(self, tracks: int, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        marks = np.zeros(tracks, dtype=np.bool_)
        marks[self.rows[chosen & (self.rows >= 0)]] = True
        return marks


def _row(catalogue: Catalogue, item: HistoryTrack) -> int:
    row = catalogue.ids.row(item.track_id)
    return -1 if row is None else row


def _artists(catalogue: Catalogue, item: HistoryTrack, row: int) -> Rows:
    if row >= 0 and len(own := catalogue.artists_of(row)):
        return own
    names = item.track.artists if item.track is not None else ()
    found = (catalogue.artists.row(name) for name in dict.fromkeys(names))
    return np.array([artist for artist in found if artist is not None], dtype=np.int64)
