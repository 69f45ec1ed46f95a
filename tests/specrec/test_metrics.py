"""Hand-computed answers, and what must hold for any list."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specrec.metrics import jaccard, mean_pairwise_jaccard, ndcg_at_k, r2_score, recall_at_k

RANKED = st.lists(st.integers(0, 30), unique=True, max_size=20)
RELEVANT = st.sets(st.integers(0, 30), min_size=1, max_size=10)
K = st.integers(1, 12)


def test_recall_by_hand():
    assert recall_at_k([7, 3, 9, 1], {3, 1, 4}, 3) == pytest.approx(1 / 3)
    assert recall_at_k([7, 3, 9, 1], {3, 1, 4}, 4) == pytest.approx(2 / 3)


def test_ndcg_by_hand():
    # Hits at places 2 and 4; the ideal list of three has them at 1, 2, 3.
    gain = 1 / log2(3) + 1 / log2(5)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert ndcg_at_k([7, 3, 9, 1], {3, 1, 4}, 10) == pytest.approx(gain / ideal)


def test_ndcg_cuts_the_ideal_list_at_k():
    assert ndcg_at_k([1, 2], {1, 2, 3, 4}, 2) == 1.0


def test_nothing_relevant_is_refused():
    with pytest.raises(ValueError):
        recall_at_k([1], set(), 1)
    with pytest.raises(ValueError):
        ndcg_at_k([1], set(), 1)


def test_jaccard_by_hand():
    assert jaccard([1, 2, 3], [3, 4]) == 0.25
    assert jaccard([], []) == 0.0
    assert mean_pairwise_jaccard([[1, 2], [1, 2], [3, 4]]) == pytest.approx(1 / 3)
    assert mean_pairwise_jaccard([[1]]) is None


def test_r2_by_hand():
    assert r2_score([1, 2, 3], [1, 2, 3]) == 1.0
    assert r2_score([1, 2, 3], [2, 2, 2]) == 0.0
    assert r2_score([1, 2, 3], [1, 2, 5]) == pytest.approx(-1.0)
    assert r2_score([2, 2], [2, 2]) is None
    assert r2_score([], []) is None


@given(RANKED, RELEVANT, K)
def test_measures_stay_between_0_and_1(ranked, relevant, k):
    assert 0 <= ndcg_at_k(ranked, relevant, k) <= 1 + 1e-12
    assert 0 <= recall_at_k(ranked, relevant, k) <= 1


@given(RANKED, RELEVANT, K)
def test_what_stands_below_k_does_not_matter(ranked, relevant, k):
    assert ndcg_at_k(ranked, relevant, k) == ndcg_at_k(ranked[:k], relevant, k)


@given(RELEVANT, K)
def test_a_perfect_list_has_ndcg_1(relevant, k):
    assert ndcg_at_k(sorted(relevant), relevant, k) == pytest.approx(1.0)


@given(st.permutations(range(8)), st.sets(st.integers(0, 7), min_size=1, max_size=4), st.integers(1, 7))
def test_moving_a_hit_up_never_harms(ranked, relevant, place):
    if ranked[place] in relevant:
        better = [*ranked]
        better[place - 1], better[place] = better[place], better[place - 1]
        assert ndcg_at_k(better, relevant, 8) >= ndcg_at_k(ranked, relevant, 8) - 1e-12


@given(RANKED, RANKED)
def test_jaccard_is_symmetric(one, other):
    assert jaccard(one, other) == jaccard(other, one)
    assert not one or jaccard(one, one) == 1.0
