"""What lies further back counts for less: by hand, the same in training and in serving, and in a list."""

from datetime import UTC, datetime, timedelta
from math import inf, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specrec.catalogue import Catalogue
from specrec.checkpoint import Version
from specrec.history import HistoryItem, fold
from specrec.interactions import Histories, Interaction, Interactions, Kind
from specrec.recency import DAY, FAINTEST, recency
from specrec.serving import ServedModel
from specrec.training import TrainingOptions, train
from tests.specrec.conftest import BRIEF, genre_of

NEWEST = datetime(2026, 5, 1, tzinfo=UTC)
LONG_AGO = st.integers(0, 4_000).map(lambda days: NEWEST - timedelta(days=days))
ROW = st.builds(
    Interaction,
    st.sampled_from(["ann", "bea"]),
    st.sampled_from("abcd"),
    st.sampled_from(Kind),
    st.integers(1, 9).map(float),
    st.none() | LONG_AGO,
)
HALF_LIFE = st.floats(0.1, 5_000) | st.just(inf)


def test_it_halves_with_every_half_life_down_to_a_tenth():
    before = DAY * np.array([0, 30, 60, 45, 30_000, np.nan])
    assert recency(before, 30) == pytest.approx([1, 0.5, 0.25, 2**-1.5, FAINTEST, 1])
    assert recency(before, inf).tolist() == [1] * 6


def test_a_history_by_hand():
    """Saved a half-life ago (0.75) and streamed now (2), disliked long ago (−1.5), liked at no known time (2)."""
    items = [
        HistoryItem("a", Kind.SAVED, 1, NEWEST - timedelta(days=30)),
        HistoryItem("a", Kind.STREAMED, 3, NEWEST),
        HistoryItem("b", Kind.DISLIKED, 1, NEWEST - timedelta(days=3_000)),
        HistoryItem("c", Kind.LIKED),
    ]
    assert [one.weight for one in fold(items, 30)] == pytest.approx([0.75 + 2, -1.5, 2])
    assert [one.weight for one in fold(items)] == pytest.approx([1.5 + 2, -1.5, 2])


@given(st.lists(ROW, max_size=20), HALF_LIFE)
def test_training_and_serving_weigh_alike(rows, half_life):
    interactions = Interactions.from_records(rows)
    histories = Histories.of(interactions, half_life_days=half_life)
    for row, user in enumerate(interactions.users):
        items = [HistoryItem(one.track_id, one.kind, one.weight, one.timestamp) for one in rows if one.user_id == user]
        tracks, weights = histories.of_member(row)
        folded = fold(items, half_life)
        assert [interactions.tracks.ids[track] for track in tracks] == [one.track_id for one in folded]
        assert weights == pytest.approx([one.weight for one in folded], rel=1e-5)


def test_plays_one_by_one_weigh_as_their_count():
    rows = [Interaction("ann", "a", Kind.STREAMED, 1, NEWEST - timedelta(days=day)) for day in range(7)]
    histories = Histories.of(Interactions.from_records(rows))
    assert histories.weights.tolist() == [log2(1 + 7)]


def test_a_version_says_within_how_long_what_was_done_counts_half(community):
    interactions = Interactions.from_records(community.interactions)
    for half_life, said in ((60.0, 60.0), (inf, None)):
        options = TrainingOptions(schedule=BRIEF, half_life_days=half_life)
        assert train(interactions, Catalogue.from_tracks([]), options=options).report["half_life_days"] == said


def test_a_list_follows_what_was_heard_lately(community, trained):
    """Somebody who went from one genre to another: without recency the list is of both, with it of the new one."""
    tracks = sorted(track.track_id for track in community.tracks)
    old, new = ([track for track in tracks if genre_of(track) == genre][:12] for genre in (0, 1))
    history = [HistoryItem(track, Kind.STREAMED, 3, NEWEST - timedelta(days=2_000)) for track in old]
    history += [HistoryItem(track, Kind.STREAMED, 3, NEWEST) for track in new]
    of_new = []
    for half_life in (None, 60.0):
        model = ServedModel(Version("v", trained.model.catalogue, trained.model.arrays, {"half_life_days": half_life}))
        lines = model.recommend(history, kind="new", per_artist=0)
        of_new.append(sum(genre_of(line.track_id) == 1 for line in lines))
    assert of_new[0] <= 7
    assert of_new[1] >= 9
