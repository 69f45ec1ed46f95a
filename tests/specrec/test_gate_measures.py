"""What the gate decides from: two versions on the same hidden pairs, and signs of a collapse, by hand."""

import numpy as np
import pytest

from specrec.catalogue import Catalogue, Track
from specrec.evaluation import HeldOut, evaluate
from specrec.features import Scaling
from specrec.history import HistoryItem, fold
from specrec.interactions import Histories, Interaction, Interactions, Kind, set_aside
from specrec.member import Member
from specrec.rankers import VersionRanker
from specrec.scoring import ModelScorer, Scores

TRACKS = 40


class Listed:
    """Ranks the tracks of its own catalogue as it is told to, the same for everybody or for each member."""

    def __init__(self, rows, orders, size=TRACKS):
        self.rows = np.array(rows)
        self.size = size
        self.orders = orders

    def score(self, member_id, rows, weights):
        scores = np.zeros(self.size, dtype=np.float32)
        order = self.orders[member_id] if isinstance(self.orders, dict) else self.orders
        scores[order] = np.linspace(1.0, 0.5, len(order))
        return Scores(scores, scores)

    def compatibilities(self, member_id, rows, weights):
        return self.score(member_id, rows, weights).match


def held_out(given, hidden, members=("a", "b", "c")):
    def histories(pairs):
        starts = np.concatenate(([0], np.cumsum([len(rows) for rows in pairs])))
        tracks = np.array([row for rows in pairs for row in rows], dtype=np.int64)
        return Histories(starts, tracks, np.ones(len(tracks), dtype=np.float32))

    nothing = np.zeros((TRACKS, 9), dtype=np.float32), np.zeros((TRACKS, 9), dtype=bool)
    return HeldOut(histories(given), histories(hidden), members, *nothing)


SAME = list(range(TRACKS))
HELD_OUT = held_out([[30], [31], [32]], [[0], [1], [2]])


def test_the_difference_is_paired_over_the_members():
    """The new version has each one's track first; the live one at places 1 and 3, and does not have the third yet."""
    new = Listed(SAME, {"a": [0], "b": [1], "c": [2]})
    without_2 = [0, 1, -1, *range(2, TRACKS - 1)]
    live = Listed(without_2, {"a": [0], "b": [5, 6, 1], "c": [0]}, TRACKS - 1)
    beside = evaluate(new, HELD_OUT, live)["beside_live"]
    differences = np.array([0.0, 1 - 1 / np.log2(4), 1.0])
    assert beside["members"] == 3
    assert beside["model"] == pytest.approx(1.0)
    assert beside["live"] == pytest.approx(1 - differences.mean())
    assert beside["difference"]["mean"] == pytest.approx(differences.mean())
    assert beside["difference"]["standard_error"] == pytest.approx(differences.std(ddof=1) / 3**0.5)


def test_who_may_have_been_learned_whole_takes_no_part():
    misses = list(range(10, 20))
    new, live = Listed(SAME, {"a": [0], "b": [1], "c": misses}), Listed(SAME, {"a": [0], "b": misses, "c": [2]})
    assert evaluate(new, HELD_OUT, live)["beside_live"]["difference"]["mean"] == pytest.approx(0.0)
    beside = evaluate(new, HELD_OUT, live, ["c", "somebody else"])["beside_live"]
    assert (beside["members"], beside["difference"]["mean"]) == (2, pytest.approx(0.5))
    nobody = evaluate(new, HELD_OUT, live, ["a", "b", "c"])["beside_live"]
    assert nobody == {
        "members": 0,
        "model": None,
        "live": None,
        "difference": {"mean": None, "standard_error": None},
    }
    assert evaluate(new, HELD_OUT)["beside_live"] is None


def test_one_order_for_everybody_is_seen_whatever_each_knows():
    """Each member knows two other tracks of the first twelve, so that no two lists are the same."""
    given = [[0, 1], [2, 3], [4, 5]]
    report = evaluate(Listed(SAME, list(range(20))), held_out(given, [[20], [21], [22]]))
    assert report["lists"] == 3
    assert report["mean_jaccard"] == pytest.approx(8 / 12)
    assert report["inter_member_distance"] == pytest.approx(4 / 12)
    assert report["distinct_top_tens"] == 1
    assert report["coverage"] == pytest.approx(12 / TRACKS)
    own = {"a": [0, 10, 20], "b": [1, 11, 21], "c": [2, 12, 22]}
    assert evaluate(Listed(SAME, own), held_out(given, [[20], [21], [22]]))["distinct_top_tens"] == 3


def test_the_spread_is_that_of_one_member_s_matches():
    order = {"a": [0], "b": [1], "c": [2]}
    report = evaluate(Listed(SAME, order), HELD_OUT)
    one = np.zeros(TRACKS)
    one[0] = 1.0
    assert report["spread"] == pytest.approx(one.std())
    assert evaluate(Listed(SAME, []), HELD_OUT)["spread"] == 0


@pytest.fixture(scope="module")
def scorer(trained):
    return ModelScorer(trained.model.catalogue, trained.model.arrays)


def test_a_version_beside_itself_differs_by_nothing(trained, scorer, community):
    interactions = Interactions.from_records(community.interactions)
    catalogue = trained.model.catalogue
    histories = Histories.of(interactions, np.array([catalogue.ids.row(id_) for id_ in interactions.tracks]))
    hidden = set_aside(histories, interactions.users.ids, catalogue.ids.ids)
    features = Scaling.fit(catalogue.features).apply(catalogue.features)
    pairs = HeldOut(histories.keep(~hidden), histories.keep(hidden), interactions.users.ids, *features)
    ranker = VersionRanker(scorer, catalogue)
    report = evaluate(ranker, pairs, ranker)
    assert report["beside_live"]["difference"] == {"mean": 0.0, "standard_error": 0.0}
    assert report["beside_live"]["model"] == report["ndcg_at_10"]["model"] == trained.report["ndcg_at_10"]["model"]


def test_a_version_is_asked_as_it_serves_whatever_it_was_trained_on(trained, scorer, community):
    """Today's catalogue has tracks that the version does not: they count by the sound and artists that they bring."""
    newer = [
        Track("new-1", "", ("Artist 2-3", "Nobody"), community.tracks[100].features),
        Track("0-new", "", (), community.tracks[90].features),
        Track("new-2"),
    ]
    catalogue = Catalogue.from_tracks([*community.tracks[:120], *newer])
    history = [item for item in community.history("member-2-03") if item.track_id in catalogue.ids]
    history += [HistoryItem(track.track_id, Kind.SAVED, track=track) for track in newer]
    member = Member.fold_in(fold(history), scorer.catalogue, scorer.scaling)
    rows = np.array([catalogue.ids.row(item.track_id) for item in member.history])
    ranker, asked = VersionRanker(scorer, catalogue), ("whoever", rows, member.weights)
    np.testing.assert_allclose(ranker.score(*asked).ranking, scorer.score(member).ranking, atol=1e-6)
    np.testing.assert_allclose(ranker.compatibilities(*asked), scorer.compatibilities(member), atol=1e-6)


def test_a_table_of_one_member_measures_nothing_and_says_so():
    one = held_out([[3]], [[]], ("a",))
    report = evaluate(Listed(SAME, [1, 2]), one, Listed(SAME, [1]))
    assert (report["members_measured"], report["mean_jaccard"], report["inter_member_distance"]) == (0, None, None)
    assert report["beside_live"]["members"] == 0


def test_what_is_hidden_is_a_tenth_and_none_of_those_with_few():
    rows = [Interaction("many", f"t{number}") for number in range(400)]
    rows += [Interaction("few", f"t{number}") for number in range(9)]
    interactions = Interactions.from_records(rows)
    histories = Histories.of(interactions)
    hidden = set_aside(histories, interactions.users.ids, interactions.tracks.ids)
    assert 20 <= hidden.sum() <= 60
    assert set(histories.members[hidden]) == {interactions.users.row("many")}
