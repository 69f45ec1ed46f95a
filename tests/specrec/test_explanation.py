"""A reason never speaks of a feature that is not known on both sides."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from specrec.catalogue import Track
from specrec.features import AUDIO_FEATURES, FEATURES
from specrec.interactions import Kind
from specrec.serving import ContentRecommender, HistoryItem

SPREAD = {"loudness": (-20.0, 0.0), "tempo": (60.0, 180.0)}


def number(feature):
    low, high = SPREAD.get(feature.name, (0.0, 1.0))
    return st.just(math.nan) | st.floats(low, high, width=32)


TRACKS = st.lists(st.tuples(*(number(feature) for feature in AUDIO_FEATURES)), min_size=2, max_size=12)


@settings(deadline=None)
@given(features=TRACKS, mine=st.integers(1, 5))
def test_unknown_features_are_never_named(features, mine):
    tracks = [
        Track(f"t{place:02}", f"Title {place}", (f"Artist {place}",), np.array(values, dtype=np.float32))
        for place, values in enumerate(features)
    ]
    held = tracks[: min(mine, len(tracks) - 1)]
    by_id = {track.track_id: track for track in tracks}
    history = [HistoryItem(track.track_id, Kind.SAVED, 1.0) for track in held]
    known_to_me = np.isfinite(np.array([track.features for track in held])).any(axis=0)
    for one in ContentRecommender(tracks).recommend(history):
        known = np.isfinite(by_id[one.track_id].features)
        for place, name in enumerate(FEATURES):
            if AUDIO_FEATURES[place].label in one.reason:
                assert known[place], (name, one.reason)
                assert known_to_me[place], (name, one.reason)
