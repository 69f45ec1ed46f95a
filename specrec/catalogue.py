"""The tracks: what is known of each, and all of them as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from specrec.features import FEATURES, Floats, unknown_features
from specrec.interactions import Rows, Vocabulary


@dataclass(frozen=True, slots=True)
class Track:
    """A track; `features` is (9,) in the order of FEATURES, in their own units, NaN where unknown."""

    track_id: str
    title: str = ""
    artists: tuple[str, ...] = ()
    features: Floats = field(default_factory=unknown_features, compare=False)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tracks as columns, in ascending order of their ids; row = position in `ids`.

    `titles` (tracks,) is "" where unknown. `artist_starts` (tracks + 1,) says where in `artist_rows` a track's
    artists are: rows of `artists`. `features` is (tracks, 9) in their own units, NaN where unknown.
    """

    ids: Vocabulary
    titles: Sequence[str]
    artists: Vocabulary
    artist_starts: Rows
    artist_rows: Rows
    features: Floats

    @classmethod
    def from_columns(
        cls, ids: Sequence[str], titles: Sequence[str], artists: Sequence[tuple[str, ...]], features: Floats
    ) -> "Catalogue":
        """Columns of the same length, in any order; the first row of an id that stands twice is kept."""
        first: dict[str, int] = {}
        for position, track_id in enumerate(ids):
            first.setdefault(track_id, position)
        order = [first[track_id] for track_id in sorted(first)]
        of_each = [dict.fromkeys(artists[position]) for position in order]
        names = Vocabulary(sorted(set(chain.from_iterable(of_each))))
        return cls(
            Vocabulary(sorted(first)),
            [titles[position] for position in order],
            names,
            np.concatenate(([0], np.cumsum([len(one) for one in of_each]))).astype(np.int64),
            np.array([names.row(name) for one in of_each for name in one], dtype=np.int64),
            np.asarray(features, dtype=np.float32).reshape(-1, len(FEATURES))[order],
        )

    @classmethod
    def from_tracks(cls, tracks: Sequence[Track]) -> "Catalogue":
        return cls.from_columns(
            [track.track_id for track in tracks],
            [track.title for track in tracks],
            [track.artists for track in tracks],
            np.array([track.features for track in tracks], dtype=np.float32).reshape(-1, len(FEATURES)),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def artists_of(self, row: int) -> Rows:
        """Rows of a track's artists; empty where unknown."""
        return self.artist_rows[self.artist_starts[row] : self.artist_starts[row + 1]]

    @property
    def artist_tracks(self) -> Rows:
        """(len(artist_rows),) the track of each entry of `artist_rows`."""
        return np.repeat(np.arange(len(self)), np.diff(self.artist_starts))

    def track(self, row: int) -> Track:
        return Track(
            self.ids.ids[row],
            self.titles[row],
            tuple(self.artists.ids[artist] for artist in self.artists_of(row)),
            self.features[row],
        )

    def with_ids(self, ids: Sequence[str]) -> "Catalogue":
        """This catalogue and, for ids not in it, tracks of which nothing is known."""
        missing = sorted({track_id for track_id in ids if track_id not in self.ids})
        if not missing:
            return self
        return Catalogue.from_columns(
            [*self.ids, *missing],
            [*self.titles, *("" for _ in missing)],
            [*(self.track(row).artists for row in range(len(self))), *(() for _ in missing)],
            np.concatenate((self.features, np.full((len(missing), len(FEATURES)), np.nan, np.float32))),
        )
