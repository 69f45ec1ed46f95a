"""What serves with numpy is what was trained with torch: the same score for every member and every track.

A network that replaces this one has to bring `torch_scores`, and nothing else here knows how it looks inside.
"""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from specrec.checkpoint import open_version, write_version
from specrec.dataset import Dataset
from specrec.interactions import Histories
from specrec.member import Member
from specrec.scoring import ModelScorer

TOLERANCE = 1e-5


@torch.no_grad()
def torch_scores(trained, histories):
    """(members, tracks) ranking and compatibility scores of the torch network for `histories` over its catalogue."""
    network = trained.network.eval()
    data = Dataset(histories, network.values.numpy(), network.known.numpy(), torch.device("cpu"))
    batch = data.batch(np.arange(len(histories)))
    return network.ranking(batch).numpy(), network.compatibilities(batch).numpy()


@pytest.fixture(scope="module")
def scorer(trained, tmp_path_factory):
    """The same model after a way through the disk."""
    path = write_version(
        tmp_path_factory.mktemp("models"),
        trained.model.catalogue,
        trained.model.arrays,
        {},
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    version = open_version(path)
    return ModelScorer(version.catalogue, version.arrays)


def histories_of(members):
    """Members as lists of (track row, weight)."""
    members = [sorted(pairs) for pairs in members]
    return Histories(
        np.concatenate(([0], np.cumsum([len(pairs) for pairs in members]))).astype(np.int64),
        np.array([row for pairs in members for row, _ in pairs], dtype=np.int64),
        np.array([weight for pairs in members for _, weight in pairs], dtype=np.float32),
    )


def drawn_members(tracks, silent):
    """Short and long histories, all kinds of weights, dislikes only, unknown sound only, and none at all."""
    rng = np.random.default_rng(11)
    weights = np.array([-3.0, -1.5, 0.0, 0.5, 1.0, 1.5, 2.0, 13.5])
    members = [
        list(zip(rng.choice(tracks, size, replace=False).tolist(), rng.choice(weights, size).tolist(), strict=True))
        for size in (1, 1, 2, 3, 5, 8, 20, 60, tracks)
    ]
    members += [[(row, 1.0)] for row in silent] + [[(row, 1.0) for row in silent]]
    members += [[(3, -1.5), (9, -1.5)], [(3, 0.0)], []]
    return histories_of(members)


def test_every_score_agrees(trained, scorer):
    tracks = len(trained.model.catalogue)
    silent = np.flatnonzero(~scorer.known.any(axis=1)).tolist()
    assert silent
    histories = drawn_members(tracks, silent)
    rankings, compatibilities = torch_scores(trained, histories)
    assert rankings.shape == (len(histories), tracks)
    assert rankings.std() > 0.1
    for row in range(len(histories)):
        rows, weights = histories.of_member(row)
        member = Member.of_rows(rows, weights, scorer.values, scorer.known, scorer.catalogue)
        np.testing.assert_allclose(scorer.score(member).ranking, rankings[row], rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(scorer.compatibilities(member), compatibilities[row], rtol=0, atol=TOLERANCE)


def test_a_contribution_is_the_score_with_less_the_score_without(scorer):
    """The same by the formula of all tracks at once: take the track out of the history, keep the scale, score again."""
    histories = drawn_members(len(scorer.catalogue), [])
    listed = np.array([0, 3, 17, 80, 121])
    for row in range(len(histories)):
        rows, weights = histories.of_member(row)
        member = Member.of_rows(rows, weights, scorer.values, scorer.known, scorer.catalogue)
        if not 1 < len(rows) < 30:
            continue
        standing = scorer.rank(member)
        whole = standing.ranking[listed]
        contributions = scorer.contributions(standing, listed)
        for place in range(len(rows)):
            rest = np.arange(len(rows)) != place
            without = Member.of_rows(rows[rest], weights[rest], scorer.values, scorer.known, scorer.catalogue)
            expected = whole - scorer.rank(without, standing).ranking[listed]
            other = listed != rows[place]
            np.testing.assert_allclose(contributions[place][other], expected[other], rtol=0, atol=1e-4)
            assert (contributions[place][~other] == 0).all()
