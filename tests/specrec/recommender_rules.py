"""What every recommender has to keep, whatever it learns: inherit RecommenderRules and say how yours is built."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from specrec.catalogue import Track
from specrec.history import HistoryItem
from specrec.interactions import Interaction, Kind
from specrec.serving import Recommendation, Recommender
from tests.specrec.conftest import Community, genre_of

Build = Callable[[Sequence[Interaction], Sequence[Track]], Recommender]


class RecommenderRules:
    needs_features = False
    """Whether it can only list tracks whose audio features are known."""

    @pytest.fixture
    def build(self) -> Build:
        """What makes a recommender of interactions and tracks."""
        raise NotImplementedError

    @pytest.fixture
    def model(self, build: Build, community: Community) -> Recommender:
        """The one of the whole community; nothing changes it, so it may be made once for all tests."""
        return build(community.interactions, community.tracks)

    def check(self, lines: list[Recommendation], history: Sequence[HistoryItem]) -> None:
        """What holds for every list."""
        assert [line.rank for line in lines] == list(range(1, len(lines) + 1))
        assert len({line.track_id for line in lines}) == len(lines)
        disliked = {item.track_id for item in history if item.kind is Kind.DISLIKED}
        known = {item.track_id for item in history} - disliked
        for line in lines:
            assert line.track_id not in disliked
            assert line.known == (line.track_id in known)
            assert 0 <= line.match <= 1
            assert 0 < len(line.reason) <= 120
            assert line.reason.isprintable()

    def test_a_list_for_everybody(self, model, community):
        lists = set()
        for user_id in dict.fromkeys(row.user_id for row in community.interactions):
            history = community.history(user_id)
            lines = model.recommend(history)
            self.check(lines, history)
            assert len(lines) == 10
            assert 1 <= sum(line.known for line in lines) <= 4
            lists.add(tuple(line.track_id for line in lines))
        assert len(lists) > 20  # of 24

    def test_most_of_a_list_is_to_the_taste(self, model, community):
        hits = [
            genre_of(line.track_id) == genre_of(user_id)
            for user_id in dict.fromkeys(row.user_id for row in community.interactions)
            for line in model.recommend(community.history(user_id), kind="new")
        ]
        assert np.mean(hits) > 0.7  # a quarter by chance

    def test_a_newcomer_is_served_like_everybody_else(self, model, community):
        history = [HistoryItem(f"track-1-{number:02}", Kind.SAVED) for number in range(1, 13)]
        lines = model.recommend(history, kind="new")
        self.check(lines, history)
        assert np.mean([genre_of(line.track_id) == 1 for line in lines]) > 0.7

    @pytest.mark.parametrize("kind", ["mix", "new", "familiar"])
    @pytest.mark.parametrize("top", [1, 2, 7, 500])
    def test_kinds_and_lengths(self, model, community, kind, top):
        history = community.history("member-2-00")
        lines = model.recommend(history, top=top, kind=kind, per_artist=0)
        self.check(lines, history)
        assert len(lines) <= top
        listable = sum(bool(np.isfinite(track.features).any()) or not self.needs_features for track in community.tracks)
        if kind == "mix":
            assert len(lines) == min(top, listable)
        else:
            assert {line.known for line in lines} == {kind == "familiar"}

    def test_an_artist_gets_no_more_places_than_allowed(self, model, community):
        artists = {track.track_id: track.artists for track in community.tracks}
        history = community.history("member-3-01")
        for cap in (1, 2, 3):
            names = [name for line in model.recommend(history, per_artist=cap) for name in artists[line.track_id]]
            assert max(names.count(name) for name in names) <= cap

    def test_the_order_of_a_history_does_not_matter(self, model, community):
        history = community.history("member-0-03")
        assert model.recommend(history[::-1]) == model.recommend(history) == model.recommend(history)

    def test_the_order_of_the_rows_does_not_matter(self, build, model, community):
        rng = np.random.default_rng(0)
        again = build(
            [community.interactions[i] for i in rng.permutation(len(community.interactions))],
            [community.tracks[i] for i in rng.permutation(len(community.tracks))],
        )
        for user_id in ("member-0-00", "member-3-05"):
            assert again.recommend(community.history(user_id)) == model.recommend(community.history(user_id))

    def test_an_empty_history(self, model):
        self.check(model.recommend([]), [])
        assert model.recommend([], kind="familiar") == []

    def test_a_history_of_unknown_tracks(self, model):
        history = [HistoryItem("nobody knows me", Kind.SAVED), HistoryItem("🎵 nor me", Kind.LIKED, 1e9)]
        self.check(model.recommend(history), history)
        assert not model.knows("nobody knows me")

    def test_an_unknown_track_counts_by_what_comes_with_it(self, model, community):
        of_genre = next(track for track in community.tracks if track.track_id == "track-2-05")
        history = [
            HistoryItem(
                f"new-{number}", Kind.SAVED, track=Track(f"new-{number}", "New", of_genre.artists, of_genre.features)
            )
            for number in range(5)
        ]
        lines = model.recommend(history, kind="new")
        self.check(lines, history)
        assert np.mean([genre_of(line.track_id) == 2 for line in lines]) > 0.5

    def test_a_track_that_was_disliked_never_appears(self, model, community):
        history = community.history("member-1-02")
        first = model.recommend(history)[0].track_id
        history.append(HistoryItem(first, Kind.DISLIKED))
        for kind in ("mix", "new", "familiar"):
            lines = model.recommend(history, top=200, kind=kind, per_artist=0)
            self.check(lines, history)
            assert first not in {line.track_id for line in lines}

    def test_nothing_but_dislikes(self, model):
        history = [HistoryItem("track-0-01", Kind.DISLIKED), HistoryItem("track-0-02", Kind.DISLIKED)]
        self.check(model.recommend(history, top=200, per_artist=0), history)

    def test_one_user(self, build):
        tracks = [Track(f"{i}", features=np.full(9, i / 30, np.float32)) for i in range(30)]
        model = build([Interaction("only me", track.track_id) for track in tracks[:20]], tracks)
        history = [HistoryItem(track.track_id, Kind.SAVED) for track in tracks[:20]]
        lines = model.recommend(history)
        self.check(lines, history)
        assert len(lines) == 10

    def test_one_track(self, build):
        track = Track("the only one", features=np.full(9, 0.5, np.float32))
        model = build([Interaction(f"user {i}", track.track_id) for i in range(15)], [track])
        for history in ([], [HistoryItem(track.track_id, Kind.SAVED)]):
            self.check(model.recommend(history), history)
        assert len(model.recommend([HistoryItem(track.track_id, Kind.SAVED)])) == 1

    def test_no_features_and_no_artists(self, build, community):
        model = build(community.interactions, [])
        history = community.history("member-0-00")
        lines = model.recommend(history)
        self.check(lines, history)
        assert len(lines) == (0 if self.needs_features else 10)
        assert not model.knows("track-0-01")
