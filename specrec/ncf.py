"""The network: neural collaborative filtering in which a member is their history. Configuration first, then layers.

    history ─┬─ pooled track embeddings ── tanh ──┐ · track's output embedding + bias      (deep branch)
             ├─ weight of each artist ────────────┤ log1p, times a gate                    (artist branch)
             └─ taste profile ── audio tower ─┐   │
    track ───── audio features ─ audio tower ─┴───┤ compatibility head; centred, times a gate (audio branch)
                                                  └─ ranking score: softmax over the catalogue

There is no table of members: whoever brings a history is served by the same formula, seen in training or not. What a
track of the history adds to its *own* score through artists and features is left out, in training as in serving, so
that a track is judged by what the rest of the history says about it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- torch's own name for it

from specrec.features import FEATURES


@dataclass(frozen=True, slots=True)
class NCFConfig:
    """What the network is; how a run goes is in `TrainingOptions`."""

    width: int = 256
    """Length of a track's embeddings."""
    dropout: float = 0.7
    """Share of a history that the deep branch does not get to see in a training step."""
    audio_width: int = 64
    """Hidden units of each audio tower."""
    audio_size: int = 24
    """Length of the vectors in which the audio towers compare profile and track."""

    @classmethod
    def for_data(cls, members: int, tracks: int) -> "NCFConfig":
        """A size for the data: narrow for a handful of members, narrower again for catalogues past 100,000 tracks."""
        width = 32 if members < 50 else 128 if members < 300 or tracks > 100_000 else 256
        return cls(width=width)


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


class AudioTower(nn.Module):
    """Nine standardised features and their mask -> the vector by which profile and track are compared."""

    def __init__(self, config: NCFConfig) -> None:
        super().__init__()
        # Values, their squares and the mask: a distance is a sum of squares, so that much is given.
        self.hidden = nn.Linear(3 * len(FEATURES), config.audio_width)
        self.output = nn.Linear(config.audio_width, config.audio_size)
        self.skip = nn.Linear(3 * len(FEATURES), config.audio_size, bias=False)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """(…, 9) and (…, 9) bool -> (…, audio_size)."""
        mask = known.to(values.dtype)
        values = values * mask
        inputs = torch.cat((values, values.square() / 4, mask), dim=-1)  # (…, 27)
        return self.output(torch.tanh(self.hidden(inputs))) + self.skip(inputs)  # type: ignore[no-any-return]


class NCF(nn.Module):
    """The whole network over one catalogue of T tracks and A artists."""

    def __init__(self, config: NCFConfig, values: Tensor, known: Tensor, track_artists: Tensor) -> None:
        """`values` (T, 9) standardised, `known` (T, 9) bool, `track_artists` (T, A) sparse, 1 where A made T."""
        super().__init__()
        tracks = len(values)
        self.config = config
        self.register_buffer("values", values)
        self.register_buffer("known", known)
        self.register_buffer("track_artists", track_artists)
        self.register_buffer("artist_count", torch.sparse.sum(track_artists, dim=1).to_dense())  # (T,)
        self.history_embedding = nn.Parameter(torch.randn(tracks, config.width) / config.width**0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(config.width))
        self.track_embedding = nn.Parameter(torch.randn(tracks, config.width) / config.width**0.5)
        self.track_bias = nn.Parameter(torch.zeros(tracks))
        self.artist_gate = nn.Parameter(torch.tensor(1.0))
        self.audio_gate = nn.Parameter(torch.tensor(1.0))
        self.profile_tower = AudioTower(config)
        self.track_tower = AudioTower(config)
        self.distance_bias = nn.Parameter(torch.tensor(1.0))
        # The middle of all predicted compatibilities: a track of unknown sound is neither raised nor lowered.
        self.register_buffer("compatibility_centre", torch.tensor(0.0))

    values: Tensor
    known: Tensor
    track_artists: Tensor
    artist_count: Tensor
    compatibility_centre: Tensor

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

    def artist_weights(self, batch: Batch) -> Tensor:
        """(B, T): how much of the member's history is by the track's artists, the track itself left out."""
        history = torch.sparse_coo_tensor(
            torch.stack((batch.members, batch.tracks)),
            batch.weights,
            (batch.size, len(self.values)),
            is_coalesced=True,
            check_invariants=False,
        )
        by_artist = torch.sparse.mm(self.track_artists.t(), history.to_dense().T)  # (A, B)
        weights = torch.sparse.mm(self.track_artists, by_artist).T  # (B, T)
        own = batch.weights * self.artist_count[batch.tracks]
        others: Tensor = weights.index_put((batch.members, batch.tracks), -own, accumulate=True)
        return others

    def ranking(self, batch: Batch, compatibilities: Tensor) -> Tensor:
        """(B, T) ranking scores: logits of the softmax over the catalogue. `compatibilities` are taken as given."""
        squares = torch.zeros(batch.size, device=batch.weights.device)
        squares = squares.index_add(0, batch.members, batch.weights.square())
        shares = batch.weights / squares.clamp(min=1e-12).sqrt()[batch.members]  # (P,)
        shares = F.dropout(shares, self.config.dropout, self.training)
        starts = torch.searchsorted(batch.members, torch.arange(batch.size, device=shares.device))
        pooled = F.embedding_bag(
            batch.tracks, self.history_embedding, starts, mode="sum", per_sample_weights=shares
        )  # (B, width)
        hidden = torch.tanh(pooled + self.hidden_bias)
        weights = self.artist_weights(batch)
        artists = torch.sign(weights) * torch.log1p(weights.abs())  # (B, T)
        audio = torch.where(compatibilities > 0, compatibilities - self.compatibility_centre, 0.0)  # (B, T)
        scores: Tensor = (
            hidden @ self.track_embedding.T + self.track_bias + self.artist_gate * artists + self.audio_gate * audio
        )
        return scores
