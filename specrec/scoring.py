"""The network's formula in numpy: the arrays of a version and a member's history -> scores of all tracks.

`specrec.ncf` is the same formula in torch, where the layers are explained; a test holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specrec.branches import Arrays, Branches, Opinions, audio_inputs
from specrec.catalogue import Catalogue
from specrec.features import Floats, Mask, Scaling
from specrec.fusion import BRANCHES, Numbers, Scale
from specrec.interactions import Rows
from specrec.member import Member
from specrec.taste import TasteProfile
from specrec.voice import Voice


@dataclass(frozen=True, slots=True)
class Scores:
    """One member and all tracks: `ranking` (tracks,) orders them, `match` (tracks,) is 0-1."""

    ranking: Floats
    match: Floats


@dataclass(frozen=True, slots=True)
class Ranked:
    """A member's `ranking` (tracks,), and what it came from: the mean size of their weights, each branch's scale, and
    what the branches say."""

    ranking: Floats
    unit: float
    scales: Sequence[Scale]
    opinions: Opinions


class ModelScorer:
    """Scores members by the arrays of one version. T tracks, A artists, n tracks of a history."""

    def __init__(self, catalogue: Catalogue, arrays: Arrays) -> None:
        self.catalogue = catalogue
        self.scaling = Scaling(arrays["scaling.centre"], arrays["scaling.spread"])
        self.values, self.known = self.scaling.apply(catalogue.features)
        self._arrays = arrays
        listeners = np.asarray(arrays["listeners"], dtype=np.float64)
        voices = [
            Voice.of(*one, listeners) for one in zip(BRANCHES, arrays["gates"].tolist(), strict=True) if one[1] > 0
        ]
        self._voices = [voice for voice in voices if not voice.is_silent]
        self._branches = Branches(catalogue, arrays, {voice.branch.source for voice in self._voices})
        self._slope, self._offset = (float(value) for value in arrays["calibration"])

    def score(self, member: Member) -> Scores:
        """All tracks for one member. An empty history is scored too: by what everybody likes."""
        ranking = self.rank(member).ranking
        return Scores(ranking, self.match(ranking))

    def rank(self, member: Member, standing: Ranked | None = None) -> Ranked:
        """By the unit and scales of `standing`, which may be that of a longer history; None: by the member's own."""
        unit = _unit(member) if standing is None else standing.unit
        opinions = self._branches.of(member, unit)
        own = member.rows[member.rows >= 0]
        total = np.zeros(len(self.catalogue))
        scales = []
        for number, voice in enumerate(self._voices):
            scores = voice.speak(opinions.whole[voice.branch.source])
            if standing is None:
                scale = Scale.of(voice.branch, scores, voice.places_of(own), len(total))
            else:
                scale = standing.scales[number]
            voice.add(total, scale.apply(scores))
            scales.append(scale)
        return Ranked(total.astype(np.float32), unit, scales, opinions)

    def contributions(self, ranked: Ranked, rows: Rows) -> Numbers:
        """(n, rows): each track's score with the whole history, as `ranked`, less its score without one track of it.

        Unit and scales stay those of the whole history. A track's part in its own score is 0: that it is known already
        is no reason to recommend it.
        """
        opinions = ranked.opinions
        raised = np.zeros((len(opinions.member.rows), len(rows)))
        without = opinions.without_each(rows)
        for voice, scale in zip(self._voices, ranked.scales, strict=True):
            loudness, source = voice.loudness_of(rows), voice.branch.source
            fallen = scale.apply(opinions.whole[source][rows] * loudness) - scale.apply(without[source] * loudness)
            raised += voice.gate * fallen * (loudness > 0)
        raised[opinions.member.rows[:, None] == rows[None, :]] = 0.0
        return raised

    # compatibility head

    def compatibilities(self, member: Member) -> Floats:
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
        inputs = audio_inputs(profile.values, profile.known)
        weights = {name: self._arrays[f"profile_tower.{name}"] for name in _TOWER}
        hidden = np.tanh(inputs @ weights["hidden.weight"].T + weights["hidden.bias"])
        vectors: Floats = (
            hidden @ weights["output.weight"].T + weights["output.bias"] + inputs @ weights["skip.weight"].T
        )
        return vectors

    # match

    def match(self, ranking: Floats, rows: Rows | slice = slice(None)) -> Floats:
        """(rows,) of (T,) ranking scores, calibrated; see `specrec.calibration`."""
        lift = ranking[rows].astype(np.float64) - log_mean(ranking)
        return (1.0 / (1.0 + np.exp(-(self._slope * lift + self._offset)))).astype(np.float32)


def _unit(member: Member) -> float:
    """The mean size of the member's weights."""
    sizes = np.abs(member.weights[member.weights != 0]).astype(np.float64)
    return float(sizes.mean()) if len(sizes) else 1.0


_TOWER = ("hidden.weight", "hidden.bias", "output.weight", "output.bias", "skip.weight")


def log_mean(ranking: Floats) -> float:
    """log of the mean of exp: a score less this is the log of how many times likelier than one track in T a track is,
    which makes members' scores comparable."""
    top = float(ranking.max(initial=0.0))
    return top + float(np.log(np.exp(ranking - np.float32(top)).mean(dtype=np.float64)))
