"""Columns, histories, and the pairs that no weights may see."""

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specrec.interactions import (
    Histories,
    Interaction,
    Interactions,
    Kind,
    Vocabulary,
    is_set_aside,
    set_aside,
    taste_weight,
)

NAME = st.sampled_from(["a", "b", "c", "007", "7", "é"])
ROW = st.builds(
    Interaction,
    NAME,
    NAME,
    st.sampled_from(Kind),
    st.integers(1, 9).map(float),
    st.none() | st.just(datetime(2025, 5, 5, tzinfo=UTC)),
)


def test_a_vocabulary_keeps_its_order_and_refuses_a_double():
    vocabulary = Vocabulary(["b", "a", "01"])
    assert [vocabulary.row(id_) for id_ in ("b", "a", "01", "1")] == [0, 1, 2, None]
    assert "01" in vocabulary
    assert "1" not in vocabulary
    with pytest.raises(ValueError, match="distinct"):
        Vocabulary(["a", "a"])


@given(st.lists(ROW, max_size=12), st.randoms(use_true_random=False))
def test_records_come_back_in_an_order_of_their_own(rows, random):
    interactions = Interactions.from_records(rows)
    back = [row for user in interactions.users for row in interactions.of_user(user)]
    assert sorted(map(repr, back)) == sorted(map(repr, rows))
    again = Interactions.from_records(random.sample(rows, len(rows)))
    assert [row for user in again.users for row in again.of_user(user)] == back
    assert interactions.of_user("nobody") == []


@given(st.lists(ROW, max_size=20))
def test_a_pair_weighs_the_sum_of_its_kinds_and_a_dislike_outweighs_all(rows):
    interactions = Interactions.from_records(rows)
    histories = Histories.of(interactions)
    assert len(histories) == len(interactions.users)
    for user_row, user in enumerate(interactions.users):
        tracks, weights = histories.of_member(user_row)
        of_user = [row for row in rows if row.user_id == user]
        assert [interactions.tracks.ids[track] for track in tracks] == sorted({row.track_id for row in of_user})
        for track, weight in zip(tracks, weights, strict=True):
            counts: Counter[Kind] = Counter()
            for row in of_user:
                if row.track_id == interactions.tracks.ids[track]:
                    counts[row.kind] += row.weight
            parts = [taste_weight(kind, count) for kind, count in counts.items()]
            dislikes = [part for part in parts if part < 0]
            assert weight == pytest.approx(sum(dislikes or parts), rel=1e-6)


def test_a_pair_is_set_aside_or_not_for_good():
    """The same on every machine and in every version: a change here would show weights what they are measured on."""
    aside = [track for track in (f"{number:03}" for number in range(60)) if is_set_aside("ann", track)]
    assert aside == ["005", "011", "012", "018", "033"]
    assert [track for track in aside if is_set_aside("ann", track, salt="stop")] != aside


@given(st.text(), st.text())
def test_what_a_small_share_takes_a_larger_one_takes_too(member, track):
    taken = [is_set_aside(member, track, share) for share in (0.0, 0.1, 0.5, 1.0)]
    assert taken == sorted(taken)
    assert (taken[0], taken[-1]) == (False, True)


def test_a_tenth_is_set_aside_of_those_who_have_enough():
    few = [Interaction("few", f"t{number}") for number in range(9)]
    many = [Interaction(f"m{user}", f"t{number}") for user in range(50) for number in range(40)]
    disliked = [Interaction("m0", f"d{number}", Kind.DISLIKED) for number in range(300)]
    interactions = Interactions.from_records([*few, *many, *disliked])
    histories = Histories.of(interactions)
    aside = set_aside(histories, interactions.users.ids, interactions.tracks.ids)
    assert (histories.weights[aside] > 0).all()
    owners = np.bincount(histories.members[aside], minlength=len(histories))
    assert owners[interactions.users.row("few")] == 0
    assert 0.07 < aside.sum() / len(many) < 0.13
    # What is kept is the rest, member by member.
    kept, hidden = histories.keep(~aside), histories.keep(aside)
    for member in range(len(histories)):
        together = sorted([*kept.of_member(member)[0], *hidden.of_member(member)[0]])
        assert together == histories.of_member(member)[0].tolist()
