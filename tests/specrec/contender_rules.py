"""What every model under study has to keep: inherit ContenderRules and say which model it is."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from specrec.baselines.base import Contender, Sample, Scorer
from specrec.catalogue import Catalogue, Track
from specrec.interactions import Interaction, Interactions, Kind
from specrec.measuring import measure
from specrec.protocols import split
from tests.specrec.conftest import Community, genre_of


def sample_of(interactions, tracks=()):
    return Sample.over(Interactions.from_records(interactions), Catalogue.from_tracks(list(tracks)))


def histories_of(*rows, tracks):
    """(rows, tracks) of {track: taste weight}."""
    dense = np.zeros((len(rows), tracks), dtype=np.float32)
    for row, history in enumerate(rows):
        for track, weight in history.items():
            dense[row, track] = weight
    return csr_array(dense)


class Fitted:
    """Models of the whole community, each fitted once for all tests: asking must not change it."""

    def __init__(self, community: Community) -> None:
        self.sample = sample_of(community.interactions, community.tracks)
        self._scorers: dict[Contender, Scorer] = {}

    def scorer(self, contender: Contender) -> Scorer:
        if contender not in self._scorers:
            self._scorers[contender] = contender.fit(self.sample)
        return self._scorers[contender]


class ContenderRules:
    exact = 1e-5
    """How near the same question must come to the same answer, as a share of the scores' size."""
    learns = True
    """Whether it takes a member's taste from the interactions of others."""

    subject: Contender
    brief: Contender | None = None
    """The same with less training, for those who do not ask how well it learns; None: it is quick enough as it is."""

    @pytest.fixture
    def contender(self) -> Contender:
        return self.subject

    @pytest.fixture
    def quick(self) -> Contender:
        return self.brief or self.subject

    @pytest.fixture
    def sample(self, fitted) -> Sample:
        return fitted.sample

    @pytest.fixture
    def scorer(self, contender, fitted):
        return fitted.scorer(contender)

    def same(self, one, other):
        size = max(float(np.abs(one).max()), 1e-9)
        assert np.abs(one - other).max() <= self.exact * size

    def check(self, said, shape):
        assert said.ranking.shape == shape
        assert np.isfinite(said.ranking).all()
        if said.compatibility is not None:
            compatibility = said.compatibility()
            assert compatibility.shape == shape
            assert ((compatibility >= 0) & (compatibility <= 1)).all()

    def test_every_member_and_track_has_a_score(self, scorer, sample):
        self.check(scorer.score(sample.histories), (24, 160))

    def test_asking_changes_neither_the_model_nor_the_question(self, scorer, sample):
        before = sample.histories.copy()
        first = scorer.score(sample.histories).ranking.copy()
        assert np.array_equal(scorer.score(sample.histories).ranking, first)
        assert np.array_equal(before.toarray(), sample.histories.toarray())
        assert before.nnz == sample.histories.nnz

    def test_a_member_is_scored_alike_alone_and_among_others(self, scorer, sample):
        together = scorer.score(sample.histories).ranking
        chosen = [17, 3]
        for row, member in enumerate(chosen):
            alone = scorer.score(sample.histories[[member]]).ranking[0]
            self.same(alone, together[member])
            self.same(scorer.score(sample.histories[chosen]).ranking[row], alone)

    def test_unknown_members_get_their_own_taste(self, scorer, community, sample):
        """Histories that nobody in the training has: the first tracks of each genre."""
        ids = sample.catalogue.ids.ids
        rows = [{ids.index(f"track-{genre}-{number:02}"): 1.0 for number in range(1, 13)} for genre in range(4)]
        said = scorer.score(histories_of(*rows, tracks=160))
        self.check(said, (4, 160))
        if self.learns:
            genres = np.array([genre_of(id_) for id_ in ids])
            for genre, scores in enumerate(said.ranking):
                unknown = [row for row in np.argsort(-scores) if row not in rows[genre]][:10]
                assert np.mean(genres[unknown] == genre) > 0.7

    def test_unknown_tracks(self, quick, community):
        """Of tracks that nobody has learned from nothing is known, but they can stand in a history."""
        tracks = [*community.tracks, Track("unheard"), Track("unheard 2", features=np.full(9, 0.5, np.float32))]
        sample = sample_of(community.interactions, tracks)
        unheard = [sample.catalogue.ids.row("unheard"), sample.catalogue.ids.row("unheard 2")]
        histories = histories_of({unheard[0]: 1.0}, {unheard[1]: 2.0}, {unheard[0]: -1.5, 3: 1.0}, tracks=162)
        self.check(quick.fit(sample).score(histories), (3, 162))

    def test_an_empty_history(self, scorer):
        self.check(scorer.score(histories_of({}, tracks=160)), (1, 160))
        self.check(scorer.score(histories_of({}, {5: 1.0}, {}, tracks=160)), (3, 160))

    def test_nothing_but_dislikes_and_the_merely_known(self, scorer):
        stored_zero = csr_array((np.zeros(2, np.float32), np.array([4, 9]), np.array([0, 2])), shape=(1, 160))
        self.check(scorer.score(stored_zero), (1, 160))
        self.check(scorer.score(histories_of({4: -1.5, 9: -3.0}, tracks=160)), (1, 160))

    def test_one_user(self, quick):
        tracks = [Track(f"{i:02}", features=np.full(9, i / 30, np.float32)) for i in range(30)]
        sample = sample_of([Interaction("only me", track.track_id) for track in tracks[:20]], tracks)
        self.check(quick.fit(sample).score(sample.histories), (1, 30))

    def test_one_track(self, quick):
        track = Track("the only one", features=np.full(9, 0.5, np.float32))
        sample = sample_of([Interaction(f"user {i}", track.track_id) for i in range(15)], [track])
        self.check(quick.fit(sample).score(sample.histories), (15, 1))

    def test_no_features_and_no_artists(self, quick, community):
        sample = sample_of(community.interactions)
        tracks = len(sample.catalogue)
        self.check(quick.fit(sample).score(sample.histories), (24, tracks))

    def test_dislikes_in_the_training(self, quick, community):
        rows = [
            Interaction(row.user_id, row.track_id, Kind.DISLIKED) if number % 7 == 0 else row
            for number, row in enumerate(community.interactions)
        ]
        sample = sample_of(rows, community.tracks)
        self.check(quick.fit(sample).score(sample.histories), (24, 160))

    def test_the_order_of_rows_does_not_matter(self, quick, fitted, community, sample):
        rng = np.random.default_rng(0)
        again = sample_of(
            [community.interactions[i] for i in rng.permutation(len(community.interactions))],
            [community.tracks[i] for i in rng.permutation(len(community.tracks))],
        )
        assert np.array_equal(again.histories.toarray(), sample.histories.toarray())
        scorer = fitted.scorer(quick)
        self.same(quick.fit(again).score(again.histories).ranking, scorer.score(sample.histories).ranking)

    def test_it_can_be_measured(self, contender, community):
        cut = split(sample_of(community.interactions, community.tracks), 1)
        measures = measure(contender.fit(cut.sample), cut)
        assert len(measures.ndcg_at_10) == 24
        if self.learns:
            assert measures.ndcg_at_10.mean() > 0.15  # by chance .04


# A board of two colours: members like tracks of their own colour, and each has one of them left to be found.
SIZE, MEMBERS = 16, 40


def board() -> tuple[list[Interaction], dict[str, str]]:
    """(interactions, {member: the track held out}); track names tell nothing, as colours alternate."""
    interactions, held_out = [], {}
    for member in range(MEMBERS):
        own = [track for track in range(2 * SIZE) if track % 2 == member % 2]
        missing = own[(member // 2) % SIZE]
        held_out[f"m{member:02}"] = f"t{missing:02}"
        interactions += [Interaction(f"m{member:02}", f"t{track:02}") for track in own if track != missing]
    return interactions, held_out


class CollaborativeRules(ContenderRules):
    """What learns from what others like, and has to find the track that is missing on the board."""

    def test_the_track_that_is_missing_on_the_board_comes_first(self, contender):
        interactions, held_out = board()
        sample = sample_of(interactions)
        scores = contender.fit(sample).score(sample.histories).ranking.copy()
        scores[sample.histories.toarray() > 0] = -np.inf
        first = {
            member: sample.catalogue.ids.ids[row]
            for member, row in zip(sample.interactions.users, scores.argmax(axis=1), strict=True)
        }
        assert first == held_out
