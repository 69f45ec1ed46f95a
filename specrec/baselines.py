"""What every report stands beside."""

import numpy as np
from numpy.typing import NDArray

from specrec.interactions import Histories


def popularity(histories: Histories, tracks: int) -> NDArray[np.float64]:
    """(tracks,) how many members have each track and do not dislike it: the same list for everybody."""
    return np.bincount(histories.tracks[histories.weights > 0], minlength=tracks).astype(np.float64)
