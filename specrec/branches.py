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
    """The `sources` of one version's branches. T tracks, n tracks of a history."""

    def __init__(self, catalogue: Catalogue, arrays: Arrays, sources: Collection[str]) -> None:
        self.catalogue = catalogue
        self.artist_tracks = catalogue.artist_tracks
        self.arrays = arrays
        self.sources = sources
        self.links = {name: Links.of_arrays(name, arrays) for name in LINKED if name in sources}

    def of(self, member: Member, unit: float) -> "Opinions":
        """What they say to a member; `unit` is the mean size of the weights of their history, or of a longer one."""
        return Opinions(self, member, unit)


class Opinions:
    """What the branches say to one member: with the whole history, and without each track of it.

    A track that the version does not have counts by its artists and its sound alone.
    """

    def __init__(self, branches: Branches, member: Member, unit: float) -> None:
        self._branches = branches
        self.member = member
        self._relative = member.weights.astype(np.float64) / unit  # (n,)
        self._inside = member.rows >= 0
        self._rows = np.maximum(member.rows, 0)
        self._weights = np.where(self._inside, member.weights, 0.0).astype(np.float64)
        self._links = {name: links.of(self._rows) for name, links in branches.links.items()}
        if "deep" in branches.sources:
            self._embeddings = self._weights[:, None] * branches.arrays["history_embedding"][self._rows]  # (n, width)
            self._squares = np.square(self._weights)
        if "artist" in branches.sources:
            self._owners = np.repeat(np.arange(len(member.rows)), [len(artists) for artists in member.artists])
            self._artists = np.concatenate((*member.artists, _NOBODY))
        if "audio" in branches.sources:
            self._sounds, self._heard = self._listen()
        self.whole = self._whole()
        """(T,) of each source."""

    def _whole(self) -> dict[str, Numbers]:
        arrays, sources = self._branches.arrays, self._branches.sources
        counted = self._relative * self._inside
        scores: dict[str, Numbers] = {name: links.together(counted) for name, links in self._links.items()}
        if "deep" in sources:
            hidden = self._hidden(self._embeddings.sum(axis=0), self._squares.sum())
            scores["deep"] = (hidden @ arrays["track_units"] + arrays["track_bias"]).astype(np.float64)
        if "artist" in sources:
            scores["artist"] = _damp(self._by_artist())
        if "audio" in sources:
            vector = self._history_sound(self._sounds.sum(axis=0), self._heard.sum()).astype(np.float32)
            scores["audio"] = (vector @ arrays["sound_units"]).astype(np.float64)
        return scores

    def without_each(self, rows: Rows) -> dict[str, Numbers]:
        """(n, rows) of each source: what it says of these tracks without each track of the history."""
        arrays, sources = self._branches.arrays, self._branches.sources
        counted = (self._relative * self._inside)[:, None]
        scores = {name: _without_each(links.to(rows) * counted) for name, links in self._links.items()}
        if "deep" in sources:
            hidden = self._hidden(_without_each(self._embeddings), _without_each(self._squares))
            logits = hidden @ arrays["track_units"][:, rows] + arrays["track_bias"][rows]
            scores["deep"] = logits.astype(np.float64)
        if "artist" in sources:
            scores["artist"] = _damp(_without_each(self._artist_parts(rows)))
        if "audio" in sources:
            vectors = self._history_sound(_without_each(self._sounds), _without_each(self._heard))
            scores["audio"] = vectors @ arrays["sound_units"][:, rows]
        return scores

    # deep

    def _hidden(self, sums: Numbers, squares: Numbers | np.float64) -> Floats:
        """(…, width) Σ weight · embedding and (…) Σ weight² -> (…, width), in single precision."""
        pooled = sums / np.expand_dims(np.sqrt(np.maximum(squares, 1e-12)), -1)
        hidden: Floats = np.tanh(pooled.astype(np.float32) + self._branches.arrays["hidden_bias"])
        return hidden

    # audio

    def _listen(self) -> tuple[Numbers, Numbers]:
        """(n, 27 + waves) the inputs of each track times what it weighs, and (n,) that: 0 where nothing is known."""
        member, arrays = self.member, self._branches.arrays
        heard = np.maximum(member.weights, 0.0).astype(np.float64) * member.known.any(axis=1)
        values = member.values * member.known
        waves = np.cos(values @ arrays["wave_directions"] + arrays["wave_phases"])
        inputs = np.concatenate(
            (audio_inputs(member.values, member.known), waves * (2 / len(FEATURES)) ** 0.5), axis=1
        ).astype(np.float64)
        return inputs * heard[:, None], heard

    def _history_sound(self, inputs: Numbers, counts: Numbers) -> Numbers:
        """(…, 27 + waves) sums of inputs, (…) of weights -> (…, sound_size) of length 1; 0 if nothing was heard."""
        arrays = self._branches.arrays
        pooled = inputs / np.expand_dims(np.maximum(counts, 1e-9), -1)
        vectors = pooled @ arrays["history_sound.weight"].T + arrays["history_sound.bias"]
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        normalised: Numbers = vectors / np.maximum(lengths, 1e-12) * np.expand_dims(counts > 1e-9, -1)
        return normalised

    # artist

    def _by_artist(self) -> Numbers:
        """(T,) how much of the history is by the track's artists, the track itself left out."""
        catalogue = self._branches.catalogue
        by_artist = np.bincount(self._artists, self._relative[self._owners], len(catalogue.artists))
        shares = by_artist[catalogue.artist_rows]
        weights = np.bincount(self._branches.artist_tracks, shares, len(catalogue)).astype(np.float64)
        rows = self._rows[self._inside]
        counts = catalogue.artist_starts[rows + 1] - catalogue.artist_starts[rows]
        weights[rows] -= self._relative[self._inside] * counts
        return weights

    def _artist_parts(self, rows: Rows) -> Numbers:
        """(n, rows) what each track of the history adds to that."""
        listed = [self._branches.catalogue.artists_of(int(row)) for row in rows]
        columns = np.repeat(np.arange(len(rows)), [len(names) for names in listed])
        theirs = np.concatenate((*listed, _NOBODY))
        own, others = np.nonzero(self._artists[:, None] == theirs[None, :])
        shared = np.zeros((len(self._relative), len(rows)))  # artists in common
        np.add.at(shared, (self._owners[own], columns[others]), 1.0)
        parts: Numbers = shared * self._relative[:, None]
        parts[self.member.rows[:, None] == rows[None, :]] = 0.0
        return parts


def _without_each(parts: Numbers) -> Numbers:
    """(n, …) -> (n, …) the sum of all less each."""
    without: Numbers = parts.sum(axis=0) - parts
    return without


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
