"""Every model keeps the rules; a board of two colours; and what is particular to the one that is trained."""

from datetime import UTC, datetime

import numpy as np
import pytest

from specrec.baselines.popularity import popularity
from specrec.catalogue import Catalogue, Track
from specrec.checkpoint import open_version, write_version
from specrec.errors import TrainingError
from specrec.history import HistoryItem
from specrec.interactions import Histories, Interaction, Interactions, Kind, is_set_aside
from specrec.progress import Progress
from specrec.serving import ContentRecommender, ServedModel
from specrec.training import TrainingOptions, train
from tests.specrec.conftest import BRIEF, DIVERGING, QUICK
from tests.specrec.recommender_rules import RecommenderRules

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fit(interactions, tracks, **options):
    options = {"seed": 3, "device": "cpu", "threads": 1, "schedule": QUICK, **options}
    return train(
        Interactions.from_records(interactions), Catalogue.from_tracks(tracks), options=TrainingOptions(**options)
    )


@pytest.fixture(scope="module")
def build_ncf(tmp_path_factory):
    def build(interactions, tracks):
        model = fit(interactions, tracks).model
        return ServedModel.open(write_version(tmp_path_factory.mktemp("model"), model.catalogue, model.arrays, {}, NOW))

    return build


@pytest.fixture(scope="module")
def ncf(build_ncf, community):
    return build_ncf(community.interactions, community.tracks)


class TestNCF(RecommenderRules):
    @pytest.fixture
    def build(self, build_ncf):
        return build_ncf

    @pytest.fixture
    def model(self, ncf):
        return ncf


class TestContent(RecommenderRules):
    needs_features = True

    @pytest.fixture
    def build(self):
        return lambda interactions, tracks: ContentRecommender(tracks)


def test_popularity_by_hand():
    interactions = Interactions.from_records(
        [
            Interaction("ann", "a"),
            Interaction("ann", "a", Kind.SAVED, 9),
            Interaction("ben", "a"),
            Interaction("ben", "b"),
            Interaction("cem", "b", Kind.DISLIKED),
            Interaction("cem", "c", Kind.KNOWN),
        ]
    )
    assert popularity(Histories.of(interactions), 3).tolist() == [2, 1, 0]


# A board of two colours: members like tracks of their own colour, and each has one of them left to be found.
SIZE, MEMBERS = 16, 40


def board():
    """(interactions, {member: the track held out}); track names tell nothing, as colours alternate."""
    interactions, held_out = [], {}
    for member in range(MEMBERS):
        own = [track for track in range(2 * SIZE) if track % 2 == member % 2]
        missing = own[(member // 2) % SIZE]
        held_out[f"m{member:02}"] = f"t{missing:02}"
        interactions += [Interaction(f"m{member:02}", f"t{track:02}") for track in own if track != missing]
    return interactions, held_out


def first_new(model, interactions, member):
    history = [HistoryItem(row.track_id, row.kind) for row in interactions if row.user_id == member]
    return model.recommend(history, top=1, kind="new", per_artist=0)[0].track_id


@pytest.mark.parametrize("seed", [0, 1])
def test_the_track_that_is_missing_on_the_board_comes_first(tmp_path, seed):
    interactions, held_out = board()
    result = fit(interactions, [], seed=seed, hold_out=False)
    model = ServedModel.open(write_version(tmp_path, result.model.catalogue, result.model.arrays, {}, NOW))
    assert {member: first_new(model, interactions, member) for member in held_out} == held_out
    # Somebody who came a minute ago with three tracks of a colour is told a fourth of it.
    newcomer = [HistoryItem(f"t{track:02}", Kind.SAVED) for track in (1, 7, 13)]
    assert all(int(line.track_id[1:]) % 2 for line in model.recommend(newcomer, top=10, kind="new", per_artist=0))


def test_the_taste_profile_finds_it_by_its_sound():
    interactions, held_out = board()
    rng = np.random.default_rng(4)
    tracks = [
        Track(f"t{track:02}", features=(0.3 + 0.4 * (track % 2) + rng.normal(0, 0.05, 9)).astype(np.float32))
        for track in range(2 * SIZE)
    ]
    model = ContentRecommender(tracks)
    assert {member: first_new(model, interactions, member) for member in held_out} == held_out


def arrays_of(result):
    return {name: array.tobytes() for name, array in result.model.arrays.items()}


def test_the_same_seed_gives_the_same_model_whatever_the_order_of_the_rows(trained, community):
    rng = np.random.default_rng(9)
    again = fit(
        [community.interactions[i] for i in rng.permutation(len(community.interactions))],
        [community.tracks[i] for i in rng.permutation(len(community.tracks))],
    )
    assert arrays_of(again) == arrays_of(trained)
    differing = {"seconds", "peak_memory_mb"}
    assert {name: value for name, value in again.report.items() if name not in differing} == {
        name: value for name, value in trained.report.items() if name not in differing
    }


def test_another_seed_gives_another_model(trained, community):
    assert arrays_of(fit(community.interactions, community.tracks, seed=4)) != arrays_of(trained)


def test_weights_never_see_what_is_set_aside(trained, community):
    """Whatever is done to these pairs, short of their absence, the model stays the same to the last bit."""
    aside = [row for row in community.interactions if is_set_aside(row.user_id, row.track_id)]
    assert len(aside) == trained.report["interactions_held_out"] > 20
    changed = [
        Interaction(row.user_id, row.track_id, Kind.LIKED, 50.0) if row in aside else row
        for row in community.interactions
    ]
    assert arrays_of(fit(changed, community.tracks)) == arrays_of(trained)


def test_the_report_of_a_good_run(trained):
    report = trained.report
    assert report["finite"] is True
    assert (report["members"], report["tracks"], report["interactions"]) == (24, 160, 432)
    assert report["ndcg_at_10"]["model"] > 2 * report["ndcg_at_10"]["popularity"]
    assert report["difference"]["mean"] > 2 * report["difference"]["standard_error"]
    assert report["distinct_top_tens"] > 20
    assert report["mean_jaccard"] < 0.5


def test_progress_goes_forward_to_the_measuring(community):
    told: list[Progress] = []
    fit(community.interactions, community.tracks, on_progress=told.append, schedule=BRIEF)
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert len({progress.stage for progress in told}) >= 2
    assert told[-1].stage == "measuring"


def test_numbers_that_stop_being_numbers_stop_the_training(community):
    with pytest.raises(TrainingError, match="no longer a number; check the counts and features"):
        fit(community.interactions, community.tracks, schedule=DIVERGING)


@pytest.mark.parametrize(
    "interactions",
    [[], [Interaction("ann", "a", Kind.DISLIKED)], [Interaction("ann", "a", Kind.KNOWN, 5)]],
    ids=["nothing", "dislikes only", "known only"],
)
def test_nothing_to_learn_from_is_refused(interactions):
    with pytest.raises(TrainingError, match="nothing to learn from"):
        fit(interactions, [])


def test_training_leaves_torch_and_numpy_as_they_were(community):
    import torch

    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.random.get_rng_state(), torch.get_num_threads(), repr(np.random.get_state())
    fit(community.interactions[:60], community.tracks, schedule=BRIEF)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert repr(np.random.get_state()) == before[2]


def test_a_version_opened_serves_as_the_model_before_it_was_written(trained, community, tmp_path):
    """Twice through the disk: nothing gets lost on the way."""
    first = write_version(tmp_path, trained.model.catalogue, trained.model.arrays, {}, NOW)
    opened = open_version(first)
    second = write_version(tmp_path / "copy", opened.catalogue, opened.arrays, {}, NOW)
    history = community.history("member-1-01")
    assert ServedModel.open(first).recommend(history) == ServedModel.open(second).recommend(history)
