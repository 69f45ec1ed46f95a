"""Gates: found on what is held out, for the first places of a list, and near the defaults where little is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specrec.fusion import BRANCHES
from specrec.gates import CLEAR, Candidates, fit_gates
from specrec.metrics import ndcg_at_k

DEFAULTS = np.array([branch.default for branch in BRANCHES])
UNHEARD = np.array([branch.unheard for branch in BRANCHES])
WIDE, NEIGHBOUR, DEEP, ARTIST = 0, 2, 4, 5


def members(seed, count=120, tracks=60, **heard):
    """Members with six hidden tracks each; `heard` says how much clearer a branch hears them than noise."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        wanted = np.zeros(tracks, dtype=bool)
        wanted[rng.choice(tracks, 6, replace=False)] = True
        scores = rng.normal(0, 1, (tracks, len(BRANCHES)))
        scores[:, UNHEARD] = 0  # somebody has all of these
        for branch, clarity in heard.items():
            scores[:, int(branch[1:])] += clarity * wanted
        found.append(Candidates(scores, wanted, np.zeros(tracks, dtype=bool)))
    return found


def ndcg(gates, found):
    hits = np.array([one.wanted[np.argsort(-(one.scores @ gates), kind="stable")[:10]] for one in found])
    return ndcg_at_k(hits, np.array([one.wanted.sum() for one in found]), 10)


def test_without_anything_held_out_the_defaults_stay():
    assert fit_gates([], DEFAULTS).tolist() == DEFAULTS.tolist()


def test_the_branch_that_hears_best_gets_the_largest_gate_and_the_others_next_to_none():
    gates = fit_gates(members(1, b4=3.0), DEFAULTS)
    others = np.delete(gates[~UNHEARD], DEEP)
    assert gates[DEEP] > 3 * others.max()
    assert ndcg(gates, members(2, b4=3.0)).mean() > 0.95 * ndcg(np.eye(len(BRANCHES))[DEEP], members(2, b4=3.0)).mean()


def test_first_places_count_more_than_the_likelihood_says():
    """One branch finds two of six tracks for certain and says the others are the worst; another hears all of them a
    little. The likeliest gates listen to the second, the best lists begin with what the first says."""
    rng = np.random.default_rng(3)
    found = members(4, count=300, b2=0.8)
    for one in found:
        hidden = rng.permutation(np.flatnonzero(one.wanted))
        one.scores[hidden[:2], WIDE], one.scores[hidden[2:], WIDE] = 3.0, -1.0
    half = len(found) // 2
    gates = fit_gates(found[:half], DEFAULTS)
    likeliest = fit_gates([Candidates(one.scores, one.wanted, one.unheard) for one in found[:half]], DEFAULTS, steps=0)
    gains = ndcg(gates, found[half:]) - ndcg(likeliest, found[half:])
    assert gains.mean() > CLEAR * gains.std() / half**0.5


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 30), st.floats(0, 2))
def test_gates_are_numbers_from_0_on_and_hardly_worse_than_the_likeliest_on_what_they_were_found_on(
    seed, count, clarity
):
    found = members(seed, count, 20, b0=clarity, b5=clarity / 2)
    gates, likeliest = fit_gates(found, DEFAULTS), fit_gates(found, DEFAULTS, steps=0)
    assert np.isfinite(gates).all()
    assert (gates >= 0).all()
    assert ndcg(gates, found).mean() >= ndcg(likeliest, found).mean() - 0.01


def test_that_nobody_else_has_a_track_teaches_the_other_gates_nothing():
    """All hidden tracks are unheard ones: the gates of the branches that speak of all tracks do not see which."""
    found = [Candidates(one.scores, one.wanted, one.wanted.copy()) for one in members(5, b7=4.0)]
    gates = fit_gates(found, DEFAULTS)
    plain = [Candidates(np.where(UNHEARD, 0.0, one.scores), one.wanted, one.unheard) for one in found]
    assert gates[~UNHEARD] == pytest.approx(fit_gates(plain, DEFAULTS)[~UNHEARD])
