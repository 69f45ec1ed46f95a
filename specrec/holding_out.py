"""Which members are held out to find gates on, and what of their histories is hidden."""

import numpy as np
from numpy.typing import NDArray

from specrec.interactions import Histories, Rows

HELD_OUT = 0.15
FEWEST_HELD_OUT, MOST_HELD_OUT = 100, 750
FOLDS = 4  # where members are few, each is held out once
FEW_MEMBERS = 200
HIDDEN = 0.2  # of a held-out member's history


def folds(histories: Histories, rng: np.random.Generator) -> list[Rows]:
    """Members to hold out, a fold after the other; none where fewer than two members like two tracks."""
    liked = np.bincount(histories.members[histories.weights > 0], minlength=len(histories))
    usable = rng.permutation(np.flatnonzero(liked >= 2))
    if len(usable) < 2:
        return []
    if len(usable) < FEW_MEMBERS:
        return [np.sort(fold) for fold in np.array_split(usable, min(FOLDS, len(usable)))]
    count = min(max(round(HELD_OUT * len(usable)), FEWEST_HELD_OUT), MOST_HELD_OUT)
    return [np.sort(usable[:count])]


def hide(histories: Histories, members: Rows, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(pairs,) a fifth of what each of `members` likes, at least one track and never all."""
    chosen = np.zeros(len(histories.tracks), dtype=np.bool_)
    for member in members:
        first, last = histories.starts[member], histories.starts[member + 1]
        liked = first + np.flatnonzero(histories.weights[first:last] > 0)
        count = max(1, round(HIDDEN * len(liked)))
        chosen[rng.choice(liked, size=count, replace=False)] = True
    return chosen
