"""Why this track: one short sentence from what moved its score, in words that are true of the member's own history."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specrec.catalogue import Catalogue
from specrec.compatibility import compatibility
from specrec.features import AUDIO_FEATURES, FEATURES, Floats, Mask
from specrec.history import HistoryTrack
from specrec.interactions import Kind
from specrec.member import Member
from specrec.taste import TasteProfile

MAX_REASON = 120  # characters
CLOSE = 0.45  # compatibility of two tracks from which they are called close: 0.8 standard deviations apart
SAME = 0.35  # standard deviations within which a feature is called the same; a random pair agrees one time in five
USUAL = 0.67  # standard deviations within which half of all tracks are of the middle
SOME = 1e-7  # of a score: less is rounding

# After the title of a track that the member knows …
_LINK = {
    Kind.PLAYLIST: " that you have on a playlist",
    Kind.SAVED: " that you saved",
    Kind.RECENTLY_PLAYED: " that you played recently",
    Kind.FOLLOWED_ARTIST: " by an artist you follow",
    Kind.TOP: " from your top tracks",
    Kind.STREAMED: " that you streamed",
    Kind.LIKED: " that you liked",
    Kind.KNOWN: " that you know",
    Kind.INTERACTION: " from your history",
}
# … and of a recommendation that the member knows.
_KNOWN = {
    Kind.PLAYLIST: "you have it on a playlist",
    Kind.SAVED: "you saved it",
    Kind.RECENTLY_PLAYED: "you played it recently",
    Kind.FOLLOWED_ARTIST: "you follow the artist",
    Kind.TOP: "it is among your top tracks",
    Kind.STREAMED: "you streamed it",
    Kind.LIKED: "you liked it",
    Kind.KNOWN: "you know it",
    Kind.INTERACTION: "it is in your history",
}
# The features a listener would name first, first: positions in FEATURES.
_SPOKEN = [
    FEATURES.index(name)
    for name in ("energy", "valence", "tempo", "danceability", "acousticness", "instrumentalness", "loudness")
]


@dataclass(frozen=True, slots=True)
class Explainer:
    """Writes the reasons of one member's list.

    `contributions` is (history, list): how much each track of the history adds to the score of each listed one, a
    track's part in its own score being 0. `values` and `known` (tracks, 9) are the catalogue's standardised features.
    """

    member: Member
    profile: TasteProfile
    catalogue: Catalogue
    values: Floats
    known: Mask

    def reason(self, row: int, contributions: NDArray[np.floating], fallback: str) -> str:
        """The sentence for one track, at most 120 characters; `contributions` (history,) is that track's column.

        Named is the track of the history that raised the score most, by its title or else its id, if any raised it.
        Features are named only where they are known on both sides and agree, with the named track and with the taste
        profile, and where the title leaves room. `fallback` is said when nothing of this can be.
        """
        itself = next((item for item in self.member.history if item.track_id == self.catalogue.ids.ids[row]), None)
        opening = "" if itself is None else _KNOWN[itself.kind]
        source = self._source(row, contributions)
        if source is None:
            shared = self._shared_features(row, self.profile)
            return _cut(_joined(opening, f"has your usual {shared}" if shared else "") or fallback, MAX_REASON)
        named = TasteProfile(self.member.values[source], self.member.known[source])
        shared = self._shared_features(row, named, self._agree(row, self.profile, USUAL))
        before, title, after = self._link(row, source, self.member.history[source])
        sentence = _joined(opening, before + title + after, f"same {shared}" if shared else "")
        if len(sentence) > MAX_REASON:  # a title in full says more than the features
            sentence = _joined(opening, before + title + after)
        if len(sentence) > MAX_REASON:
            sentence = _joined(opening, before + _cut(title, len(title) - len(sentence) + MAX_REASON) + after)
        return sentence

    def _source(self, row: int, contributions: NDArray[np.floating]) -> int | None:
        """The track of the history to name: of those that the member likes, the one that raised the score most."""
        strength = np.where(self.member.weights > 0, contributions, 0.0)
        best = int(np.argmax(strength)) if len(strength) else -1
        return best if best >= 0 and strength[best] > SOME else None

    def _link(self, row: int, source: int, item: HistoryTrack) -> tuple[str, str, str]:
        """ "close to ", "X", " that you saved"."""
        shared = np.intersect1d(self.catalogue.artists_of(row), self.member.artists[source])
        named = TasteProfile(self.member.values[source], self.member.known[source])
        if len(shared):
            opening = f"by {_cut(self.catalogue.artists.ids[shared[0]], 30)}, like "
        elif compatibility(named, self.values[row], self.known[row]) >= CLOSE:
            opening = "close to "
        else:
            opening = "goes with "
        return opening, self._title(item, int(self.member.rows[source])), _LINK[item.kind]

    def _title(self, item: HistoryTrack, row: int) -> str:
        title = item.track.title if item.track is not None else ""
        if not title and row >= 0:
            title = self.catalogue.titles[row]
        return " ".join((title or item.track_id).split())

    def _shared_features(self, row: int, other: TasteProfile, among: Mask | bool = True) -> str:
        """Up to two features that the track and `other` have alike, in words; "" if there are none."""
        agree = self._agree(row, other, SAME) & among
        return " and ".join([AUDIO_FEATURES[i].label for i in _SPOKEN if agree[i]][:2])

    def _agree(self, row: int, other: TasteProfile, within: float) -> Mask:
        """(9,) which features are known to the track and to `other`, and so near."""
        agree: Mask = other.known & self.known[row] & (np.abs(other.values - self.values[row]) <= within)
        return agree


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"
