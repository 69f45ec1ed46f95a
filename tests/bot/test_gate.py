"""What the gate lets through, and what it says when it does not."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from bot.services.gate import FEWEST_MEASURED, Thresholds, coverage_reached, judge
from specrec.evaluation import HeldOut, evaluate
from specrec.features import Scaling
from specrec.interactions import Histories, set_aside
from specrec.paper.network import BEST, WORST, fit
from specrec.paper.ranker import OriginalRanker
from specrec.paper.steps import get_train_test_data
from specrec.tables import read_interactions
from tests.bot.models import REPORT
from tests.specrec.test_paper import write_original

LIVE = {"version": "20260704T120000Z-0a1b2c3d"}


def beside(mean, error, members=5):
    return {
        "live": LIVE,
        "beside_live": {
            "members": members,
            "model": 0.3,
            "live": None if mean is None else 0.3 - mean,
            "difference": {"mean": mean, "standard_error": error},
        },
    }


def test_a_good_version_passes_without_a_word():
    assert judge(REPORT).accepted
    assert judge(REPORT).reason is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finite": False, "spread": None}, "not finite"),
        ({"distinct_top_tens": 1, "inter_member_distance": 0.0}, "collapsed: 5 members would get only 1 different"),
        ({"distinct_top_tens": 2}, "collapsed"),
        ({"inter_member_distance": 0.19}, "collapsed: two members' lists are the same for 81%"),
        ({"spread": 0.003}, r"collapsed: all tracks match a member nearly the same, .* 0\.30 percentage points"),
        ({"lists": 500, "distinct_top_tens": 300, "tracks": 100_000, "coverage": 0.0005}, "only 1.0% of the tracks"),
        ({"ndcg_at_10": {"model": 0.1, "popularity": 0.2}}, r"no better .* \(NDCG@10 0.100 against 0.200\)"),
        ({"ndcg_at_10": {"model": 0.2, "popularity": 0.2}}, "no better"),
        ({"ndcg_at_10": {"model": 0.0, "popularity": 0.0}}, "no better"),
        (
            beside(-0.0501, 0.05),
            r"worse than the live version does: NDCG@10 0\.300 against 0\.350 with the same 5 members, a difference of "
            r"-0\.050 with a standard error of 0\.050",
        ),
    ],
)
def test_what_is_refused_and_why(changes, words):
    verdict = judge(REPORT | changes)
    assert not verdict.accepted
    assert re.search(words, verdict.reason)
    assert verdict.reason.count(". ") == 0  # one sentence


@pytest.mark.parametrize(("mean", "error"), [(-0.05, 0.05), (0.0, 0.0), (0.1, 0.01), (-0.01, 0.02)])
def test_what_is_not_worse_than_the_live_version_by_more_than_the_error_passes(mean, error):
    assert judge(REPORT | beside(mean, error)).accepted
    assert judge(REPORT | beside(mean, error)).reason is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"live": LIVE | {"fault": "x is damaged"}}, "could not be opened"),
        (beside(None, None, 0), "Too few members"),
        (beside(-0.3, None, 1), "Too few members"),
    ],
)
def test_where_the_live_version_cannot_be_compared_it_passes_and_says_so(changes, words):
    verdict = judge(REPORT | changes)
    assert verdict.accepted
    assert words in verdict.reason


@pytest.mark.parametrize("members", [0, FEWEST_MEASURED - 1])
def test_what_cannot_be_measured_is_not_promoted(members):
    unmeasured = {
        "members_measured": members,
        "interactions_held_out": 3 * members,
        "ndcg_at_10": {"model": None, "popularity": None},
    }
    verdict = judge(REPORT | unmeasured)
    assert not verdict.accepted
    assert f"too little to measure it by: {3 * members} interactions of {members} members" in verdict.reason
    alone = {"lists": 1, "distinct_top_tens": 1, "mean_jaccard": None, "inter_member_distance": None}
    assert "too little" in judge(REPORT | unmeasured | alone).reason


def test_a_collapse_is_seen_without_anything_held_back():
    nothing = {"members_measured": 0, "interactions_held_out": 0}
    assert "collapsed" in judge(REPORT | nothing | {"distinct_top_tens": 1, "inter_member_distance": 0.0}).reason


@pytest.mark.parametrize(
    ("name", "strict"), [("distinct", 1.01), ("coverage", 0.9), ("spread", 0.21), ("distance", 0.81)]
)
def test_each_threshold_counts(name, strict):
    """REPORT passes with the defaults; 5 lists of 80 tracks can hold 50, and hold 32."""
    verdict = judge(REPORT, replace(Thresholds(), **{name: strict}))
    assert not verdict.accepted
    assert "collapsed" in verdict.reason
    assert judge(REPORT, Thresholds(0.0, 0.0, 0.0, 0.0)).accepted


def test_coverage_is_of_what_so_many_lists_can_hold():
    assert coverage_reached({"lists": 5, "tracks": 80, "coverage": 0.4}) == pytest.approx(32 / 50)
    assert coverage_reached({"lists": 2000, "tracks": 80, "coverage": 0.4}) == pytest.approx(0.4)


@pytest.mark.parametrize("setting", [replace(BEST, epochs=4, batch_size=200), replace(WORST, epochs=4)])
def test_the_original_s_network_is_refused(tmp_path, setting):
    """It is asked like any version; that it has collapsed is said, whatever its lists happen to hit."""
    file = write_original(tmp_path / "original.csv", users=12, tracks=200, each=60)
    _, training, testing = get_train_test_data(file, np.random.default_rng(0))
    torch.manual_seed(0)
    network, _ = fit(training, testing, setting, lambda number, epoch: None)
    table = read_interactions(file)
    catalogue, interactions = table.tracks, table.interactions
    histories = Histories.of(interactions, np.array([catalogue.ids.row(id_) for id_ in interactions.tracks]))
    hidden = set_aside(histories, interactions.users.ids, catalogue.ids.ids)
    held_out = HeldOut(
        histories.keep(~hidden),
        histories.keep(hidden),
        interactions.users.ids,
        *Scaling.fit(catalogue.features).apply(catalogue.features),
    )
    report = evaluate(OriginalRanker(network, catalogue), held_out) | {"tracks": len(catalogue), "live": None}
    assert report["members_measured"] == 12
    verdict = judge(report)
    assert not verdict.accepted
    assert "It has collapsed: " in verdict.reason
    # Its lists look different only because everybody knows other tracks, and its predictions are two at most:
    assert report["distinct_top_tens"] <= 2
    assert report["coverage"] < 0.2
    blind = replace(Thresholds(), spread=0.0)
    assert f"12 members would get only {report['distinct_top_tens']} different lists" in judge(report, blind).reason
