"""The tour's numbers, against ones worked out by hand."""

import pytest

from sandbox.community import make_community
from sandbox.report import genre_hit_rate, mean_jaccard, times
from sandbox.ten_lines import RecommendedLine


def line(track_id: str, *, known: bool) -> RecommendedLine:
    return RecommendedLine(1, track_id, "A title", "An artist", 0.5, "a reason", known)


def test_mean_jaccard_of_three_lists():
    assert mean_jaccard([["a", "b"], ["b", "c"], ["d", "e"]]) == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert mean_jaccard([["a"], ["a"]]) == 1.0


def test_one_list_alone_is_like_nothing():
    with pytest.raises(ValueError, match="no two lists"):
        mean_jaccard([["a"]])


def test_only_new_tracks_count_for_the_genre_hit_rate():
    community = make_community(3, tracks=800)
    ada = community.members[0]
    hit = next(id for id, genre in community.genre_of.items() if genre in ada.genres)
    miss = next(id for id, genre in community.genre_of.items() if genre not in ada.genres)
    lists = {
        ada.name: [line(hit, known=False), line(hit, known=False), line(miss, known=False), line(miss, known=True)]
    }
    assert genre_hit_rate(lists, community) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="No new track"):
        genre_hit_rate({ada.name: [line(hit, known=True)]}, community)


def test_times_are_percentiles():
    assert times([10.0]) == {"p50": 10.0, "p99": 10.0, "max": 10.0}
    assert times(list(range(101))) == {"p50": 50.0, "p99": 99.0, "max": 100.0}
