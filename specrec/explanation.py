"""Why this track: one short sentence from what moved its score, in words that are true of the member's own history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from specrec.catalogue import Catalogue
from specrec.compatibility import compatibility
from specrec.features import AUDIO_FEATURES, FEATURES, Floats, Mask
from specrec.fusion import Numbers
from specrec.history import HistoryTrack
from specrec.interactions import Kind, Rows
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

    `contributions` are (history, list): how much each track of the history adds to the score of each listed one, a
    track's part in its own score being 0. `values` and `known` (tracks, 9) are the catalogue's standardised features.
    """

    member: Member
    profile: TasteProfile
    catalogue: Catalogue
    values: Floats
    known: Mask

    def reasons(self, rows: Rows, contributions: Numbers, fallbacks: Sequence[str]) -> list[str]:
        """A sentence for each track of the list `rows`, at most 120 characters.

        Named is the track of the history that raised the score most, by its title or else its id, if any raised it.
        Features are named only where they are known on both sides and agree, with the named track and with the taste
        profile, and where the title leaves room. A fallback is said when nothing of this can be.
        """
        if not len(self.member.rows):
            return [_cut(fallback, MAX_REASON) for fallback in fallbacks]
        strengths = np.where(self.member.weights[:, None] > 0, contributions, 0.0)
        sources = strengths.argmax(axis=0)  # of the tracks that the member likes, the one that raised the score most
        named = strengths[sources, np.arange(len(rows))] > SOME
        values, known = self.values[rows], self.known[rows]
        sides = TasteProfile(self.member.values[sources], self.member.known[sources])
        close = compatibility(sides, values, known) >= CLOSE
        usual = _agree(self.profile, values, known, SAME)
        same = _agree(sides, values, known, SAME) & _agree(self.profile, values, known, USUAL)
        return [
            self._named(row, source, bool(close[place]), _words(same[place]))
            if named[place]
            else self._unnamed(row, _words(usual[place]), fallbacks[place])
            for place, (row, source) in enumerate(zip(rows.tolist(), sources.tolist(), strict=True))
        ]

    def _named(self, row: int, source: int, close: bool, shared: str) -> str:
        opening = self._opening(row)
        item = self.member.history[source]
        artists = set(self.catalogue.artists_of(row).tolist()).intersection(self.member.artists[source].tolist())
        before = "close to " if close else "goes with "
        if artists:
            before = f"by {_cut(self.catalogue.artists.ids[min(artists)], 30)}, like "
        title, after = self._title(item, int(self.member.rows[source])), _LINK[item.kind]
        sentence = _joined(opening, before + title + after, f"same {shared}" if shared else "")
        if len(sentence) > MAX_REASON:  # a title in full says more than the features
            sentence = _joined(opening, before + title + after)
        if len(sentence) > MAX_REASON:
            sentence = _joined(opening, before + _cut(title, len(title) - len(sentence) + MAX_REASON) + after)
        return sentence

    def _unnamed(self, row: int, shared: str, fallback: str) -> str:
        return _cut(_joined(self._opening(row), f"has your usual {shared}" if shared else "") or fallback, MAX_REASON)

    def _opening(self, row: int) -> str:
        """How the member knows the track; "" if they do not."""
        itself = np.flatnonzero(self.member.rows == row)
        return _KNOWN[self.member.history[itself[0]].kind] if len(itself) else ""

    def _title(self, item: HistoryTrack, row: int) -> str:
        title = item.track.title if item.track is not None else ""
        if not title and row >= 0:
            title = self.catalogue.titles[row]
        return " ".join((title or item.track_id).split())


def _agree(side: TasteProfile, values: Floats, known: Mask, within: float) -> Mask:
    """(list, 9) which features are known to the tracks and to `side`, and so near."""
    agree: Mask = side.known & known & (np.abs(side.values - values) <= within)
    return agree


def _words(agree: Mask) -> str:
    """Up to two of the features, as a listener would name them."""
    return " and ".join([AUDIO_FEATURES[place].label for place in _SPOKEN if agree[place]][:2])


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"
