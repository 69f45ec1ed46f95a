"""Full ranking of a few tracks by hand: what counts as found, what is never ranked, and how ties fall."""

from dataclasses import dataclass, replace
from math import log2

import numpy as np
import pytest
from scipy.sparse import csr_array

from specrec.baselines.base import Predictions
from specrec.baselines.content import profiles_of
from specrec.catalogue import Track
from specrec.compatibility import compatibility
from specrec.errors import TrainingError
from specrec.interactions import Interaction, Kind
from specrec.measuring import MAX_MEMBERS, measure, measure_all
from specrec.metrics import r2_score
from specrec.protocols import Split
from specrec.taste import TasteProfile
from tests.specrec.contender_rules import sample_of

TRACKS = 6


@dataclass(frozen=True)
class Says:
    """A model that has an answer ready for each row; what it is asked is kept."""

    ranking: np.ndarray
    compatibility: np.ndarray | None = None

    def score(self, histories):
        assert histories.shape == self.ranking.shape
        return Predictions(self.ranking, None if self.compatibility is None else lambda: self.compatibility)


def cut(given, hidden, candidates=None):
    """Members m0, m1, … with dense (members, 6) weights."""
    tracks = [Track(f"t{n}", features=np.full(9, n / 10, np.float32)) for n in range(TRACKS)]
    sample = sample_of([Interaction("x", "t0"), Interaction("x", "t1", Kind.DISLIKED)], tracks)
    members = tuple(f"m{row}" for row in range(len(given)))
    as_rows = [csr_array(np.array(rows, dtype=np.float32)) for rows in (given, hidden)]
    return Split("split", 0, sample, members, as_rows[0], as_rows[1], candidates)


def scores(*rows):
    return np.array(rows, dtype=np.float32)


def test_places_by_hand():
    split = cut([[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, -1]], [[0, 0, 0, 1, 0, 2], [1, 0, 0, 0, 0, 0]])
    said = Says(scores([9, 5, 4, 3, 2, 1], [1, 2, 9, 3, 4, 9]))
    found = measure(said, split)
    assert found.members == ("m0", "m1")
    # m0: what is given is never ranked, so t3 has place 3 and t5 place 5; m1: t0 is the last of four.
    assert found.lists[0].tolist()[:6] == [1, 2, 3, 4, 5, -1]
    assert found.lists[1].tolist()[:5] == [4, 3, 1, 0, -1]
    assert found.recall_at_10.tolist() == [1, 1]
    assert found.mrr.tolist() == pytest.approx([1 / 3, 1 / 4])
    ideal = 1 + 1 / log2(3)
    assert found.ndcg_at_10.tolist() == pytest.approx([(1 / log2(4) + 1 / log2(6)) / ideal, 1 / log2(5)])
    assert found.tracks == TRACKS


def test_only_candidates_are_ranked():
    candidates = np.array([False, False, True, True, False, True])
    split = cut([[1, 0, 0, 0, 0, 0]], [[0, 0, 0, 0, 0, 1]], candidates)
    found = measure(Says(scores([0, 9, 8, 7, 6, 5])), split)
    assert found.lists[0].tolist()[:4] == [2, 3, 5, -1]
    assert found.mrr.tolist() == [1 / 3]
    assert found.tracks == 3


def test_ties_fall_at_random_and_the_same_way_for_the_same_seed():
    members = 400
    split = cut([[1, 0, 0, 0, 0, 0]] * members, [[0, 1, 0, 0, 0, 0]] * members)
    flat = Says(np.zeros((members, TRACKS), np.float32))
    first = measure(flat, split, seed=1)
    assert first.mrr.mean() == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]), abs=0.06)
    assert np.array_equal(first.mrr, measure(flat, split, seed=1).mrr)
    assert not np.array_equal(first.mrr, measure(flat, split, seed=2).mrr)


def test_negative_scores_and_zeros_keep_their_order():
    split = cut([[0, 0, 0, 0, 0, 1]], [[0, 0, 0, 1, 0, 0]])
    found = measure(Says(scores([-1e30, -2, -0.0, 1e-30, 7, 0])), split)
    assert found.lists[0].tolist()[:5] == [4, 3, 2, 1, 0]
    for seed in range(8):  # −0 and 0 are the same score: either may come first
        lists = measure(Says(scores([0.0, -0.0, -1, -1, -1, 9])), split, seed).lists[0]
        assert set(lists[:2].tolist()) == {0, 1}


def test_a_score_that_is_no_number_is_refused():
    split = cut([[1, 0, 0, 0, 0, 0]], [[0, 1, 0, 0, 0, 0]])
    with pytest.raises(TrainingError, match="a score is not a number"):
        measure(Says(scores([0, np.nan, 0, 0, 0, 0])), split)


def test_the_compatibility_is_that_of_the_whole_history():
    split = cut([[1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0]], [[0, 0, 2, 0, 1, 0], [1, 0, 0, 0, 0, 0]])
    values, known = split.sample.standardised
    profiles, profiles_known = profiles_of(split.given + split.hidden, values, known)
    actual = np.stack(
        [compatibility(TasteProfile(*pair), values, known) for pair in zip(profiles, profiles_known, strict=True)]
    )
    found = measure(Says(np.zeros((2, TRACKS), np.float32), actual), split)
    assert found.pairs.tolist() == [0, 0, 1]
    assert found.actual == pytest.approx(actual[[0, 0, 1], [2, 4, 0]])
    assert r2_score(found.actual, found.predicted) == 1.0
    assert measure(Says(np.zeros((2, TRACKS), np.float32)), split).predicted is None


def test_several_models_in_one_go_are_measured_as_each_alone():
    split = cut([[1, 0, 0, 0, 0, 0]] * 5, [[0, 1, 0, 0, 0, 1]] * 5)
    rng = np.random.default_rng(0)
    models = {name: Says(rng.integers(0, 3, (5, TRACKS)).astype(np.float32)) for name in ("a", "b")}
    together = measure_all(lambda histories: {name: says.score(histories) for name, says in models.items()}, split, 3)
    for name, says in models.items():
        alone = measure(says, split, 3)
        assert np.array_equal(together[name].lists, alone.lists)
        assert np.array_equal(together[name].ndcg_at_10, alone.ndcg_at_10)


def test_of_very_many_members_as_many_as_said_are_measured_evenly_spread(monkeypatch):
    monkeypatch.setattr("specrec.measuring.MAX_MEMBERS", 5)
    split = cut([[1, 0, 0, 0, 0, 0]] * 50, [[0, 1, 0, 0, 0, 0]] * 50)
    found = measure(Says(np.zeros((5, TRACKS), np.float32)), split)
    assert found.members == ("m0", "m12", "m24", "m36", "m49")
    assert MAX_MEMBERS >= 10_000


def test_blocks_do_not_show(monkeypatch):
    """Members are scored block by block; a block of one gives the same as all at once."""
    rng = np.random.default_rng(1)
    split = cut([[1, 0, 0, 0, 0, 0]] * 7, [[0, 1, 0, 0, 1, 0]] * 7)
    answers = rng.permutation(7 * TRACKS).reshape(7, TRACKS).astype(np.float32)  # no ties

    class OneByOne:
        def __init__(self):
            self.asked = 0

        def score(self, histories):
            rows = slice(self.asked, self.asked + histories.shape[0])
            self.asked += histories.shape[0]
            return Predictions(answers[rows])

    whole = measure(Says(answers), split)
    monkeypatch.setattr("specrec.measuring.CHUNK", TRACKS)
    parts = measure(OneByOne(), split)
    assert np.array_equal(parts.lists, whole.lists)
    assert np.array_equal(parts.mrr, whole.mrr)
    assert replace(parts, lists=whole.lists).members == whole.members
