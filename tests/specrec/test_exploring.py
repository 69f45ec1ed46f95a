"""Tracks that nobody has yet: which of them get the places of a list that are kept for such."""

import numpy as np
import pytest

from specrec.catalogue import Catalogue, Track
from specrec.checkpoint import Version
from specrec.history import HistoryItem, fold
from specrec.interactions import Interactions, Kind
from specrec.member import Member
from specrec.ranking import best_of
from specrec.serving import ServedModel
from specrec.training import TrainingOptions, train
from tests.specrec.conftest import GENRES, QUICK, genre_of

MEMBER = "member-1-02"


def test_the_best_of_the_candidates():
    scores = np.array([0.5, 0.9, 0.9, 0.0, 0.7])
    artists = [np.array([row]) for row in (0, 1, 1, 2, 3)]
    candidates = np.array([True, True, True, True, False])
    scores[3] = -np.inf
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
    row = catalogue.ids.row(line.track_id)
    whole = model._scorer.rank(Member.fold_in(fold(history), catalogue, model._scaling))
    without = [item for item in history if item not in named]
    less = model._scorer.rank(Member.fold_in(fold(without), catalogue, model._scaling), whole)
    assert less.ranking[row] < whole.ranking[row]


def test_a_track_without_any_listener_is_reached_by_how_it_sounds_and_who_made_it(community):
    """Of each genre four tracks that the training has never seen; two have a known artist, two an unknown one."""
    features = {track.track_id: track.features for track in community.tracks}
    fresh = [
        Track(
            f"track-{genre}-{80 + number}",
            f"Fresh {number} of {genre}",
            (f"Artist {genre}-{number}" if number < 2 else f"Newcomer {genre}-{number}",),
            features[f"track-{genre}-{10 + number:02}"] + np.float32(0.002),
        )
        for genre in range(GENRES)
        for number in range(4)
    ]
    options = TrainingOptions(seed=1, device="cpu", hold_out=False, schedule=QUICK)
    catalogue = Catalogue.from_tracks([*community.tracks, *fresh])
    arrays = train(Interactions.from_records(community.interactions), catalogue, options=options).model.arrays
    model = ServedModel(Version("v", catalogue, arrays, {}))
    for genre in range(GENRES):
        lines = model.recommend(community.history(f"member-{genre}-01"), kind="new", explore=3)
        assert [line.unheard for line in lines] == [False] * 7 + [True] * 3
        assert not {line.track_id for line in lines[-3:]} & {row.track_id for row in community.interactions}
        assert {genre_of(line.track_id) for line in lines[-3:]} == {genre}


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
