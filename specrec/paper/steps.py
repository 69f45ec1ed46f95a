"""The original's preparation, step by step and under its names: a file -> scores of every listener and every track.

Nothing here recommends. What is odd in it is kept on purpose and named where it stands; the mended forms stand beside.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specrec.errors import TableError, TrainingError
from specrec.tables import OriginalRows, read_original_rows

ScoreKind = Literal["raw", "standardised"]
Encoding = Literal["one-hot", "index"]
Vectors = dict[str, NDArray[np.float64]]  # id -> (9,)

# The order beyond "0", and what the last place is for, are not recorded; neither changes any number, as only the first
# place is ever read. Here the last one takes whatever is neither digit nor letter.
ALPHABET = string.digits + string.ascii_lowercase + string.ascii_uppercase + " "
ID_LENGTH = 30
ONEHOT_SIZE = ID_LENGTH * len(ALPHABET)  # 1,890
TRAIN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Pairs:
    """Listener × track rows with their scores; `users` and `tracks` (rows,) are positions in the two lists of ids."""

    user_ids: list[str]
    track_ids: list[str]
    users: NDArray[np.int64]
    tracks: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.int64]) -> "Pairs":
        return Pairs(self.user_ids, self.track_ids, self.users[rows], self.tracks[rows], self.scores[rows])


def process_user_data(file: Path) -> tuple[Vectors, list[str]]:
    """Each listener's preferred features (9,), and the listeners in the file's order.

    A row weighs a quarter for each of its four ways to know a track. The sum is divided by the number of rows, not by
    their weights, so that a "preferred tempo" is a fraction of any real one. Raises TableError.
    """
    rows = read_original_rows(file)
    weighted = rows.features * _weights(rows)[:, None]
    return {user: weighted[mine].mean(axis=0) for user, mine in _rows_of(rows.users).items()}, _unique(rows.users)


def process_track_data(file: Path) -> tuple[Vectors, list[str]]:
    """Each track's features (9,) in raw units, and the tracks in the file's order; the first row of each counts."""
    rows = read_original_rows(file)
    return _track_vectors(rows, rows.features), _unique(rows.tracks)


def process_standardised_data(file: Path) -> tuple[Vectors, Vectors]:
    """Listeners and tracks again, mended: features in standard deviations over the tracks, means divided by weights."""
    rows = read_original_rows(file)
    catalogue = np.array(list(_track_vectors(rows, rows.features).values()))
    spread = catalogue.std(axis=0)
    features = (rows.features - catalogue.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    weights = _weights(rows)
    users = {
        user: weights[mine] @ features[mine] / max(weights[mine].sum(), 0.25)
        for user, mine in _rows_of(rows.users).items()
    }
    return users, _track_vectors(rows, features)


def item_to_onehot(item: str) -> NDArray[np.uint8]:
    """(1890,): 63 places for each of 30 characters, one of them 1; zeros behind the id's end. Raises TableError."""
    if len(item) > ID_LENGTH:
        raise TableError(f"the id {item} has {len(item)} characters; the original's encoding takes {ID_LENGTH} at most")
    onehot = np.zeros((ID_LENGTH, len(ALPHABET)), dtype=np.uint8)
    for place, character in enumerate(item):
        position = ALPHABET.find(character)
        onehot[place, position] = 1  # not found is -1: the last place
    return onehot.ravel()


def onehot_to_item(onehot: NDArray[np.uint8]) -> str:
    """The id again; what is neither digit nor letter comes back as a space."""
    places = onehot.reshape(ID_LENGTH, len(ALPHABET))
    return "".join(ALPHABET[int(place.argmax())] for place in places if place.any())


def get_scores(
    user_ids: Sequence[str],
    track_ids: Sequence[str],
    user_embed: Mapping[str, NDArray[np.float64]],
    track_embed: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """(users, tracks): preferred features · track features, the whole table brought to 0-1.

    In raw units tempo (about 120) and loudness (about -8) drown the seven features between 0 and 1. Raises
    TrainingError where all scores are equal.
    """
    users = np.array([user_embed[user] for user in user_ids])
    tracks = np.array([track_embed[track] for track in track_ids])
    scores = users @ tracks.T
    low, high = scores.min(), scores.max()
    if low == high:
        raise TrainingError("every track has the same score for every listener: nothing can be learnt from this file")
    normalised: NDArray[np.float64] = (scores - low) / (high - low)
    return normalised


def get_train_test_data(file: Path, rng: np.random.Generator, score: ScoreKind = "raw") -> tuple[Pairs, Pairs, Pairs]:
    """All pairs, listener by listener, and their two parts: four fifths of each listener's rows, drawn, and the rest.

    The training rows keep the order in which they were drawn, one listener behind the other; they are not mixed again.
    Raises TableError, or TrainingError where a listener would have no row left for testing.
    """
    user_embed, user_ids = process_user_data(file)
    track_embed, track_ids = process_track_data(file)
    if score == "standardised":
        user_embed, track_embed = process_standardised_data(file)
    scores = get_scores(user_ids, track_ids, user_embed, track_embed)
    count = len(track_ids)
    trained = round(TRAIN_SHARE * count)
    if trained == count:
        raise TrainingError(f"{count} tracks are too few to set a fifth aside: expected at least three")
    users, tracks = np.divmod(np.arange(scores.size), count)
    data = Pairs(user_ids, track_ids, users, tracks, scores.ravel())
    drawn = [user * count + rng.permutation(count) for user in range(len(user_ids))]
    train = np.concatenate([rows[:trained] for rows in drawn])
    test = np.concatenate([np.sort(rows[trained:]) for rows in drawn])
    return data, data.take(train), data.take(test)


def network_input(ids: Sequence[str], encoding: Encoding) -> NDArray[np.int64]:
    """(ids,): the one row of the embedding that the network sees for each id.

    `one-hot`: the original looks each of the 1,890 bits up as if it were an id of its own, row 0 or row 1, and keeps
    the output of position 0 alone. What is left of an id is one bit: whether it starts with "0". `index`: a row for
    each id, which is what an embedding is for.
    """
    if encoding == "index":
        return np.arange(len(ids))
    return np.array([item_to_onehot(id_)[0] for id_ in ids], dtype=np.int64)


def _weights(rows: OriginalRows) -> NDArray[np.float64]:
    """(rows,): 0, ¼, ½, ¾ or 1."""
    weights: NDArray[np.float64] = rows.happened.mean(axis=1)
    return weights


def _rows_of(ids: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    column = np.array(ids, dtype=object)
    return {id_: np.flatnonzero(column == id_) for id_ in _unique(ids)}


def _track_vectors(rows: OriginalRows, features: NDArray[np.float64]) -> Vectors:
    """Walks from the end, so that the first row of a track is the one that stays."""
    vectors = dict(zip(reversed(rows.tracks), features[::-1], strict=True))
    return {track: vectors[track] for track in _unique(rows.tracks)}


def _unique(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ids))
