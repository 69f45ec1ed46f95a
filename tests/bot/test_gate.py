"""What the gate lets through, and what it says when it does not."""

import re

import pytest

from bot.services.gate import MIN_HELD_OUT, judge
from tests.bot.models import REPORT


def test_a_good_version_passes_without_a_word():
    assert judge(REPORT).accepted
    assert judge(REPORT).reason is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finite": False}, "not finite"),
        ({"distinct_top_tens": 1, "mean_jaccard": 1.0}, "collapsed: 5 members would get only 1 different"),
        ({"distinct_top_tens": 2}, "collapsed"),
        ({"mean_jaccard": 0.81}, "collapsed: two members' lists are the same for 81%"),
        ({"ndcg_at_10": {"model": 0.1, "popularity": 0.2}}, r"no better .* \(NDCG@10 0.100 against 0.200\)"),
        ({"ndcg_at_10": {"model": 0.2, "popularity": 0.2}}, "no better"),
        ({"ndcg_at_10": {"model": 0.0, "popularity": 0.0}}, "no better"),
    ],
)
def test_what_is_refused_and_why(changes, words):
    verdict = judge(REPORT | changes)
    assert not verdict.accepted
    assert re.search(words, verdict.reason or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"interactions_held_out": MIN_HELD_OUT - 1, "ndcg_at_10": {"model": 0.0, "popularity": 0.2}},
        {"interactions_held_out": 0, "ndcg_at_10": {"model": None, "popularity": None}},
        {"interactions_held_out": 0, "lists": 1, "distinct_top_tens": 1, "mean_jaccard": None},
    ],
)
def test_where_too_little_can_be_held_back_it_passes_and_says_so(changes):
    verdict = judge(REPORT | changes)
    assert verdict.accepted
    assert "too little to hold back" in (verdict.reason or "")


def test_a_collapse_is_seen_without_anything_held_back():
    assert not judge(REPORT | {"interactions_held_out": 0, "distinct_top_tens": 1, "mean_jaccard": 1.0}).accepted
