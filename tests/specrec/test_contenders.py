"""Every model of a study keeps the same rules: all peers, and specrec's own network."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from specrec.baselines.als import ALS
from specrec.baselines.artist_count import ArtistCount
from specrec.baselines.chance import Chance
from specrec.baselines.content import Content, profiles_of
from specrec.baselines.ease import EASE
from specrec.baselines.grids import GRIDS
from specrec.baselines.item_knn import ItemKNN, strongest
from specrec.baselines.popularity import Popularity
from specrec.catalogue import Track
from specrec.compatibility import compatibility
from specrec.contender import NCFContender
from specrec.errors import TrainingError
from specrec.interactions import Interaction, Kind
from specrec.member import Member
from specrec.metrics import r2_score
from specrec.scoring import ModelScorer
from specrec.taste import TasteProfile
from specrec.training import TrainingOptions, train
from tests.specrec.conftest import BRIEF, QUICK
from tests.specrec.contender_rules import (
    CollaborativeRules,
    ContenderRules,
    Fitted,
    board,
    histories_of,
    sample_of,
)


@pytest.fixture(scope="module")
def fitted(community):
    return Fitted(community)


class TestChance(ContenderRules):
    learns = False

    subject = Chance()


class TestPopularity(ContenderRules):
    learns = False

    subject = Popularity()


class TestContentByCosine(ContenderRules):
    subject = Content("cosine")


class TestContentByDistance(ContenderRules):
    subject = Content("distance")


class TestArtistCount(ContenderRules):
    subject = ArtistCount()


class TestItemKNN(CollaborativeRules):
    subject = ItemKNN(100, 10.0)


class TestEASE(CollaborativeRules):
    subject = EASE(30.0)


class TestALS(CollaborativeRules):
    exact = 1e-3  # it begins at random numbers, and works in single precision on several threads

    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("implicit")

    subject = ALS(8, 10.0, 1.0)


class TestNCF(CollaborativeRules):
    exact = 1e-4

    subject = NCFContender(seed=3, device="cpu", schedule=QUICK)
    brief = NCFContender(seed=3, device="cpu", schedule=BRIEF)

    def test_it_scores_as_a_version_does(self, scorer, sample):
        """Many members at once in torch, one after the other in numpy: the same numbers."""
        options = TrainingOptions(seed=3, device="cpu", hold_out=False, schedule=QUICK)
        trained_whole = train(sample.interactions, sample.catalogue, options=options)
        served = ModelScorer(trained_whole.model.catalogue, trained_whole.model.arrays)
        said = scorer.score(sample.histories)
        compatibilities = said.compatibility()
        for row in (0, 11, 23):
            part = slice(sample.histories.indptr[row], sample.histories.indptr[row + 1])
            member = Member.of_rows(
                sample.histories.indices[part].astype(np.int64),
                sample.histories.data[part],
                served.values,
                served.known,
                served.catalogue,
            )
            np.testing.assert_allclose(said.ranking[row], served.score(member).ranking, atol=2e-4)
            np.testing.assert_allclose(compatibilities[row], served.compatibilities(member), atol=1e-4)

    def test_its_parts(self, scorer, sample):
        parts = scorer.score_parts(sample.histories)
        assert {"deep alone", "without deep", "without wide", "without artist"} <= set(parts)
        whole = scorer.score(sample.histories).ranking
        # The fusion is a weighted sum: what each source is worth, added up, is the whole.
        lost = [whole - part.ranking for name, part in parts.items() if name.startswith("without")]
        np.testing.assert_allclose(np.sum(lost, axis=0), whole, atol=1e-3)

    def test_it_predicts_the_compatibility_score(self, scorer, sample):
        values, known = sample.standardised
        profiles, profiles_known = profiles_of(sample.histories, values, known)
        unseen = np.flatnonzero(sample.histories.toarray()[0] == 0)
        actual = compatibility(TasteProfile(profiles[0], profiles_known[0]), values[unseen], known[unseen])
        predicted = scorer.score(sample.histories[[0]]).compatibility()[0, unseen]
        assert r2_score(actual, predicted) > 0.8


# Answers by hand


def small():
    """ann and ben like a; ann, ben and cem like b; cem likes c and dislikes a."""
    return sample_of(
        [
            *(Interaction(user, "a") for user in ("ann", "ben")),
            *(Interaction(user, "b") for user in ("ann", "ben", "cem")),
            Interaction("cem", "c"),
            Interaction("cem", "a", Kind.DISLIKED),
        ],
        [Track("a", artists=("X", "Y")), Track("b", artists=("X",)), Track("c", artists=("Y", "Z"))],
    )


def test_popularity_by_hand():
    assert Popularity().fit(small()).score(histories_of({}, tracks=3)).ranking.tolist() == [[2, 3, 1]]


def test_artist_count_by_hand():
    scores = ArtistCount().fit(small()).score(histories_of({0: 1.0, 1: 1.0}, {2: 1.0, 1: -1.0}, tracks=3)).ranking
    assert scores.tolist() == [[3, 2, 1], [1, 0, 2]]


def test_item_knn_by_hand():
    scores = ItemKNN(500, 0.0).fit(small()).score(histories_of({0: 1.0}, {1: 1.0}, tracks=3)).ranking
    a_b, b_c = 2 / (2 * 3) ** 0.5, 1 / (3 * 1) ** 0.5
    np.testing.assert_allclose(scores, [[0, a_b, 0], [a_b, 0, b_c]], rtol=1e-6)
    damped = ItemKNN(500, 10.0).fit(small()).score(histories_of({0: 1.0}, tracks=3)).ranking
    assert damped[0, 1] == pytest.approx(2 / (6**0.5 + 10))


def test_only_the_strongest_neighbours_stay():
    matrix = csr_array(np.array([[0.0, 3.0, 1.0, 2.0], [5.0, 0.0, 5.0, 5.0], [0.0, 0.0, 0.0, 0.0]]))
    assert strongest(matrix, 2).toarray().tolist() == [[0, 3, 0, 2], [5, 0, 5, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(("members", "tracks"), [(9, 4), (4, 9)], ids=["by tracks", "by members"])
def test_ease_is_what_its_paper_says(members, tracks):
    """B = −P / diag(P), P = (XᵀX + λ)⁻¹, a diagonal of 0; whichever way is the cheaper one."""
    rng = np.random.default_rng(3)
    liked = rng.random((members, tracks)) < 0.5
    liked[:, 0] = True
    sample = sample_of(
        [Interaction(f"m{m}", f"t{t}") for m, t in np.argwhere(liked)], [Track(f"t{t}") for t in range(tracks)]
    )
    x = sample.histories.toarray()
    inverse = np.linalg.inv(x.T @ x + 7.0 * np.eye(tracks))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    asked = (rng.random((3, tracks)) < 0.5).astype(np.float32)
    np.testing.assert_allclose(EASE(7.0).fit(sample).score(csr_array(asked)).ranking, asked @ weights, atol=1e-5)


def test_als_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("specrec.baselines.als.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"install the extra named benchmarks, as in specrec\[benchmarks\]"):
        ALS().fit(small())


def test_every_peer_has_a_grid_of_its_own():
    names = [{contender.name for contender in grid} for grid in GRIDS]
    assert all(len(of_grid) == 1 for of_grid in names)
    assert set.union(*names) == {"random", "popularity", "content", "artist_count", "item_knn", "ease", "als"}
    assert sum(map(len, names)) == 7
    assert all(len(set(grid)) == len(grid) for grid in GRIDS)


def test_the_board_is_no_help_to_those_who_do_not_learn_from_others():
    """It does tell models apart: whoever counts listeners alone finds at most what chance lets them."""
    interactions, held_out = board()
    sample = sample_of(interactions)
    scores = Popularity().fit(sample).score(sample.histories).ranking.copy()
    scores[sample.histories.toarray() > 0] = -np.inf
    found = [sample.catalogue.ids.ids[row] for row in scores.argmax(axis=1)]
    assert np.mean([one == other for one, other in zip(found, held_out.values(), strict=True)]) < 0.3
