"""A small community made up for the tests: members with a genre each, tracks with sound and artists to match."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from specrec.catalogue import Catalogue, Track
from specrec.fitting import Schedule
from specrec.history import HistoryItem
from specrec.interactions import Interaction, Interactions, Kind
from specrec.training import TrainingOptions, TrainingResult, train

# How quickly a busy machine draws examples says nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

GENRES = 4
TRACKS_PER_GENRE = 40
MEMBERS_PER_GENRE = 6
TRACKS_PER_MEMBER = 18
QUICK = Schedule(max_steps=60, check_every=20, compatibility_steps=150, compatibility_pairs=256, sound_steps=60)
# Where not how well it learns is asked, but what it does with odd data.
BRIEF = Schedule(max_steps=10, check_every=5, compatibility_steps=10, compatibility_pairs=64, sound_steps=10)
# Steps so long that the numbers run away.
DIVERGING = replace(QUICK, learning_rate=1e30)


@dataclass(frozen=True)
class Community:
    interactions: list[Interaction]
    tracks: list[Track]

    def history(self, user_id: str) -> list[HistoryItem]:
        return [HistoryItem(row.track_id, row.kind, row.weight) for row in self.interactions if row.user_id == user_id]


def genre_of(id_: str) -> int:
    """Ids of members and tracks carry the genre: member-2-05, track-2-17."""
    return int(id_.split("-")[1])


def make_community(seed: int = 1) -> Community:
    rng = np.random.default_rng(seed)
    tracks, interactions = [], []
    for genre in range(GENRES):
        middle = rng.uniform(0.15, 0.85, size=9)
        for number in range(TRACKS_PER_GENRE):
            features = np.clip(middle + rng.normal(0, 0.08, size=9), 0, 1)
            features[5], features[8] = -20 * features[5], 60 + 100 * features[8]  # dB, BPM
            if number == 0:
                features[:] = np.nan  # one track of each genre has never been analysed
            tracks.append(
                Track(
                    f"track-{genre}-{number:02}",
                    f"Song {number} of {genre}",
                    (f"Artist {genre}-{number % 12}",),
                    features.astype(np.float32),
                )
            )
        for number in range(MEMBERS_PER_GENRE):
            for track in rng.choice(TRACKS_PER_GENRE, size=TRACKS_PER_MEMBER, replace=False):
                kind = (Kind.SAVED, Kind.PLAYLIST, Kind.RECENTLY_PLAYED)[int(rng.integers(3))]
                interactions.append(
                    Interaction(
                        f"member-{genre}-{number:02}", f"track-{genre}-{track:02}", kind, float(rng.integers(1, 9))
                    )
                )
    return Community(interactions, tracks)


@pytest.fixture(scope="session")
def community() -> Community:
    return make_community()


@pytest.fixture(scope="session")
def trained(community: Community) -> TrainingResult:
    return train(
        Interactions.from_records(community.interactions),
        Catalogue.from_tracks(community.tracks),
        options=TrainingOptions(seed=3, device="cpu", threads=1, schedule=QUICK),
    )
