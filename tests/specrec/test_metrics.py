"""Hand-computed answers, and what must hold for any list."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specrec.metrics import (
    coverage,
    coverage_error,
    distance_error,
    jackknife_error,
    mean_pairwise_jaccard,
    ndcg_at_k,
    pairwise_jaccard,
    r2_error,
    r2_score,
    recall_at_k,
    standard_error,
)

RELEVANT = st.sets(st.integers(0, 30), min_size=1, max_size=10)
RANKED = st.lists(st.integers(0, 30), unique=True, min_size=12, max_size=20)
K = st.integers(1, 12)
LISTS = st.lists(st.sets(st.integers(0, 12), max_size=5), min_size=3, max_size=8)


def of_one(measure, ranked, relevant, k):
    hits = np.isin(ranked, list(relevant))[None, :]
    return measure(hits, np.array([len(relevant)]), k).item()


def test_recall_by_hand():
    assert of_one(recall_at_k, [7, 3, 9, 1], {3, 1, 4}, 3) == pytest.approx(1 / 3)
    assert of_one(recall_at_k, [7, 3, 9, 1], {3, 1, 4}, 4) == pytest.approx(2 / 3)


def test_ndcg_by_hand():
    # Hits at places 2 and 4; the ideal list of three has them at 1, 2, 3.
    gain = 1 / log2(3) + 1 / log2(5)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert of_one(ndcg_at_k, [7, 3, 9, 1], {3, 1, 4}, 10) == pytest.approx(gain / ideal)


def test_ndcg_cuts_the_ideal_list_at_k():
    assert of_one(ndcg_at_k, [1, 2], {1, 2, 3, 4}, 2) == pytest.approx(1.0)


def test_each_member_has_their_own_figure():
    hits = np.array([[True, False, False], [False, False, True], [False, False, False]])
    relevant = np.array([1, 2, 5])
    assert recall_at_k(hits, relevant, 3).tolist() == [1.0, 0.5, 0.0]
    assert ndcg_at_k(hits, relevant, 3) == pytest.approx([1.0, 0.5 / (1 + 1 / log2(3)), 0.0])


@pytest.mark.parametrize("measure", [recall_at_k, ndcg_at_k])
def test_nothing_relevant_is_refused(measure):
    with pytest.raises(ValueError, match="relevant"):
        measure(np.array([[True], [False]]), np.array([1, 0]), 1)


def test_jaccard_by_hand():
    assert pairwise_jaccard([[1, 2, 3], [3, 4]]) == pytest.approx(np.array([[1, 0.25], [0.25, 1]]))
    assert pairwise_jaccard([[], []])[0, 1] == 0.0
    assert mean_pairwise_jaccard([[1, 2], [1, 2], [3, 4]]) == pytest.approx(1 / 3)
    assert mean_pairwise_jaccard([[1]]) is None
    # Without one of the two that agree nothing is shared; without the third everything is: 1 − J = 1, 1, 0.
    assert distance_error([[1, 2], [1, 2], [3, 4]]) == pytest.approx((2 / 3 * (2 / 9 + 4 / 9)) ** 0.5)
    assert distance_error([[1], [1]]) is None


def test_coverage_by_hand():
    lists = np.array([[0, 1], [1, 2], [1, -1]])
    assert coverage(lists, 5) == pytest.approx(3 / 5)
    # 0 is gone without the first member, 2 without the second: 2/5, 2/5, 3/5.
    assert coverage_error(lists, 5) == pytest.approx(jackknife_error(np.array([0.4, 0.4, 0.6])))
    assert coverage(np.full((2, 2), -1), 5) == 0.0
    assert coverage_error(np.full((2, 2), -1), 5) == 0.0
    assert coverage_error(lists[:1], 5) is None


def test_r2_by_hand():
    assert r2_score([1, 2, 3], [1, 2, 3]) == 1.0
    assert r2_score([1, 2, 3], [2, 2, 2]) == 0.0
    assert r2_score([1, 2, 3], [1, 2, 5]) == pytest.approx(-1.0)
    assert r2_score([2, 2], [2, 2]) is None
    assert r2_score([], []) is None


def test_the_error_of_r2_leaves_one_member_out_at_a_time():
    rng = np.random.default_rng(2)
    members = np.array([4, 4, 4, 7, 7, 9, 9, 9, 9])
    actual = rng.random(9)
    predicted = actual + rng.normal(0, 0.1, 9)
    without = [r2_score(actual[members != member], predicted[members != member]) for member in (4, 7, 9)]
    assert r2_error(actual, predicted, members) == pytest.approx(jackknife_error(np.array(without)))
    assert r2_error(actual, predicted, np.zeros(9, dtype=np.int64)) is None
    assert r2_error([], [], np.array([])) is None
    assert r2_error([1, 1, 2], [1, 1, 2], np.array([0, 0, 1])) is None  # without member 1 nothing varies


def test_standard_error_by_hand():
    assert standard_error(np.array([1.0, 2.0, 3.0])) == pytest.approx(1 / 3**0.5)
    assert standard_error(np.array([1.0])) is None


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20))
def test_the_jackknife_of_a_mean_is_its_standard_error(values):
    numbers = np.array(values)
    without = (numbers.sum() - numbers) / (len(numbers) - 1)
    assert jackknife_error(without) == pytest.approx(standard_error(numbers), abs=1e-9)


@given(RANKED, RELEVANT, K)
def test_measures_stay_between_0_and_1(ranked, relevant, k):
    assert 0 <= of_one(ndcg_at_k, ranked, relevant, k) <= 1 + 1e-12
    assert 0 <= of_one(recall_at_k, ranked, relevant, k) <= 1


@given(RANKED, RELEVANT, K)
def test_what_stands_below_k_does_not_matter(ranked, relevant, k):
    for measure in (ndcg_at_k, recall_at_k):
        assert of_one(measure, ranked, relevant, k) == pytest.approx(of_one(measure, ranked[:k], relevant, k))


@given(RELEVANT, K)
def test_a_perfect_list_has_ndcg_1(relevant, k):
    assert of_one(ndcg_at_k, sorted(relevant) + [99] * 12, relevant, k) == pytest.approx(1.0)


@given(RANKED, RELEVANT)
def test_a_longer_list_never_recalls_less(ranked, relevant):
    recalls = [of_one(recall_at_k, ranked, relevant, k) for k in range(1, len(ranked) + 1)]
    assert recalls == sorted(recalls)


@given(st.permutations(range(8)), st.sets(st.integers(0, 7), min_size=1, max_size=4), st.integers(1, 7))
def test_moving_a_hit_up_never_harms(ranked, relevant, place):
    if ranked[place] in relevant:
        better = [*ranked]
        better[place - 1], better[place] = better[place], better[place - 1]
        assert of_one(ndcg_at_k, better, relevant, 8) >= of_one(ndcg_at_k, ranked, relevant, 8) - 1e-12


@given(LISTS)
def test_jaccard_is_symmetric_and_as_sets_have_it(lists):
    shared = pairwise_jaccard(lists)
    assert (shared == shared.T).all()
    for row, one in enumerate(lists):
        for column, other in enumerate(lists):
            assert shared[row, column] == pytest.approx(len(one & other) / len(one | other) if one | other else 0.0)


@given(LISTS)
def test_the_error_of_the_distance_leaves_one_list_out_at_a_time(lists):
    without = [1 - mean_pairwise_jaccard(lists[:i] + lists[i + 1 :]) for i in range(len(lists))]
    assert distance_error(lists) == pytest.approx(jackknife_error(np.array(without)), abs=1e-9)


@given(LISTS)
def test_the_error_of_the_coverage_leaves_one_list_out_at_a_time(lists):
    rows = np.array([[*entries, *[-1] * (5 - len(entries))] for entries in lists])
    without = [coverage(np.delete(rows, i, axis=0), 20) for i in range(len(rows))]
    assert coverage_error(rows, 20) == pytest.approx(jackknife_error(np.array(without)), abs=1e-9)
