"""Standardising, taste profiles and compatibility: by hand, and with unknown values."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specrec.compatibility import compatibility
from specrec.features import AUDIO_FEATURES, CLIP, FEATURES, Scaling
from specrec.history import HistoryItem, fold
from specrec.interactions import Histories, Interaction, Interactions, Kind, taste_weight
from specrec.taste import TasteProfile


def rows(*values):
    """Tracks of which only the first feature is given (NaN: unknown), the others unknown."""
    features = np.full((len(values), len(FEATURES)), np.nan, dtype=np.float32)
    features[:, 0] = values
    return features


def test_standardising_by_hand():
    scaling = Scaling.fit(rows(0.0, 0.1, 0.2, 0.3, 0.4))
    assert scaling.centre[0] == pytest.approx(0.2)
    assert scaling.spread[0] == pytest.approx(max(0.2 / 1.349, 0.36 / 3.290))
    values, known = scaling.apply(rows(0.2, np.nan))
    assert values[:, 0].tolist() == [0.0, 0.0]
    assert known[:, 0].tolist() == [True, False]
    assert not known[:, 1:].any()


def test_an_outlier_moves_nothing():
    calm = np.linspace(0.4, 0.6, 200)
    assert Scaling.fit(rows(*calm, 1e6)).spread[0] == pytest.approx(Scaling.fit(rows(*calm)).spread[0], rel=0.05)


def test_a_feature_without_variation_has_spread_1():
    scaling = Scaling.fit(rows(0.3, 0.3))
    assert (scaling.centre[0], scaling.spread[0]) == (pytest.approx(0.3), 1.0)
    assert Scaling.fit(rows()).spread.tolist() == [1.0] * 9


def test_a_profile_divides_by_the_weights_of_what_is_known():
    values, known = np.zeros((4, 9), np.float32), np.zeros((4, 9), bool)
    values[:, 0], known[:, 0] = (1.0, 4.0, 100.0, 50.0), (True, True, False, True)
    profile = TasteProfile.of(values, known, np.array([2.0, 1.0, 5.0, -3.0], np.float32))
    assert profile.values[0] == pytest.approx((2 * 1 + 1 * 4) / 3)  # unknown and disliked tracks take no part
    assert profile.known.tolist() == [True] + [False] * 8


def test_profiles_without_each_track():
    rng = np.random.default_rng(5)
    values, known = rng.normal(size=(6, 9)).astype(np.float32), rng.random((6, 9)) < 0.7
    weights = np.array([1, 2, 0, 3, -1, 0.5], np.float32)
    without = TasteProfile.without_each(values, known, weights)
    for left_out in range(6):
        rest = np.arange(6) != left_out
        expected = TasteProfile.of(values[rest], known[rest], weights[rest])
        np.testing.assert_allclose(without.values[left_out], expected.values, atol=1e-5)
        np.testing.assert_array_equal(without.known[left_out], expected.known)


def test_compatibility_by_hand():
    profile = TasteProfile(
        np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 2.0], np.float32), np.array([True] * 2 + [False] * 6 + [True])
    )
    values, known = np.zeros((3, 9), np.float32), np.ones((3, 9), bool)
    values[1] = profile.values
    known[2] = ~profile.known
    scores = compatibility(profile, values, known)
    assert scores[0] == pytest.approx(np.exp(-np.sqrt((1 + 0 + 4) / 3)))
    assert scores[1] == 1.0
    assert scores[2] == 0.0  # nothing known on both sides


def test_weights_by_hand():
    assert taste_weight(Kind.PLAYLIST) == 1.0
    assert taste_weight(Kind.SAVED, 3) == 1.5 * 2
    assert taste_weight(Kind.DISLIKED, 7) == -1.5 * 3
    assert taste_weight(Kind.KNOWN, 50) == 0.0


def test_a_profile_from_kinds_and_counts_by_hand():
    """Saved once (1.5), played seven times (3), disliked, and of unknown sound: (1.5 · 2 + 3 · 5) / 4.5 = 4."""
    interactions = Interactions.from_records(
        [
            Interaction("me", "a", Kind.SAVED),
            Interaction("me", "b", Kind.STREAMED, 7),
            Interaction("me", "c", Kind.DISLIKED),
            Interaction("me", "d", Kind.LIKED),
        ]
    )
    values, known = np.zeros((4, 9), np.float32), np.zeros((4, 9), bool)
    values[:, 2], known[:, 2] = (2.0, 5.0, 1000.0, 0.0), (True, True, True, False)
    profile = TasteProfile.of(values, known, Histories.of(interactions).weights)
    assert profile.values[2] == pytest.approx(4.0)


def test_a_history_folds_its_kinds_into_one_weight_a_track():
    items = [
        HistoryItem("b", Kind.SAVED),
        HistoryItem("b", Kind.STREAMED, 3),
        HistoryItem("a", Kind.LIKED),
        HistoryItem("a", Kind.DISLIKED),
        HistoryItem("c", Kind.KNOWN, 2),
    ]
    folded = fold(items)
    assert [(track.track_id, track.weight, track.kind) for track in folded] == [
        ("a", -1.5, Kind.DISLIKED),
        ("b", pytest.approx(1.5 + 1.0 * log2(1 + 3)), Kind.SAVED),
        ("c", 0.0, Kind.KNOWN),
    ]
    assert fold(items[::-1]) == folded


IN_RANGE = st.lists(
    st.tuples(*(st.just(float("nan")) | st.floats(feature.low, feature.high, width=32) for feature in AUDIO_FEATURES)),
    min_size=1,
    max_size=12,
).map(lambda tracks: np.array(tracks, dtype=np.float32))


@given(IN_RANGE)
def test_standardised_values_are_finite_clipped_and_masked(features):
    scaling = Scaling.fit(features)
    values, known = scaling.apply(features)
    assert (scaling.spread > 0).all()
    assert (np.abs(values) <= CLIP).all()
    assert (values[~known] == 0).all()
    np.testing.assert_array_equal(known, ~np.isnan(features))


@given(
    st.lists(st.integers(40, 220), min_size=3, max_size=30, unique=True),
    st.sampled_from([1 / 60, 0.5, 4.0]),
    st.sampled_from([-100.0, 0.0, 30.0]),
)
def test_the_unit_of_a_feature_makes_no_difference(numbers, factor, shift):
    """What swamped the original's score: in another unit a feature is standardised to the same values."""
    tempo, other = rows(*numbers), rows(*(number * factor + shift for number in numbers))
    expected, _ = Scaling.fit(tempo).apply(tempo)
    np.testing.assert_allclose(Scaling.fit(other).apply(other)[0], expected, atol=1e-3)


def masked(draw, shape):
    numbers = st.floats(-CLIP, CLIP, width=32)
    size = int(np.prod(shape))
    known = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=bool).reshape(shape)
    values = np.array(draw(st.lists(numbers, min_size=size, max_size=size)), dtype=np.float32).reshape(shape)
    return np.where(known, values, np.float32(0)), known


@st.composite
def histories(draw):
    values, known = masked(draw, (draw(st.integers(1, 6)), 9))
    weight = st.sampled_from([-1.5, 0.0, 0.5, 1.0, 1.5, 2.0, 20.0])
    return values, known, np.array(draw(st.lists(weight, min_size=len(values), max_size=len(values))), np.float32)


@given(histories(), st.randoms(use_true_random=False))
def test_a_profile_is_a_mean(history, random):
    values, known, weights = history
    profile = TasteProfile.of(values, known, weights)
    counted = known & (weights > 0)[:, None]
    np.testing.assert_array_equal(profile.known, counted.any(axis=0))
    assert (profile.values[~profile.known] == 0).all()
    low = np.where(counted, values, np.inf).min(axis=0)
    high = np.where(counted, values, -np.inf).max(axis=0)
    inside = (profile.values >= low - 1e-4) & (profile.values <= high + 1e-4)
    assert inside[profile.known].all()
    # Neither the order of the tracks nor a common factor of the weights matters.
    order = np.array(random.sample(range(len(values)), len(values)))
    shuffled = TasteProfile.of(values[order], known[order], weights[order] * 4)
    np.testing.assert_allclose(shuffled.values, profile.values, atol=1e-5)
    np.testing.assert_array_equal(shuffled.known, profile.known)


@st.composite
def pairs(draw):
    return masked(draw, (9,)), masked(draw, (9,))


@given(pairs())
def test_compatibility_is_the_same_from_both_sides_and_between_0_and_1(pair):
    (profile, profile_known), (track, track_known) = pair
    score = compatibility(TasteProfile(profile, profile_known), track, track_known)
    assert score == compatibility(TasteProfile(track, track_known), profile, profile_known)
    both = profile_known & track_known
    if both.any():
        assert score == pytest.approx(float(np.exp(-np.sqrt(np.mean((profile - track)[both] ** 2)))), abs=1e-6)
        assert 0 < score <= 1
    else:
        assert score == 0


@given(pairs(), st.floats(-CLIP, CLIP, width=32))
def test_what_is_unknown_on_one_side_has_no_say(pair, anything):
    (profile, profile_known), (track, track_known) = pair
    other = np.where(profile_known, track, np.float32(anything))
    side = TasteProfile(profile, profile_known)
    assert compatibility(side, other, track_known) == compatibility(side, track, track_known)
