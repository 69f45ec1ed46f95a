"""Tracks that nobody in the community has yet: no list of the model's reaches them, so some places are kept for them.

What orders them is `exploring_scores`, and nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.compatibility import compatibility
from specrec.features import Floats, Mask
from specrec.interactions import Rows
from specrec.member import Member
from specrec.taste import TasteProfile


def exploring_scores(member: Member, catalogue: Catalogue, values: Floats, known: Mask) -> Floats:
    """(T,) how much a track that has no listeners yet is one for the member; 0 where nothing is known of it.

    The compatibility of taste profile and track, and how much of the history is by its artists, as a share of the
    member's most heard artist. `values` and `known` (T, 9) are the catalogue's standardised features.
    """
    profile = TasteProfile.of(member.values, member.known, member.weights)
    scores: Floats = compatibility(profile, values, known) + _artist_shares(member, catalogue)
    return scores


def exploring_contributions(
    member: Member, catalogue: Catalogue, values: Floats, known: Mask, rows: Rows
) -> NDArray[np.float64]:
    """(n, rows): each track's score with the whole history less its score without one track of the history."""
    profile = TasteProfile.of(member.values, member.known, member.weights)
    each = TasteProfile.without_each(member.values, member.known, member.weights)
    without = TasteProfile(each.values[:, None, :], each.known[:, None, :])
    sound = compatibility(profile, values[rows], known[rows]) - compatibility(without, values[rows], known[rows])
    weights = np.maximum(member.weights, 0.0).astype(np.float64)
    most = max(_by_artist(member, catalogue).max(initial=0.0), 1e-9)
    shared = np.array(
        [[len(np.intersect1d(catalogue.artists_of(int(row)), artists)) for row in rows] for artists in member.artists],
        dtype=np.float64,
    ).reshape(len(weights), len(rows))
    contributions: NDArray[np.float64] = sound + weights[:, None] * shared / most
    return contributions


def _artist_shares(member: Member, catalogue: Catalogue) -> Floats:
    """(T,) 0 where no artist of the track is in the history, 1 for the most heard one."""
    by_artist = _by_artist(member, catalogue)
    most = max(by_artist.max(initial=0.0), 1e-9)
    shares = np.bincount(catalogue.artist_tracks, by_artist[catalogue.artist_rows] / most, len(catalogue))
    return shares.astype(np.float32)


def _by_artist(member: Member, catalogue: Catalogue) -> NDArray[np.float64]:
    """(A,) what the tracks of each artist that the member likes weigh."""
    owners = np.repeat(np.arange(len(member.artists)), [len(artists) for artists in member.artists])
    artists = np.concatenate((*member.artists, np.zeros(0, dtype=np.int64)))
    weights = np.maximum(member.weights, 0.0).astype(np.float64)
    return np.bincount(artists, weights[owners], len(catalogue.artists)).astype(np.float64)
