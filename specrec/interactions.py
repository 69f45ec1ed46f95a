"""Who did what with which track: records, columns, ids <-> rows, and the pairs that no weights may see."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from math import log2

import numpy as np
from numpy.typing import NDArray

from specrec.recency import recency

Rows = NDArray[np.int64]


class Kind(StrEnum):
    """What a member did with a track."""

    PLAYLIST = "playlist"
    SAVED = "saved"
    RECENTLY_PLAYED = "recently_played"
    FOLLOWED_ARTIST = "followed_artist"
    TOP = "top"
    STREAMED = "streamed"
    LIKED = "liked"
    DISLIKED = "disliked"
    KNOWN = "known"
    INTERACTION = "interaction"  # a table that does not say what was done


# What one interaction of a kind says about taste. A dislike is the only negative one; "known" says nothing about taste.
KIND_WEIGHTS: dict[Kind, float] = {
    Kind.PLAYLIST: 1.0,
    Kind.SAVED: 1.5,
    Kind.RECENTLY_PLAYED: 1.0,
    Kind.FOLLOWED_ARTIST: 0.5,
    Kind.TOP: 1.5,
    Kind.STREAMED: 1.0,
    Kind.LIKED: 2.0,
    Kind.DISLIKED: -1.5,
    Kind.KNOWN: 0.0,
    Kind.INTERACTION: 1.0,
}
KINDS: tuple[Kind, ...] = tuple(Kind)
_KIND_ROW = {kind: row for row, kind in enumerate(KINDS)}
_WEIGHT_BY_ROW = np.array([KIND_WEIGHTS[kind] for kind in KINDS])

SET_ASIDE_SHARE = 0.1
SET_ASIDE_MINIMUM = 10  # a member with fewer tracks gives none: each one is needed


def taste_weight(kind: Kind, count: float = 1.0) -> float:
    """What `count` interactions of one kind weigh: the kind's weight once, twice at three, ten times at a thousand."""
    return KIND_WEIGHTS[kind] * log2(1.0 + count)


@dataclass(frozen=True, slots=True)
class Interaction:
    """One row: `weight` is a count (plays, listings) above 0, `timestamp` is aware UTC."""

    user_id: str
    track_id: str
    kind: Kind = Kind.INTERACTION
    weight: float = 1.0
    timestamp: datetime | None = None


class Vocabulary:
    """Ids <-> rows, in a fixed order; an id is text and never converted."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: tuple[str, ...] = tuple(ids)
        self._rows = {id_: row for row, id_ in enumerate(self.ids)}
        if len(self._rows) != len(self.ids):
            raise ValueError("a vocabulary's ids must be distinct")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._rows

    def row(self, id_: str) -> int | None:
        """The id's row, or None for an id that is not in here."""
        return self._rows.get(id_)


@dataclass(frozen=True, slots=True)
class Interactions:
    """Interactions as columns, one entry a row of the table; all five arrays have the same length.

    `kinds` holds positions in KINDS, `timestamps` seconds since 1970 (NaN: unknown). Users and tracks are numbered in
    the order of their ids, and rows are sorted, so that the order of a file's lines never changes a model.
    """

    users: Vocabulary
    tracks: Vocabulary
    user_rows: Rows
    track_rows: Rows
    kinds: NDArray[np.int8]
    weights: NDArray[np.float64]
    timestamps: NDArray[np.float64]

    @classmethod
    def from_columns(
        cls,
        user_ids: Sequence[str],
        track_ids: Sequence[str],
        kinds: NDArray[np.int8],
        weights: NDArray[np.float64],
        timestamps: NDArray[np.float64],
    ) -> "Interactions":
        users, user_rows = _number(user_ids)
        tracks, track_rows = _number(track_ids)
        order = np.lexsort((timestamps, weights, kinds, track_rows, user_rows))
        return cls(users, tracks, user_rows[order], track_rows[order], kinds[order], weights[order], timestamps[order])

    @classmethod
    def from_records(cls, records: Iterable[Interaction]) -> "Interactions":
        rows = list(records)
        return cls.from_columns(
            [row.user_id for row in rows],
            [row.track_id for row in rows],
            np.array([_KIND_ROW[row.kind] for row in rows], dtype=np.int8),
            np.array([row.weight for row in rows], dtype=np.float64),
            np.array([row.timestamp.timestamp() if row.timestamp else np.nan for row in rows], dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.user_rows)

    def of_user(self, user_id: str) -> list[Interaction]:
        """One user's rows as records; empty for an unknown user."""
        row = self.users.row(user_id)
        if row is None:
            return []
        first, last = np.searchsorted(self.user_rows, (row, row + 1))
        return [
            Interaction(
                user_id,
                self.tracks.ids[self.track_rows[i]],
                KINDS[self.kinds[i]],
                float(self.weights[i]),
                None if np.isnan(self.timestamps[i]) else datetime.fromtimestamp(self.timestamps[i], UTC),
            )
            for i in range(first, last)
        ]


def _number(ids: Sequence[str]) -> tuple[Vocabulary, Rows]:
    vocabulary = Vocabulary(sorted(set(ids)))
    rows = {id_: row for row, id_ in enumerate(vocabulary)}
    return vocabulary, np.fromiter((rows[id_] for id_ in ids), dtype=np.int64, count=len(ids))


@dataclass(frozen=True, slots=True)
class Histories:
    """Every member's tracks as compressed rows: member m has `tracks[starts[m]:starts[m + 1]]`, ascending.

    `weights` is what each (member, track) pair weighs over all its kinds. A disliked pair is negative whatever else
    was done with the track; a pair that is only known weighs 0.
    """

    starts: Rows  # (members + 1,)
    tracks: Rows  # (pairs,)
    weights: NDArray[np.float32]  # (pairs,)

    @classmethod
    def of(
        cls, interactions: Interactions, track_rows: Rows | None = None, half_life_days: float = np.inf
    ) -> "Histories":
        """As `specrec.history.fold` does it: counts are summed by kind, what a kind weighs fades from its newest row
        on (`specrec.recency`), and kinds are summed. `track_rows` renumbers tracks: (len(interactions.tracks),)."""
        tracks = interactions.track_rows if track_rows is None else track_rows[interactions.track_rows]
        size = int(tracks.max(initial=0)) + 1
        keys = (interactions.user_rows * size + tracks) * len(KINDS) + interactions.kinds
        ways, position = np.unique(keys, return_inverse=True)  # member, track, kind
        pair_of_way, kinds = np.divmod(ways, len(KINDS))
        weights = _WEIGHT_BY_ROW[kinds] * np.log2(1.0 + np.bincount(position, interactions.weights, len(ways)))
        if np.isfinite(half_life_days):
            times = np.full(len(ways), np.nan)
            np.fmax.at(times, position, interactions.timestamps)
            newest = np.full(len(interactions.users), np.nan)
            np.fmax.at(newest, interactions.user_rows, interactions.timestamps)
            left = recency(newest[pair_of_way // size] - times, half_life_days)
            weights = np.where(weights > 0, weights * left, weights)  # a dislike stays one
        pairs, position = np.unique(pair_of_way, return_inverse=True)
        liked = np.bincount(position, np.maximum(weights, 0.0), len(pairs))
        disliked = np.bincount(position, np.minimum(weights, 0.0), len(pairs))
        starts = np.searchsorted(pairs // size, np.arange(len(interactions.users) + 1))
        return cls(starts.astype(np.int64), pairs % size, np.where(disliked < 0, disliked, liked).astype(np.float32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def members(self) -> Rows:
        """(pairs,) the member of each pair."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def keep(self, chosen: NDArray[np.bool_]) -> "Histories":
        """The pairs for which `chosen` (pairs,) holds; members stay numbered as they are."""
        counts = np.bincount(self.members[chosen], minlength=len(self))
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return Histories(starts, self.tracks[chosen], self.weights[chosen])

    def of_member(self, member: int) -> tuple[Rows, NDArray[np.float32]]:
        part = slice(self.starts[member], self.starts[member + 1])
        return self.tracks[part], self.weights[part]


def relative_weights(weights: NDArray[np.float32], members: Rows, count: int) -> NDArray[np.float64]:
    """(pairs,) weights / the mean size of their member's weights, so that no member's habit of counting matters.

    What is merely known (0) stays 0 and is not counted. `members` (pairs,) are below `count`.
    """
    sizes = np.bincount(members, np.abs(weights), minlength=count)
    entries = np.bincount(members, weights != 0, minlength=count)
    means = np.where(entries > 0, sizes, 1.0) / np.maximum(entries, 1)
    relative: NDArray[np.float64] = weights.astype(np.float64) / means[members]
    return relative


def is_set_aside(member_id: str, track_id: str, share: float = SET_ASIDE_SHARE, salt: str = "gate") -> bool:
    """Whether a stable hash sets this pair aside; the same on every machine and in every run."""
    digest = blake2b(f"{salt}\x1f{member_id}\x1f{track_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def set_aside(
    histories: Histories,
    member_ids: Sequence[str],
    track_ids: Sequence[str],
    *,
    share: float = SET_ASIDE_SHARE,
    minimum: int = SET_ASIDE_MINIMUM,
    salt: str = "gate",
) -> NDArray[np.bool_]:
    """(pairs,) True for the pairs that weights must not see.

    Only pairs with a positive weight are set aside (a dislike is no hit to find), and only from members who have at
    least `minimum` of them; members with fewer give none.
    """
    liked = histories.weights > 0
    enough = np.bincount(histories.members[liked], minlength=len(histories)) >= minimum
    candidates = np.flatnonzero(liked & enough[histories.members])
    chosen = np.zeros(len(histories.tracks), dtype=np.bool_)
    members = histories.members
    for pair in candidates:
        chosen[pair] = is_set_aside(member_ids[members[pair]], track_ids[histories.tracks[pair]], share, salt)
    return chosen
