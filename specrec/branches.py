"""The branches of the network in numpy: what each says of tracks, before it is scaled and weighed."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.features import FEATURES, Floats, Mask
from specrec.fusion import Numbers
from specrec.interactions import Rows
from specrec.links import Links
from specrec.member import Member

LINKED = ("wide", "neighbour")
Arrays = Mapping[str, NDArray[Any]]


class Branches:
    """The `sources` of one version's branches. T tracks, n tracks of a history, `unit` the mean size of its weights."""

    def __init__(self, catalogue: Catalogue, arrays: Arrays, sources: Collection[str]) -> None:
        self._catalogue = catalogue
        self._artist_tracks = catalogue.artist_tracks
        self._arrays = arrays
        self._sources = sources
        self._links = {name: Links.of_arrays(name, arrays) for name in LINKED if name in sources}

    def whole(self, member: Member, unit: float) -> dict[str, Numbers]:
        """(T,) of each source."""
        inside = member.rows >= 0
        rows, weights = member.rows[inside], member.weights[inside].astype(np.float64) / unit
        scores: dict[str, Numbers] = {name: links.follow(rows, weights) for name, links in self._links.items()}
        if "deep" in self._sources:
            logits = self._arrays["track_embedding"] @ self._hidden(self._pooled(member)) + self._arrays["track_bias"]
            scores["deep"] = logits.astype(np.float64)
        if "artist" in self._sources:
            scores["artist"] = _damp(self._artist_weights(member, unit))
        if "audio" in self._sources:
            inputs, counts = self._heard(member)
            vector = self._history_sound(inputs.sum(axis=0), counts.sum()).astype(np.float32)
            scores["audio"] = (self._arrays["sound_vectors"] @ vector).astype(np.float64)
        return scores

    def without_each(self, member: Member, unit: float, rows: Rows) -> dict[str, Numbers]:
        """(n, rows) of each source: what it says of these tracks without each track of the history."""
        inside = member.rows >= 0
        weights = np.where(inside, member.weights, 0.0).astype(np.float64) / unit
        scores: dict[str, Numbers] = {}
        for name, links in self._links.items():
            parts = links.between(np.maximum(member.rows, 0), rows) * weights[:, None]
            scores[name] = parts.sum(axis=0) - parts
        if "deep" in self._sources:
            logits = self._hidden(self._pooled_without_each(member)) @ self._arrays["track_embedding"][rows].T
            scores["deep"] = (logits + self._arrays["track_bias"][rows]).astype(np.float64)
        if "artist" in self._sources:
            parts = self._artist_parts(member, rows) / unit
            scores["artist"] = _damp(parts.sum(axis=0) - parts)
        if "audio" in self._sources:
            inputs, counts = self._heard(member)
            vectors = self._history_sound(inputs.sum(axis=0) - inputs, counts.sum() - counts)
            scores["audio"] = vectors @ self._arrays["sound_vectors"][rows].T
        return scores

    # deep

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

    # audio

    def _heard(self, member: Member) -> tuple[Numbers, Numbers]:
        """(n, 27 + waves) the inputs of each track times what it weighs, and (n,) that: 0 where nothing is known."""
        heard = np.maximum(member.weights, 0.0).astype(np.float64) * member.known.any(axis=1)
        values = member.values * member.known
        waves = np.cos(values @ self._arrays["wave_directions"] + self._arrays["wave_phases"])
        inputs = np.concatenate(
            (audio_inputs(member.values, member.known), waves * (2 / len(FEATURES)) ** 0.5), axis=1
        ).astype(np.float64)
        return inputs * heard[:, None], heard

    def _history_sound(self, inputs: Numbers, counts: Numbers) -> Numbers:
        """(…, 27 + waves) sums of inputs, (…) of weights -> (…, sound_size) of length 1; 0 if nothing was heard."""
        pooled = inputs / np.expand_dims(np.maximum(counts, 1e-9), -1)
        vectors = pooled @ self._arrays["history_sound.weight"].T + self._arrays["history_sound.bias"]
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        normalised: Numbers = vectors / np.maximum(lengths, 1e-12) * np.expand_dims(counts > 0, -1)
        return normalised

    # artist

    def _artist_weights(self, member: Member, unit: float) -> Numbers:
        """(T,) how much of the history is by the track's artists, the track itself left out."""
        owners, artists = _flat(member)
        relative = member.weights.astype(np.float64) / unit
        by_artist = np.bincount(artists, relative[owners], len(self._catalogue.artists))
        shares = by_artist[self._catalogue.artist_rows]
        weights = np.bincount(self._artist_tracks, shares, len(self._catalogue)).astype(np.float64)
        inside = member.rows >= 0
        rows = member.rows[inside]
        counts = self._catalogue.artist_starts[rows + 1] - self._catalogue.artist_starts[rows]
        weights[rows] -= relative[inside] * counts
        return weights

    def _artist_parts(self, member: Member, rows: Rows) -> Numbers:
        """(n, rows) what each track of the history adds to that, times `unit`."""
        owners, artists = _flat(member)
        listed = [self._catalogue.artists_of(int(row)) for row in rows]
        columns = np.repeat(np.arange(len(rows)), [len(names) for names in listed])
        theirs = np.concatenate((*listed, _NOBODY))
        both = np.argwhere(artists[:, None] == theirs[None, :])
        shared = np.zeros((len(member.rows), len(rows)))  # artists in common
        np.add.at(shared, (owners[both[:, 0]], columns[both[:, 1]]), 1.0)
        parts: Numbers = np.where(member.rows[:, None] == rows[None, :], 0.0, shared * member.weights[:, None])
        return parts


def audio_inputs(values: Floats, known: Mask) -> Floats:
    """(…, 27) as `specrec.ncf.audio_inputs`."""
    mask = known.astype(np.float32)
    values = values * mask
    inputs: Floats = np.concatenate((values, np.square(values) / 4, mask), axis=-1)
    return inputs


def _damp(weights: Numbers) -> Numbers:
    """sign · log1p of the size; most are 0, which costs nothing."""
    damped = np.zeros_like(weights)
    some = np.nonzero(weights)
    damped[some] = np.sign(weights[some]) * np.log1p(np.abs(weights[some]))
    return damped


_NOBODY: Rows = np.zeros(0, dtype=np.int64)


def _flat(member: Member) -> tuple[Rows, Rows]:
    """Pairs of (position in the history, artist row)."""
    owners = np.repeat(np.arange(len(member.rows)), [len(artists) for artists in member.artists])
    artists = np.concatenate((*member.artists, _NOBODY))
    return owners, artists
