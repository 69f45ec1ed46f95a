"""Communities made up at any size: members with a few tastes each, tracks with one, popular and rare as in life."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specrec.baselines.base import Sample
from specrec.catalogue import Catalogue
from specrec.features import FEATURES
from specrec.interactions import KINDS, Interactions, Kind, Vocabulary

TRACKS_OF_A_TASTE = 200
TASTES_OF_A_MEMBER = 3
BY_CHANCE = 0.15  # of the interactions follow nobody's taste
SLOPE = 0.8  # of popularity over rank, within a taste and over all
TRACKS_OF_AN_ARTIST = 8
KNOWN = 0.7  # of the tracks have features


@dataclass(frozen=True, slots=True)
class Size:
    members: int
    tracks: int
    interactions: int

    def __str__(self) -> str:
        return f"{self.members:,} × {self.tracks:,}, {self.interactions:,} interactions"


def community(size: Size, seed: int = 0) -> Sample:
    """As many distinct pairs of member and track as `size` says, each member with at least one."""
    rng = np.random.default_rng(seed)
    tastes = max(4, size.tracks // TRACKS_OF_A_TASTE)
    taste_of = np.sort(rng.integers(tastes, size=size.tracks))
    starts = np.searchsorted(taste_of, np.arange(tastes + 1))
    own = rng.integers(tastes, size=(size.members, TASTES_OF_A_MEMBER))
    activity = rng.lognormal(0.0, 0.9, size.members)
    chances = np.cumsum(activity / activity.sum())
    pairs = np.arange(size.members) * size.tracks + _ranked(rng, np.zeros(size.members, np.int64), size.tracks)
    while len(pairs) < size.interactions:
        count = int(1.3 * (size.interactions - len(pairs))) + 1_000
        members = np.minimum(np.searchsorted(chances, rng.random(count)), size.members - 1)
        taste = own[members, rng.integers(TASTES_OF_A_MEMBER, size=count)]
        by_taste = _ranked(rng, starts[taste], np.maximum(starts[taste + 1] - starts[taste], 1))
        by_chance = _ranked(rng, np.zeros(count, np.int64), size.tracks)
        tracks = np.where(rng.random(count) < BY_CHANCE, by_chance, np.minimum(by_taste, size.tracks - 1))
        fresh = np.setdiff1d(members * size.tracks + tracks, pairs)
        room = size.interactions - len(pairs)
        pairs = np.concatenate((pairs, fresh if len(fresh) <= room else rng.choice(fresh, room, replace=False)))
    pairs.sort()
    return Sample(_interactions(size, pairs, rng), _catalogue(size, taste_of, rng))


def _ranked(rng: np.random.Generator, first: NDArray[np.int64], counts: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """For each entry a row from `first` on, among `counts`: the n-th with a chance of about n^−SLOPE."""
    rank = np.floor(np.asarray(counts) * rng.random(len(first)) ** (1 / (1 - SLOPE))).astype(np.int64)
    return first + rank


def _interactions(size: Size, pairs: NDArray[np.int64], rng: np.random.Generator) -> Interactions:
    """Columns as `Interactions.from_columns` sorts them, without ten million texts on the way."""
    members, tracks = np.divmod(pairs, size.tracks)
    return Interactions(
        Vocabulary(f"m{number:07}" for number in range(size.members)),
        Vocabulary(f"t{number:07}" for number in range(size.tracks)),
        members,
        tracks,
        np.full(len(pairs), KINDS.index(Kind.STREAMED), dtype=np.int8),
        1.0 + np.floor(rng.exponential(4.0, len(pairs))),
        np.full(len(pairs), np.nan),
    )


def _catalogue(size: Size, taste_of: NDArray[np.int64], rng: np.random.Generator) -> Catalogue:
    middle = rng.uniform(0.15, 0.85, (int(taste_of.max()) + 1, len(FEATURES)))
    values = np.clip(middle[taste_of] + rng.normal(0, 0.12, (size.tracks, len(FEATURES))), 0, 1)
    values[:, FEATURES.index("loudness")] *= -20
    values[:, FEATURES.index("tempo")] = 60 + 120 * values[:, FEATURES.index("tempo")]
    values[rng.random(size.tracks) > KNOWN] = np.nan
    artists = np.arange(size.tracks) // TRACKS_OF_AN_ARTIST  # tracks of a taste stand together: so do an artist's
    return Catalogue(
        Vocabulary(f"t{number:07}" for number in range(size.tracks)),
        [""] * size.tracks,
        Vocabulary(f"a{number:07}" for number in range(int(artists.max()) + 1)),
        np.arange(size.tracks + 1),
        artists,
        values.astype(np.float32),
    )
