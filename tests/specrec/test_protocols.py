"""What is held out and what is given: nothing that is to be found, and nobody who is unseen, reaches the training."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specrec.catalogue import Track
from specrec.errors import SpecrecError
from specrec.features import unknown_features
from specrec.interactions import Interaction, Kind
from specrec.protocols import PROTOCOLS, by_time, cold_start, fold_in, leave_one_out, split, unseen_tracks, validation
from tests.specrec.contender_rules import sample_of

KNOWN = np.full(9, 0.5, np.float32)


@st.composite
def samples(draw):
    """Up to nine members, up to twelve tracks, several kinds of interaction, all with a time."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 8),
                st.integers(0, 11),
                st.sampled_from([Kind.INTERACTION, Kind.SAVED, Kind.STREAMED, Kind.DISLIKED, Kind.KNOWN]),
                st.integers(0, 40),
            ),
            min_size=6,
            max_size=60,
        )
    )
    tracks = [Track(f"t{n:02}", features=KNOWN if n % 3 else unknown_features()) for n in range(12)]
    interactions = [
        Interaction(f"m{member}", f"t{track:02}", kind, 1.0, datetime.fromtimestamp(1e9 + day * 86_400, UTC))
        for member, track, kind, day in rows
    ]
    # Whoever is to be measured likes two tracks at least, and one of them is audible.
    interactions += [Interaction("m9", f"t{n:02}", timestamp=datetime.fromtimestamp(1e9, UTC)) for n in (1, 2)]
    return sample_of(interactions, tracks)


def pairs(interactions):
    return {
        (interactions.users.ids[user], interactions.tracks.ids[track])
        for user, track in zip(interactions.user_rows, interactions.track_rows, strict=True)
    }


def likes_of(sample):
    return {
        (sample.interactions.users.ids[member], sample.catalogue.ids.ids[track])
        for member, track in zip(*np.nonzero(sample.histories.toarray() > 0), strict=True)
    }


def named(matrix, cut):
    """(member, track) of the stored entries."""
    return {
        (cut.members[row], cut.sample.catalogue.ids.ids[column])
        for row in range(matrix.shape[0])
        for column in matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
    }


@settings(max_examples=50)
@given(samples(), st.sampled_from(sorted(PROTOCOLS)), st.integers(0, 5))
def test_nothing_that_is_to_be_found_is_given_or_learned_from(sample, protocol, seed):
    cut = PROTOCOLS[protocol](sample, seed)
    hidden, likes = named(cut.hidden, cut), likes_of(sample)
    assert hidden <= likes  # only what is liked is to be found
    assert not hidden & named(cut.given, cut)
    assert not hidden & pairs(cut.sample.interactions)
    assert pairs(cut.sample.interactions) <= pairs(sample.interactions)
    assert named(cut.given, cut) <= pairs(sample.interactions)
    assert len(set(cut.members)) == len(cut.members) == cut.given.shape[0] == cut.hidden.shape[0]
    for row in range(len(cut.members)):
        assert (cut.hidden[[row]].data > 0).all()
        assert cut.hidden[[row]].nnz > 0
        assert (cut.given[[row]].data > 0).any()
    assert cut.given.shape[1] == cut.hidden.shape[1] == len(sample.catalogue)
    assert cut.sample.catalogue is sample.catalogue  # the same rows everywhere


@settings(max_examples=50)
@given(samples(), st.sampled_from(sorted(PROTOCOLS)), st.integers(0, 5))
def test_the_same_seed_cuts_alike_and_the_weights_stay_as_they_are(sample, protocol, seed):
    one, other = (PROTOCOLS[protocol](sample, seed) for _ in range(2))
    assert one.members == other.members
    assert (one.hidden != other.hidden).nnz == 0
    assert (one.given != other.given).nnz == 0
    whole = sample.histories.toarray()
    rows = [sample.interactions.users.row(member) for member in one.members]
    for matrix in (one.hidden, one.given) if protocol != "time" else (one.hidden,):
        dense = matrix.toarray()
        assert np.array_equal(dense[dense != 0], whole[rows][dense != 0])


@settings(max_examples=50)
@given(samples(), st.integers(0, 5))
def test_split_hides_a_fifth_and_leave_one_out_one(sample, seed):
    likes = likes_of(sample)
    for protocol, share in ((split, 0.2), (leave_one_out, 0.0)):
        cut = protocol(sample, seed)
        for member, hidden in zip(cut.members, np.diff(cut.hidden.indptr), strict=True):
            count = sum(owner == member for owner, _ in likes)
            assert hidden == max(1, round(share * count))
        # Whoever likes two tracks at least is measured.
        owners = [owner for owner, _ in likes]
        assert set(cut.members) == {owner for owner in owners if owners.count(owner) > 1}


@settings(max_examples=50)
@given(samples(), st.integers(0, 5))
def test_cold_members_are_wholly_unseen_and_inside_they_bring_what_they_are_given_outside(sample, seed):
    inside, outside = fold_in(sample, seed)
    assert outside.protocol == "cold-start"
    assert not set(outside.members) & set(outside.sample.interactions.users)
    assert set(inside.members) <= set(inside.sample.interactions.users)
    assert inside.members == outside.members
    assert (inside.given != outside.given).nnz == 0
    assert (inside.hidden != outside.hidden).nnz == 0
    assert not named(inside.hidden, inside) & pairs(inside.sample.interactions)
    assert pairs(inside.sample.interactions) == pairs(outside.sample.interactions) | {
        pair for pair in pairs(inside.sample.interactions) if pair[0] not in outside.sample.interactions.users
    }
    again = cold_start(sample, seed)
    assert (again.hidden != outside.hidden).nnz == 0


@settings(max_examples=50)
@given(samples())
def test_by_time_nothing_later_is_learned_from(sample):
    cut = by_time(sample, 0)
    learned = cut.sample.interactions.timestamps
    first: dict[tuple[str, str], float] = {}
    whole = sample.interactions
    for user, track, at in zip(whole.user_rows, whole.track_rows, whole.timestamps, strict=True):
        pair = (whole.users.ids[user], whole.tracks.ids[track])
        first[pair] = min(at, first.get(pair, np.inf))
    hidden = named(cut.hidden, cut)
    if hidden:
        assert min(first[pair] for pair in hidden) > learned.max(initial=-np.inf)


@settings(max_examples=50)
@given(samples(), st.integers(0, 5))
def test_unseen_tracks_are_nobodys_and_ranked_among_themselves(sample, seed):
    cut = unseen_tracks(sample, seed)
    unseen = {sample.catalogue.ids.ids[row] for row in np.flatnonzero(cut.candidates)}
    assert unseen
    assert not unseen & {track for _, track in pairs(cut.sample.interactions)}
    assert not unseen & {track for _, track in named(cut.given, cut)}
    assert {track for _, track in named(cut.hidden, cut)} <= unseen
    assert all(np.isfinite(sample.catalogue.features[sample.catalogue.ids.row(id_)]).any() for id_ in unseen)


@settings(max_examples=30)
@given(samples(), st.sampled_from(sorted(PROTOCOLS)))
def test_a_validation_set_never_sees_what_the_test_is_to_find(sample, protocol):
    cut = PROTOCOLS[protocol](sample, 3)
    try:
        inner = validation(cut)
    except SpecrecError:  # nothing left to cut
        return
    test = named(cut.hidden, cut)
    for of_inner in (named(inner.hidden, inner), named(inner.given, inner), pairs(inner.sample.interactions)):
        assert not test & of_inner
        assert of_inner <= pairs(cut.sample.interactions)


def test_other_seeds_cut_otherwise(community):
    sample = sample_of(community.interactions, community.tracks)
    for protocol in ("split", "leave-one-out", "cold-start", "unseen-tracks"):
        hidden = {frozenset(named(cut.hidden, cut)) for cut in (PROTOCOLS[protocol](sample, seed) for seed in range(3))}
        assert len(hidden) == 3


def test_shares_of_a_community(community):
    sample = sample_of(community.interactions, community.tracks)
    assert len(split(sample, 0).members) == 24
    assert np.diff(split(sample, 0).hidden.indptr).tolist() == [round(0.2 * 18)] * 24
    assert len(cold_start(sample, 0).members) == round(0.15 * 24)
    assert unseen_tracks(sample, 0).candidates.sum() == pytest.approx(0.1 * 156, abs=2)


def test_a_dislike_is_given_but_never_to_be_found():
    rows = [Interaction("ann", f"t{n}") for n in range(5)] + [Interaction("ann", "bad", Kind.DISLIKED)]
    for seed in range(5):
        cut = split(sample_of(rows), seed)
        assert ("ann", "bad") in named(cut.given, cut)
        assert ("ann", "bad") in pairs(cut.sample.interactions)


def test_by_time_needs_times():
    with pytest.raises(SpecrecError, match="needs timestamps: choose split"):
        by_time(sample_of([Interaction("ann", "a"), Interaction("ann", "b")]), 0)


def test_what_was_heard_again_later_is_not_to_be_found():
    """A pair belongs to the time of its first interaction, one without a time to the past."""
    at = lambda day: datetime(2026, 1, day, tzinfo=UTC)  # noqa: E731
    rows = [Interaction("ann", f"t{day}", timestamp=at(day)) for day in range(1, 10)]
    rows += [Interaction("ann", "t1", Kind.STREAMED, timestamp=at(28)), Interaction("ann", "timeless")]
    rows += [Interaction("ann", "new", timestamp=at(27))]
    cut = by_time(sample_of(rows), 0)
    assert named(cut.hidden, cut) == {("ann", "new"), ("ann", "t9")}
    assert ("ann", "timeless") in pairs(cut.sample.interactions)
    assert not cut.sample.interactions.timestamps.max() > at(9).timestamp()  # the late play of t1 is gone, too


def test_unseen_tracks_need_features():
    with pytest.raises(SpecrecError, match="needs tracks with known features"):
        unseen_tracks(sample_of([Interaction("ann", "a"), Interaction("ann", "b")]), 0)
