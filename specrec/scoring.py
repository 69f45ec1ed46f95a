"""The network's formula in numpy: the arrays of a version and a member's history -> scores of all tracks.

`specrec.ncf` is the same formula in torch, where the layers are explained; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.features import FEATURES, Floats, Mask, Scaling
from specrec.fusion import BRANCHES, Frame
from specrec.interactions import Rows
from specrec.links import Links
from specrec.member import Member
from specrec.taste import TasteProfile

LINKED = ("wide", "neighbour")
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Scores:
    """One member and all tracks: `ranking` (tracks,) orders them, `compatibility` and `match` (tracks,) are 0-1."""

    ranking: Floats
    compatibility: Floats
    match: Floats


@dataclass(frozen=True, slots=True)
class Standing:
    """What makes scores comparable between members: the mean size of a member's weights, and the branches' scales."""

    unit: float
    frame: Frame


class ModelScorer:
    """Scores members by the arrays of one version. T tracks, A artists, n tracks of a history."""

    def __init__(self, catalogue: Catalogue, arrays: Arrays) -> None:
        self.catalogue = catalogue
        self.scaling = Scaling(arrays["scaling.centre"], arrays["scaling.spread"])
        self.values, self.known = self.scaling.apply(catalogue.features)
        self._arrays = arrays
        self._artist_tracks = catalogue.artist_tracks
        gates = np.asarray(arrays["gates"], dtype=np.float64)
        self._branches = [branch for branch, gate in zip(BRANCHES, gates, strict=True) if gate > 0]
        self._gates = gates[gates > 0]
        self._sources = {branch.source for branch in self._branches}
        self._links = {name: Links.of_arrays(name, arrays) for name in LINKED if name in self._sources}
        listeners = np.asarray(arrays["listeners"], dtype=np.float64)
        self._voices = np.stack([branch.voice(listeners) for branch in self._branches])  # (branches, T)
        self._spoken = self._voices > 0
        self._slope, self._offset = (float(value) for value in arrays["calibration"])

    def score(self, member: Member) -> Scores:
        """All tracks for one member. An empty history is scored too: by what everybody likes."""
        unit = _unit(member)
        raw = self._raw(member, unit)
        ranking = self._fused(raw, self._frame(member, raw))
        return Scores(ranking, self._compatibilities(member), self._match(ranking))

    def standing(self, member: Member) -> Standing:
        """What makes the member's scores comparable: see `Standing`."""
        unit = _unit(member)
        return Standing(unit, self._frame(member, self._raw(member, unit)))

    def ranking(self, member: Member, standing: Standing) -> Floats:
        """(T,) ranking scores of the member under a standing, which may be that of a longer history."""
        return self._fused(self._raw(member, standing.unit), standing.frame)

    def contributions(self, member: Member, rows: Rows) -> Floats:
        """(n, rows): each track's score with the whole history less its score without one track of the history.

        The standing stays that of the whole history. A track's part in its own score is 0: that it is known already
        is no reason to recommend it.
        """
        unit = _unit(member)
        raw = self._raw(member, unit)
        frame, spoken = self._frame(member, raw), self._spoken[:, rows]
        whole = frame.scale(raw[:, rows], spoken)
        without = frame.scale(self._raw_without_each(member, unit, rows), spoken)
        raised: Floats = np.einsum("k,knr->nr", self._gates, whole[:, None, :] - without).astype(np.float32)
        raised[member.rows[:, None] == rows[None, :]] = 0.0
        return raised

    def _frame(self, member: Member, raw: NDArray[np.float64]) -> Frame:
        return Frame.of(self._branches, raw, self._spoken, member.rows[member.rows >= 0])

    def _fused(self, raw: NDArray[np.float64], frame: Frame) -> Floats:
        fused: Floats = (self._gates @ frame.scale(raw, self._spoken)).astype(np.float32)
        return fused

    # branches

    def _raw(self, member: Member, unit: float) -> NDArray[np.float64]:
        """(branches, T) the own scores of each branch that has a gate."""
        inside = member.rows >= 0
        rows, weights = member.rows[inside], member.weights[inside].astype(np.float64) / unit
        scores: dict[str, NDArray[Any]] = {name: links.follow(rows, weights) for name, links in self._links.items()}
        if "deep" in self._sources:
            scores["deep"] = (
                self._arrays["track_embedding"] @ self._hidden(self._pooled(member)) + self._arrays["track_bias"]
            )
        if "artist" in self._sources:
            scores["artist"] = _damp(self._artist_weights(member, unit))
        if "audio" in self._sources:
            inputs, counts = self._heard(member)
            scores["audio"] = self._arrays["sound_vectors"] @ self._history_sound(inputs.sum(axis=0), counts.sum())
        return np.stack([scores[branch.source] for branch in self._branches]).astype(np.float64) * self._voices

    def _raw_without_each(self, member: Member, unit: float, rows: Rows) -> NDArray[np.float64]:
        """(branches, n, rows) the same without each track of the history."""
        inside = member.rows >= 0
        weights = np.where(inside, member.weights, 0.0).astype(np.float64) / unit
        scores: dict[str, NDArray[Any]] = {}
        for name, links in self._links.items():
            parts = links.between(np.maximum(member.rows, 0), rows) * weights[:, None]
            scores[name] = parts.sum(axis=0) - parts
        if "deep" in self._sources:
            hidden = self._hidden(self._pooled_without_each(member))
            scores["deep"] = hidden @ self._arrays["track_embedding"][rows].T + self._arrays["track_bias"][rows]
        if "artist" in self._sources:
            scores["artist"] = _damp(self._artist_weights_without_each(member, rows) / unit)
        if "audio" in self._sources:
            inputs, counts = self._heard(member)
            vectors = self._history_sound(inputs.sum(axis=0) - inputs, counts.sum() - counts)
            scores["audio"] = vectors @ self._arrays["sound_vectors"][rows].T
        spoken = np.stack([scores[branch.source] for branch in self._branches]).astype(np.float64)
        return spoken * self._voices[:, None, rows]

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

    # audio branch

    def _heard(self, member: Member) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, 27 + waves) the inputs of each track times what it weighs, and (n,) that: 0 where nothing is known."""
        heard = np.maximum(member.weights, 0.0).astype(np.float64) * member.known.any(axis=1)
        values = member.values * member.known
        waves = np.cos(values @ self._arrays["wave_directions"] + self._arrays["wave_phases"])
        inputs = np.concatenate(
            (_audio_inputs(member.values, member.known), waves * (2 / len(FEATURES)) ** 0.5), axis=1
        ).astype(np.float64)
        return inputs * heard[:, None], heard

    def _history_sound(self, inputs: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, 27 + waves) sums of inputs, (…) of weights -> (…, sound_size) of length 1; 0 if nothing was heard."""
        pooled = inputs / np.expand_dims(np.maximum(counts, 1e-9), -1)
        vectors = pooled @ self._arrays["history_sound.weight"].T + self._arrays["history_sound.bias"]
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        normalised: NDArray[np.float64] = vectors / np.maximum(lengths, 1e-12) * np.expand_dims(counts > 0, -1)
        return normalised

    # artist branch

    def _artist_weights(self, member: Member, unit: float) -> NDArray[np.float64]:
        """(T,) how much of the history is by the track's artists, the track itself left out."""
        owners, artists = _flat(member)
        relative = member.weights.astype(np.float64) / unit
        by_artist = np.bincount(artists, relative[owners], len(self.catalogue.artists))
        shares = by_artist[self.catalogue.artist_rows]
        weights = np.bincount(self._artist_tracks, shares, len(self.catalogue)).astype(np.float64)
        inside = member.rows >= 0
        rows = member.rows[inside]
        counts = self.catalogue.artist_starts[rows + 1] - self.catalogue.artist_starts[rows]
        weights[rows] -= relative[inside] * counts
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

    # compatibility head

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

    def _compatibility(self, profile: TasteProfile, track_vectors: Floats, known: Mask) -> Floats:
        """exp of minus the learned distance; 0 where no feature is known on both sides."""
        products = (self._profile_vectors(profile) * track_vectors).sum(axis=-1) + self._arrays["distance_bias"]
        scores = np.exp(-np.sqrt(np.logaddexp(0.0, products) + 1e-6))
        return np.where((profile.known & known).any(axis=-1), scores, 0.0).astype(np.float32)

    def _profile_vectors(self, profile: TasteProfile) -> Floats:
        """(…, 9) profiles -> (…, audio_size): the network's profile tower."""
        inputs = _audio_inputs(profile.values, profile.known)
        weights = {name: self._arrays[f"profile_tower.{name}"] for name in _TOWER}
        hidden = np.tanh(inputs @ weights["hidden.weight"].T + weights["hidden.bias"])
        vectors: Floats = (
            hidden @ weights["output.weight"].T + weights["output.bias"] + inputs @ weights["skip.weight"].T
        )
        return vectors

    # match

    def _match(self, ranking: Floats) -> Floats:
        """(T,) calibrated; see `specrec.calibration`."""
        lift = log_lift(ranking)
        return (1.0 / (1.0 + np.exp(-(self._slope * lift + self._offset)))).astype(np.float32)


def _unit(member: Member) -> float:
    """The mean size of the member's weights."""
    sizes = np.abs(member.weights[member.weights != 0]).astype(np.float64)
    return float(sizes.mean()) if len(sizes) else 1.0


_TOWER = ("hidden.weight", "hidden.bias", "output.weight", "output.bias", "skip.weight")


def log_lift(ranking: Floats) -> NDArray[np.float64]:
    """(T,) log of how many times likelier than one track in T each is: what makes members' scores comparable."""
    scores = ranking.astype(np.float64)
    top = scores.max(initial=0.0)
    total = top + np.log(np.exp(scores - top).sum())
    lift: NDArray[np.float64] = scores - total + np.log(len(scores))
    return lift


def _audio_inputs(values: Floats, known: Mask) -> Floats:
    """(…, 27) as `specrec.ncf.audio_inputs`."""
    mask = known.astype(np.float32)
    values = values * mask
    inputs: Floats = np.concatenate((values, np.square(values) / 4, mask), axis=-1)
    return inputs


def _damp(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    damped: NDArray[np.float64] = np.sign(weights) * np.log1p(np.abs(weights))
    return damped


def _flat(member: Member) -> tuple[Rows, Rows]:
    """Pairs of (position in the history, artist row)."""
    owners = np.repeat(np.arange(len(member.rows)), [len(artists) for artists in member.artists])
    artists = np.concatenate((*member.artists, np.zeros(0, dtype=np.int64)))
    return owners, artists
