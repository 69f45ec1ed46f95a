"""The network's formula in numpy: the arrays of a version and a member's history -> scores of all tracks.

`specrec.ncf` is the same formula in torch, where the layers are explained; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.features import Floats, Mask, Scaling
from specrec.interactions import Rows
from specrec.member import Member
from specrec.taste import TasteProfile

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Scores:
    """One member and all tracks: `ranking` (tracks,) orders them, `compatibility` and `match` (tracks,) are 0-1."""

    ranking: Floats
    compatibility: Floats
    match: Floats


class ModelScorer:
    """Scores members by the arrays of one version. T tracks, A artists, n tracks of a history."""

    def __init__(self, catalogue: Catalogue, arrays: Arrays) -> None:
        self.catalogue = catalogue
        self.scaling = Scaling(arrays["scaling.centre"], arrays["scaling.spread"])
        self.values, self.known = self.scaling.apply(catalogue.features)
        self._arrays = arrays
        self._artist_tracks = catalogue.artist_tracks
        self._artist_gate = float(arrays["artist_gate"])
        self._audio_gate = float(arrays["audio_gate"])
        self._centre = float(arrays["compatibility_centre"])
        self._slope, self._offset = (float(value) for value in arrays["calibration"])

    def score(self, member: Member) -> Scores:
        """All tracks for one member. An empty history is scored too: by what everybody likes."""
        compatibility = self._compatibilities(member)
        ranking = (
            self._arrays["track_embedding"] @ self._hidden(self._pooled(member))
            + self._arrays["track_bias"]
            + self._artist_gate * _damp(self._artist_weights(member))
            + self._audio_gate * self._audio(compatibility)
        ).astype(np.float32)
        return Scores(ranking, compatibility, self._match(ranking))

    def contributions(self, member: Member, rows: Rows) -> Floats:
        """(n, rows): each track's score with the whole history less its score without one track of the history.

        A track's part in its own score is 0: that it is known already is no reason to recommend it.
        """
        whole = self.score(member).ranking[rows]
        without = (
            self._hidden(self._pooled_without_each(member)) @ self._arrays["track_embedding"][rows].T
            + self._arrays["track_bias"][rows]
            + self._artist_gate * _damp(self._artist_weights_without_each(member, rows))
            + self._audio_gate * self._audio(self._compatibilities_without_each(member, rows))
        )
        raised = (whole - without).astype(np.float32)
        raised[member.rows[:, None] == rows[None, :]] = 0.0
        return raised

    # deep branch

    def _pooled(self, member: Member) -> Floats:
        """(width,) Σ weight · embedding / √Σ weight², over the tracks that the version has."""
        inside = member.rows >= 0
        weights = member.weights[inside]
        length = max(float(np.square(weights).sum()), 1e-12) ** 0.5
        pooled: Floats = (weights / np.float32(length)) @ self._arrays["history_embedding"][member.rows[inside]]
        return pooled

    def _pooled_without_each(self, member: Member) -> Floats:
        """(n, width) the same without track 0, without track 1, …"""
        weights = np.where(member.rows >= 0, member.weights, 0.0).astype(np.float64)
        parts = weights[:, None] * self._arrays["history_embedding"][np.maximum(member.rows, 0)]
        squares = np.maximum(np.square(weights).sum() - np.square(weights), 1e-12)
        pooled: Floats = ((parts.sum(axis=0) - parts) / np.sqrt(squares)[:, None]).astype(np.float32)
        return pooled

    def _hidden(self, pooled: Floats) -> Floats:
        hidden: Floats = np.tanh(pooled + self._arrays["hidden_bias"])
        return hidden

    # artist branch

    def _artist_weights(self, member: Member) -> NDArray[np.float64]:
        """(T,) how much of the history is by the track's artists, the track itself left out."""
        owners, artists = _flat(member)
        by_artist = np.bincount(artists, member.weights[owners], len(self.catalogue.artists))
        shares = by_artist[self.catalogue.artist_rows]
        weights = np.bincount(self._artist_tracks, shares, len(self.catalogue)).astype(np.float64)
        inside = member.rows >= 0
        rows = member.rows[inside]
        counts = self.catalogue.artist_starts[rows + 1] - self.catalogue.artist_starts[rows]
        weights[rows] -= member.weights[inside] * counts
        return weights

    def _artist_weights_without_each(self, member: Member, rows: Rows) -> NDArray[np.float64]:
        """(n, rows) the same without each track of the history."""
        owners, artists = _flat(member)
        shared = np.stack(
            [np.bincount(owners, np.isin(artists, self.catalogue.artists_of(row)), len(member.rows)) for row in rows],
            axis=1,
        )  # (n, rows) artists in common
        parts = np.where(member.rows[:, None] == rows[None, :], 0.0, shared * member.weights[:, None])
        weights: NDArray[np.float64] = parts.sum(axis=0) - parts
        return weights

    # audio branch

    def _compatibilities(self, member: Member) -> Floats:
        """(T,) learned compatibility; a track of the history is met by the profile without it."""
        profile = TasteProfile.of(member.values, member.known, member.weights)
        scores = self._compatibility(profile, self._arrays["track_vectors"], self.known)
        inside = np.flatnonzero(member.rows >= 0)
        if len(inside):
            rows = member.rows[inside]
            without = TasteProfile.without_each(member.values, member.known, member.weights)
            own = TasteProfile(without.values[inside], without.known[inside])
            scores[rows] = self._compatibility(own, self._arrays["track_vectors"][rows], self.known[rows])
        return scores

    def _compatibilities_without_each(self, member: Member, rows: Rows) -> Floats:
        """(n, rows) the same without each track of the history."""
        columns = []
        for row in rows:
            weights = np.where(member.rows == row, 0.0, member.weights).astype(np.float32)
            without = TasteProfile.without_each(member.values, member.known, weights)
            columns.append(self._compatibility(without, self._arrays["track_vectors"][row], self.known[row]))
        return np.stack(columns, axis=1)

    def _compatibility(self, profile: TasteProfile, track_vectors: Floats, known: Mask) -> Floats:
        """exp of minus the learned distance; 0 where no feature is known on both sides."""
        products = (self._profile_vectors(profile) * track_vectors).sum(axis=-1) + self._arrays["distance_bias"]
        scores = np.exp(-np.sqrt(np.logaddexp(0.0, products) + 1e-6))
        return np.where((profile.known & known).any(axis=-1), scores, 0.0).astype(np.float32)

    def _profile_vectors(self, profile: TasteProfile) -> Floats:
        """(…, 9) profiles -> (…, audio_size): the network's profile tower."""
        mask = profile.known.astype(np.float32)
        values = profile.values * mask
        inputs = np.concatenate((values, np.square(values) / 4, mask), axis=-1)
        weights = {name: self._arrays[f"profile_tower.{name}"] for name in _TOWER}
        hidden = np.tanh(inputs @ weights["hidden.weight"].T + weights["hidden.bias"])
        vectors: Floats = (
            hidden @ weights["output.weight"].T + weights["output.bias"] + inputs @ weights["skip.weight"].T
        )
        return vectors

    def _audio(self, compatibility: Floats) -> Floats:
        return np.where(compatibility > 0, compatibility - self._centre, 0.0).astype(np.float32)

    # match

    def _match(self, ranking: Floats) -> Floats:
        """(T,) calibrated; see `specrec.calibration`."""
        lift = log_lift(ranking)
        return (1.0 / (1.0 + np.exp(-(self._slope * lift + self._offset)))).astype(np.float32)


_TOWER = ("hidden.weight", "hidden.bias", "output.weight", "output.bias", "skip.weight")


def log_lift(ranking: Floats) -> NDArray[np.float64]:
    """(T,) log of how many times likelier than one track in T each is: what makes members' scores comparable."""
    scores = ranking.astype(np.float64)
    top = scores.max(initial=0.0)
    total = top + np.log(np.exp(scores - top).sum())
    lift: NDArray[np.float64] = scores - total + np.log(len(scores))
    return lift


def _damp(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    damped: NDArray[np.float64] = np.sign(weights) * np.log1p(np.abs(weights))
    return damped


def _flat(member: Member) -> tuple[Rows, Rows]:
    """Pairs of (position in the history, artist row)."""
    owners = np.repeat(np.arange(len(member.rows)), [len(artists) for artists in member.artists])
    artists = np.concatenate((*member.artists, np.zeros(0, dtype=np.int64)))
    return owners, artists
