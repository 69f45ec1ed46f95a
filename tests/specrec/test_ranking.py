"""The rules of a list, for any catalogue."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specrec.ranking import top_k


@st.composite
def catalogues(draw):
    size = draw(st.integers(0, 40))
    column = lambda values: draw(st.lists(values, min_size=size, max_size=size))  # noqa: E731
    scores = np.array(column(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, -np.inf, np.nan])))
    known = np.array(column(st.booleans()), dtype=bool)
    excluded = np.array(column(st.sampled_from([False, False, False, True])), dtype=bool)
    artists = [
        np.array(names, dtype=np.int64) for names in column(st.lists(st.integers(0, 6), unique=True, max_size=2))
    ]
    return scores, known, excluded, artists


def chosen_from(catalogue, **options):
    scores, known, excluded, artists = catalogue
    return top_k(scores, known, excluded, artists.__getitem__, **options)


@given(catalogues(), st.integers(1, 12), st.sampled_from(["mix", "new", "familiar"]), st.integers(0, 3))
def test_rules_that_always_hold(catalogue, top, kind, per_artist):
    scores, known, excluded, artists = catalogue
    rows = chosen_from(catalogue, top=top, kind=kind, per_artist=per_artist)
    assert len(rows) <= top
    assert len(set(rows)) == len(rows)
    assert not excluded[rows].any()
    assert np.isfinite(scores[rows]).all()
    assert [(-scores[row], row) for row in rows] == sorted((-scores[row], row) for row in rows)
    if kind == "new":
        assert not known[rows].any()
    if kind == "familiar":
        assert known[rows].all()
    if per_artist:
        names = [name for row in rows for name in artists[row]]
        assert all(names.count(name) <= per_artist for name in names)


@given(catalogues(), st.integers(1, 12))
def test_mix_without_a_cap_keeps_both_quotas_wherever_the_catalogue_can(catalogue, top):
    scores, known, excluded, _ = catalogue
    listable = np.isfinite(scores) & ~excluded
    rows = chosen_from(catalogue, top=top, per_artist=0)
    assert len(rows) == min(top, listable.sum())
    new_places = min(ceil(0.6 * top), max(top - 1, 1))
    assert (~known[rows]).sum() >= min(new_places, (listable & ~known).sum())
    if top >= 2:
        assert known[rows].sum() >= min(1, (listable & known).sum())


def test_remaining_places_of_a_mix_go_by_score():
    scores = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    known = np.array([True] * 5 + [False] * 7)
    rows = top_k(scores, known, np.zeros(12, bool), lambda row: np.zeros(0, np.int64), top=10)
    assert rows == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_the_smallest_mixes():
    scores, known = np.array([3.0, 2.0, 1.0]), np.array([True, False, False])
    nobody = lambda row: np.zeros(0, np.int64)  # noqa: E731
    assert top_k(scores, known, np.zeros(3, bool), nobody, top=1) == [1]
    assert top_k(scores, known, np.zeros(3, bool), nobody, top=2) == [0, 1]


def test_ties_go_to_the_lower_row():
    rows = top_k(np.ones(5), np.zeros(5, bool), np.zeros(5, bool), lambda row: np.zeros(0, np.int64), top=3)
    assert rows == [0, 1, 2]


def test_a_cap_makes_the_list_shorter_rather_than_break():
    one_artist = lambda row: np.array([0])  # noqa: E731
    assert len(top_k(np.arange(9.0), np.zeros(9, bool), np.zeros(9, bool), one_artist, top=5)) == 2
    assert len(top_k(np.arange(9.0), np.zeros(9, bool), np.zeros(9, bool), one_artist, top=5, per_artist=0)) == 5


def test_a_list_without_places_is_refused():
    with pytest.raises(ValueError):
        top_k(np.ones(1), np.zeros(1, bool), np.zeros(1, bool), lambda row: np.zeros(0, np.int64), top=0)
