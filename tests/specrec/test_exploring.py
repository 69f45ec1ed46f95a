"""Tracks that nobody has yet: what orders them, and which places of a list they get."""

import numpy as np
import pytest

from specrec.catalogue import Catalogue, Track
from specrec.checkpoint import Version
from specrec.exploring import exploring_contributions, exploring_scores
from specrec.features import Scaling
from specrec.history import HistoryItem, fold
from specrec.interactions import Kind
from specrec.member import Member
from specrec.ranking import best_of
from specrec.serving import ServedModel
from tests.specrec.conftest import genre_of

MEMBER = "member-1-02"


def features(level):
    return np.array([level] * 5 + [-60 * level] + [level] * 2 + [200 * level], dtype=np.float32)


CATALOGUE = Catalogue.from_tracks(
    [
        Track("a1", "", ("Ann",), features(0.2)),
        Track("a2", "", ("Ann",), features(0.2)),
        Track("a3", "", ("Ann",), features(0.9)),
        Track("b1", "", ("Ben",), features(0.9)),
        Track("c1", "", ("Cem",), features(0.2)),
        Track("c2", "", ("Cem",), features(0.8)),
        Track("d1", "", ("Dee", "Ann")),
        Track("e1"),
    ]
)
SCALING = Scaling.fit(CATALOGUE.features)
VALUES, KNOWN = SCALING.apply(CATALOGUE.features)


def member_of(*items):
    return Member.fold_in(fold([HistoryItem(track, kind) for track, kind in items]), CATALOGUE, SCALING)


def scores_of(*items):
    return dict(zip(CATALOGUE.ids, exploring_scores(member_of(*items), CATALOGUE, VALUES, KNOWN), strict=True))


def test_the_most_heard_artist_and_the_nearest_sound_come_first():
    scores = scores_of(("a1", Kind.SAVED), ("b1", Kind.INTERACTION), ("b1", Kind.DISLIKED))
    assert scores["a2"] == max(scores.values()) == pytest.approx(2.0)
    assert scores["a2"] > scores["a3"] > scores["c2"] > 0
    assert scores["c1"] == pytest.approx(1.0)  # sounds the same, by somebody unknown
    assert scores["d1"] == pytest.approx(1.0)  # no sound known: the artist alone
    assert scores["e1"] == 0  # nothing is known of it
    assert scores["b1"] < 0.5  # what is disliked speaks for nothing


def test_an_empty_history_explores_nothing():
    assert set(scores_of().values()) == {0.0}


def test_contributions_are_what_the_score_falls_by():
    items = [("a1", Kind.SAVED), ("a3", Kind.TOP), ("c1", Kind.INTERACTION), ("e1", Kind.KNOWN)]
    rows = np.arange(len(CATALOGUE))
    member = member_of(*items)
    found = exploring_contributions(member, CATALOGUE, VALUES, KNOWN, rows)
    whole = exploring_scores(member, CATALOGUE, VALUES, KNOWN)
    for place, item in enumerate(member.history):
        if item.track_id == "c1":  # the most heard artist stays the same: so the scale does
            less = member_of(*[one for one in items if one[0] != "c1"])
            np.testing.assert_allclose(
                found[place], whole - exploring_scores(less, CATALOGUE, VALUES, KNOWN), atol=1e-6
            )
        if item.track_id == "e1":
            assert not found[place].any()
    assert found[0, 1] > found[1, 1]  # of the two by Ann the one that sounds like it says more


def test_the_best_of_the_candidates():
    scores = np.array([0.5, 0.9, 0.9, 0.0, 0.7])
    artists = [np.array([row]) for row in (0, 1, 1, 2, 3)]
    candidates = np.array([True, True, True, True, False])
    assert best_of(scores, candidates, artists.__getitem__, top=9) == [1, 2, 0]
    assert best_of(scores, candidates, artists.__getitem__, top=9, per_artist=1) == [1, 0]
    assert best_of(scores, candidates, artists.__getitem__, top=1) == [1]


@pytest.fixture(scope="module")
def model(trained, community):
    """The version of all tests, as if nobody had the tracks 30 to 39 of each genre."""
    heard = np.array([int(id_.split("-")[2]) < 30 for id_ in trained.model.catalogue.ids])
    return ServedModel(Version("v", trained.model.catalogue, {**trained.model.arrays, "heard": heard}, {}))


@pytest.fixture
def history(community):
    return [item for item in community.history(MEMBER) if int(item.track_id.split("-")[2]) < 30]


@pytest.mark.parametrize("kind", ["mix", "new"])
@pytest.mark.parametrize("explore", [1, 3])
def test_so_many_places_are_kept_at_the_end_and_the_rest_is_as_before(model, history, kind, explore):
    lines = model.recommend(history, kind=kind, explore=explore)
    assert [line.rank for line in lines] == list(range(1, 11))
    assert [line.unheard for line in lines] == [False] * (10 - explore) + [True] * explore
    for line in lines[-explore:]:
        assert int(line.track_id.split("-")[2]) >= 30
        assert genre_of(line.track_id) == genre_of(MEMBER)
        assert not line.known
        assert line.reason
        assert 0 <= line.match <= 1
    assert len({line.track_id for line in lines}) == 10
    artists = [model._catalogue.track(model._catalogue.ids.row(line.track_id)).artists[0] for line in lines]
    assert all(artists.count(artist) <= 2 for artist in artists)
    shorter = model.recommend(history, kind=kind, top=10 - explore, per_artist=0)
    free = model.recommend(history, kind=kind, explore=explore, per_artist=0)
    placed = {line.track_id for line in free[-explore:]}
    assert [line.track_id for line in free[:-explore]] == [
        line.track_id for line in shorter if line.track_id not in placed
    ] or placed & {line.track_id for line in shorter}


def test_the_reason_names_a_track_that_it_is_true_of(model, history):
    line = model.recommend(history, kind="new", explore=1)[-1]
    catalogue = model._catalogue
    titles = {catalogue.track(catalogue.ids.row(item.track_id)).title: item for item in history}
    named = [item for title, item in titles.items() if f"{title} " in line.reason]
    assert named, line.reason
    without = [item for item in history if item not in named]
    row = np.array([catalogue.ids.row(line.track_id)])
    values, known = model._values, model._known

    def score(items):
        member = Member.fold_in(fold(items), catalogue, model._scaling)
        return exploring_scores(member, catalogue, values, known)[row]

    assert score(without) < score(history)


def test_no_place_is_kept_where_there_is_nothing_to_explore(trained, model, history):
    assert not any(line.unheard for line in model.recommend(history, kind="familiar", explore=5))
    assert not any(line.unheard for line in model.recommend(history))
    assert model.recommend(history, explore=0) == model.recommend(history)
    everything = np.ones(len(trained.model.catalogue), dtype=bool)
    known = ServedModel(Version("v", trained.model.catalogue, {**trained.model.arrays, "heard": everything}, {}))
    assert known.recommend(history, explore=3) == known.recommend(history)


def test_never_all_places(model, history):
    lines = model.recommend(history, top=3, explore=9)
    assert [line.unheard for line in lines] == [False, True, True]
    assert not model.recommend(history, top=1, explore=1)[0].unheard


def test_what_the_member_knows_or_dislikes_is_not_explored(model, history):
    first = model.recommend(history, kind="new", explore=1)[-1].track_id
    for kind in (Kind.KNOWN, Kind.DISLIKED):
        lines = model.recommend([*history, HistoryItem(first, kind)], kind="new", explore=1)
        assert lines[-1].unheard
        assert lines[-1].track_id != first


def test_a_version_knows_what_anybody_had_and_what_was_set_aside_too(trained, community):
    heard = {row.track_id for row in community.interactions}
    assert [id_ in heard for id_ in trained.model.catalogue.ids] == trained.model.arrays["heard"].tolist()
