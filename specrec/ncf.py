"""The network: neural collaborative filtering in which a member is their history. Configuration first, then layers.

    history ─┬─ links of its tracks ─────────────── ridge weights, and again for rarer tracks   (wide branch)
             ├─ links of its tracks ─────────────── who likes both, and again for rarer tracks  (neighbour branch)
             ├─ pooled track embeddings ── tanh ─── · track's output embedding + bias           (deep branch)
             ├─ weight of each artist ───────────── log1p                                       (artist branch)
             └─ pooled audio inputs ── projection ─ cosine with the track's projection          (audio branch)
                                                    each scaled per member, times its gate: ranking score
    taste profile, track's features ── two towers ─ compatibility score

A fused network as NeuMF (He et al., WWW 2017) is one, but every branch takes the history itself: there is no table of
members, and whoever brings a history is served by the same formula, seen in training or not. What a track of the
history adds to its *own* score through links, artists and the compatibility's profile is left out, in training as in
serving, so that a track is judged by what the rest of the history says about it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import pi

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- torch's own name for it

from specrec.features import FEATURES
from specrec.fusion import BRANCHES, CLIP, SMALLEST_SPREAD, TOP, Branch
from specrec.links import Links
from specrec.ranking import STRIP

AUDIO_INPUTS = 3 * len(FEATURES)
SOUND_NOISE = 0.3  # of the usual start, for the units that are not features
WAVE_FREQUENCY = 0.5  # radians a standard deviation


@dataclass(frozen=True, slots=True)
class NCFConfig:
    """What the network is; how a run goes is in `TrainingOptions`."""

    width: int = 128
    """Length of a track's embeddings."""
    dropout: float = 0.7
    """Share of a history that the deep branch does not get to see in a training step."""
    audio_width: int = 64
    """Hidden units of each tower of the compatibility head."""
    audio_size: int = 24
    """Length of the vectors in which the towers compare profile and track."""
    sound_size: int = 64
    """Length of the vectors in which the audio branch compares history and track."""
    waves: int = 128
    """Cosines of the features in random directions: their mean over a history tells one taste from two (random
    Fourier features, Rahimi & Recht, NIPS 2007)."""

    @classmethod
    def for_data(cls, members: int, tracks: int) -> "NCFConfig":
        """A size for the data: narrow for a handful of members, and for large catalogues. 256 was no better than 128 on
        any data that was measured."""
        if members < 50 or tracks > 300_000:
            return cls(width=32)
        return cls(width=64) if tracks > 100_000 else cls()


@dataclass(frozen=True, slots=True)
class Batch:
    """Some members' histories as flat pairs of (member, track); P pairs of B members.

    `weights` is the taste weight (negative: disliked). `profiles` (B, 9) and `profiles_without` (P, 9) are taste
    profiles: of the whole history, and of the history without the pair's track; 0 with a False mask where unknown.
    """

    members: Tensor  # (P,) 0 … B − 1, ascending
    tracks: Tensor  # (P,)
    weights: Tensor  # (P,)
    profiles: Tensor  # (B, 9)
    profiles_known: Tensor  # (B, 9) bool
    profiles_without: Tensor  # (P, 9)
    profiles_without_known: Tensor  # (P, 9) bool

    @property
    def size(self) -> int:
        return len(self.profiles)

    def sum_by_member(self, values: Tensor) -> Tensor:
        """(P, …) -> (B, …)."""
        return values.new_zeros((self.size, *values.shape[1:])).index_add(0, self.members, values)

    def relative_weights(self) -> Tensor:
        """(P,) as `specrec.interactions.relative_weights`, in double precision."""
        weights = self.weights.double()
        entries = self.sum_by_member((weights != 0).double())
        means = self.sum_by_member(weights.abs()) / entries.clamp(min=1)
        return weights / torch.where(entries > 0, means, 1.0)[self.members]


class AudioTower(nn.Module):
    """Nine standardised features and their mask -> the vector by which profile and track are compared."""

    def __init__(self, config: NCFConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(AUDIO_INPUTS, config.audio_width)
        self.output = nn.Linear(config.audio_width, config.audio_size)
        self.skip = nn.Linear(AUDIO_INPUTS, config.audio_size, bias=False)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """(…, 9) and (…, 9) bool -> (…, audio_size)."""
        inputs = audio_inputs(values, known)
        return self.output(torch.tanh(self.hidden(inputs))) + self.skip(inputs)  # type: ignore[no-any-return]


def audio_inputs(values: Tensor, known: Tensor) -> Tensor:
    """(…, 27) values, their squares and the mask: a distance is a sum of squares, so that much is given."""
    mask = known.to(values.dtype)
    values = values * mask
    return torch.cat((values, values.square() / 4, mask), dim=-1)


class NCF(nn.Module):
    """The whole network over one catalogue of T tracks and A artists."""

    def __init__(
        self,
        config: NCFConfig,
        values: Tensor,
        known: Tensor,
        artists: csr_array,
        wide: Links,
        neighbour: Links,
        listeners: Tensor,
    ) -> None:
        """`values` (T, 9) standardised, `known` (T, 9) bool, `artists` (T, A) 1 where A made T; `listeners` (T,) how
        many members like each track.

        What is sparse stays in numpy and scipy, on the processor: a history of forty tracks touches some thousand
        links, which a product with a dense matrix of histories could not make use of.
        """
        super().__init__()
        tracks = len(values)
        self.config = config
        self.register_buffer("values", values)
        self.register_buffer("known", known)
        self.artists = artists
        self.links = {"wide": wide, "neighbour": neighbour}
        self.register_buffer("listeners", listeners)
        self.register_buffer("gates", torch.zeros(len(BRANCHES), dtype=torch.double))
        self.history_embedding = nn.Parameter(torch.randn(tracks, config.width) / config.width**0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(config.width))
        self.track_embedding = nn.Parameter(torch.randn(tracks, config.width) / config.width**0.5)
        self.track_bias = nn.Parameter(torch.zeros(tracks))
        self.register_buffer("wave_directions", WAVE_FREQUENCY * torch.randn(len(FEATURES), config.waves))
        self.register_buffer("wave_phases", 2 * pi * torch.rand(config.waves))
        self.history_sound = nn.Linear(AUDIO_INPUTS + config.waves, config.sound_size)
        self.track_sound = nn.Linear(AUDIO_INPUTS + config.waves, config.sound_size)
        with torch.no_grad():  # begins as the cosine of the features themselves: the same projection on both sides
            self.track_sound.weight.mul_(SOUND_NOISE)
            self.track_sound.weight[: len(FEATURES)] = torch.eye(len(FEATURES), AUDIO_INPUTS + config.waves)
            self.track_sound.bias.zero_()
            self.history_sound.weight.copy_(self.track_sound.weight)
            self.history_sound.bias.zero_()
        self._sound_table: Tensor | None = None
        self.sound_temperature = nn.Parameter(torch.tensor(3.0))
        self.profile_tower = AudioTower(config)
        self.track_tower = AudioTower(config)
        self.distance_bias = nn.Parameter(torch.tensor(1.0))

    values: Tensor
    known: Tensor
    listeners: Tensor
    gates: Tensor
    wave_directions: Tensor
    wave_phases: Tensor

    # compatibility head

    def compatibility(self, profile_vectors: Tensor, track_vectors: Tensor) -> Tensor:
        """(N, audio_size) both -> (N,) predicted compatibility scores, 0-1: exp of minus a learned distance."""
        return self._score((profile_vectors * track_vectors).sum(dim=-1))

    def _score(self, products: Tensor) -> Tensor:
        return torch.exp(-torch.sqrt(F.softplus(products + self.distance_bias) + 1e-6))

    def compatibilities(self, batch: Batch) -> Tensor:
        """(B, T): every member with every track; a track of the history is met by the profile without it.

        0 where no feature is known on both sides.
        """
        vectors: Tensor = self.track_tower(self.values, self.known)  # (T, audio_size)
        whole = self._score(self.profile_tower(batch.profiles, batch.profiles_known) @ vectors.T)  # (B, T)
        own = self.compatibility(
            self.profile_tower(batch.profiles_without, batch.profiles_without_known), vectors[batch.tracks]
        )
        scores = whole.index_put((batch.members, batch.tracks), own)
        comparable = batch.profiles_known.to(scores.dtype) @ self.known.to(scores.dtype).T > 0  # (B, T)
        own_comparable = (batch.profiles_without_known & self.known[batch.tracks]).any(dim=-1)
        return torch.where(comparable.index_put((batch.members, batch.tracks), own_comparable), scores, 0.0)

    # branches of the ranking

    def deep(self, batch: Batch, columns: Tensor | None = None) -> Tensor:
        """(B, T) logits of the softmax over the catalogue, or (B, columns) of these tracks alone."""
        lengths = batch.sum_by_member(batch.weights.square()).clamp(min=1e-12).sqrt()
        shares = F.dropout(batch.weights / lengths[batch.members], self.config.dropout, self.training)  # (P,)
        starts = torch.searchsorted(batch.members, torch.arange(batch.size, device=shares.device))
        # Of a part of the catalogue only that part has a gradient.
        partly = columns is not None
        pooled = F.embedding_bag(
            batch.tracks, self.history_embedding, starts, mode="sum", per_sample_weights=shares, sparse=partly
        )  # (B, width)
        hidden = torch.tanh(pooled + self.hidden_bias)
        if columns is None:
            return hidden @ self.track_embedding.T + self.track_bias
        return hidden @ F.embedding(columns, self.track_embedding, sparse=True).T + self.track_bias[columns]

    def sound(self, batch: Batch, heard: Tensor, columns: Tensor | None = None) -> Tensor:
        """(B, T) or (B, columns) cosines of the history's sound and the track's, 0 where either is unknown.

        `heard` (P,) is how much each pair counts: the taste weight of the liked ones, or of those of them that a
        training step gives. Its precision is that of the cosines.
        """
        audible = self.known.any(dim=-1)
        heard = heard * audible[batch.tracks]
        totals = batch.sum_by_member(heard)
        inputs = self.sound_inputs(batch.tracks)
        pooled = batch.sum_by_member(heard[:, None] * inputs) / totals.clamp(min=1e-9)[:, None]
        dtype = heard.dtype
        projected = F.linear(pooled, self.history_sound.weight.to(dtype), self.history_sound.bias.to(dtype))
        vectors = F.normalize(projected, dim=-1) * (totals > 1e-9)[:, None]
        return vectors @ self.sound_vectors(columns).to(dtype).T

    def sound_vectors(self, columns: Tensor | None = None) -> Tensor:
        """(T, sound_size) or (columns, sound_size) of length 1; 0 where no feature is known."""
        if columns is None and not torch.is_grad_enabled():
            if self._sound_table is None:
                self._sound_table = self._sound_vectors(None)
            return self._sound_table
        return self._sound_vectors(columns)

    def forget_sound(self) -> None:
        """To be called when what `sound_vectors` keeps has become old."""
        self._sound_table = None

    def _sound_vectors(self, columns: Tensor | None) -> Tensor:
        known = self.known if columns is None else self.known[columns]
        return F.normalize(self.track_sound(self.sound_inputs(columns)), dim=-1) * known.any(dim=-1, keepdim=True)

    def sound_inputs(self, rows: Tensor | None = None) -> Tensor:
        """(T, 27 + waves) or (rows, 27 + waves): the audio inputs and the waves."""
        values, known = (self.values, self.known) if rows is None else (self.values[rows], self.known[rows])
        waves = torch.cos((values * known) @ self.wave_directions + self.wave_phases) * (2 / len(FEATURES)) ** 0.5
        return torch.cat((audio_inputs(values, known), waves), dim=-1)

    def _linked(self, name: str, history: csr_array) -> NDArray[np.floating]:
        """(B, T) what the links of each history's tracks say together."""
        scores = np.empty(history.shape, dtype=history.dtype)
        for row, (first, last) in enumerate(pairwise(history.indptr)):
            scores[row] = self.links[name].follow(history.indices[first:last], history.data[first:last])
        return scores

    def _by_artist(self, history: csr_array) -> Tensor:
        """(B, T) log1p of how much of the history is by the track's artists, the track itself left out."""
        own = csr_array(
            (history.data * np.diff(self.artists.indptr)[history.indices], history.indices, history.indptr),
            shape=history.shape,
        )
        weights = csr_array(history @ self.artists @ self.artists.T - own, dtype=history.dtype)
        weights.data = np.copysign(np.log1p(np.abs(weights.data)), weights.data)
        return torch.from_numpy(weights.toarray()).to(self.values.device)

    def _source(self, name: str, batch: Batch, history: csr_array, dtype: torch.dtype) -> Tensor:
        """(B, T) what the branches of one source say, before it is scaled."""
        if name == "deep":
            return self.deep(batch)
        if name == "audio":
            return self.sound(batch, batch.weights.clamp(min=0).to(dtype))
        if name == "artist":
            return self._by_artist(history)
        return torch.from_numpy(self._linked(name, history)).to(self.values.device)

    def _sources(
        self, batch: Batch, wanted: Sequence[bool], dtype: torch.dtype
    ) -> Iterator[tuple[int, Branch, Tensor]]:
        """The number of each `wanted` branch of `specrec.fusion.BRANCHES`, the branch, and its (B, T) scores, as loud
        as it says them: the receiver's own."""
        starts = torch.searchsorted(batch.members, torch.arange(batch.size + 1, device=batch.members.device))
        weights = batch.relative_weights().to(dtype)
        history = csr_array(
            (weights.cpu().numpy(), batch.tracks.cpu().numpy(), starts.cpu().numpy()),
            shape=(batch.size, len(self.values)),
        )
        speaking = [(number, branch) for number, branch in enumerate(BRANCHES) if wanted[number]]
        sources: dict[str, Tensor] = {}
        for place, (number, branch) in enumerate(speaking):
            if branch.source not in sources:
                sources[branch.source] = self._source(branch.source, batch, history, dtype).to(dtype)
            if any(later.source == branch.source for _, later in speaking[place + 1 :]):
                scores = sources[branch.source].clone()
            else:
                scores = sources.pop(branch.source)
            if branch.unheard or branch.exponent:
                scores.mul_(branch.voice(self.listeners.to(dtype)))
            yield number, branch, scores

    def _frame(self, branch: Branch, scores: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, 1) and (B, 1) as `specrec.fusion.Scale`: where a branch's 0 is, and how far above it 1."""
        spoken = (self.listeners == 0) if branch.unheard else None
        count = scores.shape[-1] if spoken is None else spoken.sum().clamp(min=1)
        middle = scores.sum(dim=-1, keepdim=True) / count
        if branch.scale is not None:
            return middle, torch.full_like(middle, branch.scale)
        largest = torch.maximum(scores.amax(dim=-1, keepdim=True), -scores.amin(dim=-1, keepdim=True))
        own = scores[batch.members, batch.tracks]
        scores[batch.members, batch.tracks] = -torch.inf
        unknown = scores if spoken is None else torch.where(spoken, scores, -torch.inf)
        best = _largest(unknown, min(TOP, scores.shape[-1]))
        scores[batch.members, batch.tracks] = own
        spread = torch.where(best.isfinite(), best, middle).mean(dim=-1, keepdim=True) - middle
        silent = spread <= SMALLEST_SPREAD * largest
        return middle, torch.where(silent, torch.inf, spread.clamp(min=branch.least))

    def opinions(
        self, batch: Batch, wanted: Sequence[bool], dtype: torch.dtype = torch.double
    ) -> Iterator[tuple[int, Tensor]]:
        """The number of each `wanted` branch of `specrec.fusion.BRANCHES` and its (B, T) scores, scaled per member:
        comparable between branches and members."""
        for number, branch, scores in self._sources(batch, wanted, dtype):
            middle, spread = self._frame(branch, scores, batch)
            scores.sub_(middle).div_(spread)
            if branch.scale is None:
                scores.clamp_(*CLIP)
            yield number, scores.mul_(self.listeners == 0) if branch.unheard else scores

    def ranking(self, batch: Batch, dtype: torch.dtype = torch.double) -> Tensor:
        """(B, T) ranking scores: logits of who is to be found among the tracks, the sum of the opinions times their
        gates. Single precision is twice as fast, and good enough for lists."""
        total = torch.zeros((batch.size, len(self.values)), dtype=dtype, device=self.values.device)
        all_heard = bool((self.listeners > 0).all())
        wanted = [
            gate > 0 and not (branch.unheard and all_heard)
            for gate, branch in zip(self.gates.tolist(), BRANCHES, strict=True)
        ]
        for number, scores in self.opinions(batch, wanted, dtype):
            total.add_(scores, alpha=float(self.gates[number]))
        return total.float()


def _largest(scores: Tensor, count: int) -> Tensor:
    """(B, T) -> (B, count) the largest of each row: they are in the strips that have the largest maxima."""
    strips = scores.shape[-1] // STRIP
    if strips <= count:
        return scores.topk(count, dim=-1).values
    cut = scores[:, : strips * STRIP].view(len(scores), STRIP, strips)
    chosen = cut.amax(dim=1).topk(count, dim=-1, sorted=False).indices
    found = cut.gather(2, chosen[:, None].expand(-1, STRIP, -1)).flatten(1)
    return torch.cat((found, scores[:, strips * STRIP :]), dim=1).topk(count, dim=-1, sorted=False).values
