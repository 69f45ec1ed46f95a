"""What a tour came to, in numbers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from sandbox.community import Community
from sandbox.ten_lines import RecommendedLine

Lists = Mapping[str, Sequence[RecommendedLine]]
"""Member's name -> their first list after the training."""


def mean_jaccard(lists: Iterable[Iterable[str]]) -> float:
    """How alike lists of ids are: the mean over all pairs of shared / distinct, 0 (nothing shared) to 1 (all the same).

    :raises ValueError: for fewer than two lists.
    """
    pairs = list(combinations(map(set, lists), 2))
    if not pairs:
        raise ValueError("There are no two lists to compare.")
    return float(np.mean([len(one & other) / max(1, len(one | other)) for one, other in pairs]))


def genre_hit_rate(lists: Lists, community: Community) -> float:
    """Of all recommendations that are new to a member: the share from a genre that this member is known to like.

    :raises ValueError: when nothing new was recommended to anybody.
    """
    hits = [
        community.genre_of[line.track_id] in community.known_genres(name)
        for name, lines in lists.items()
        for line in lines
        if not line.known
    ]
    if not hits:
        raise ValueError("No new track was recommended to anybody.")
    return float(np.mean(hits))


def times(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p99 and max, with tenths of a millisecond."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1), "max": round(max(milliseconds), 1)}


def recommendation(line: RecommendedLine) -> dict[str, object]:
    """A line as the report holds it."""
    return {
        "track_id": line.track_id,
        "title": line.title,
        "artist": line.artist,
        "match": line.match,
        "reason": line.reason,
        "known": line.known,
    }
