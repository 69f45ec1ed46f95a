"""Titles and artists brought into one form, so that a track without an id is found by what it is called."""

import re
import unicodedata

_GUESTS = re.compile(r"[(\[]\s*(?:feat|ft|with)\b[^)\]]*[)\]]|\s(?:feat|ft)\.?\s.*", re.IGNORECASE)
_REMASTER = re.compile(
    r"\s+-\s+(?:\d{4}\s+)?(?:digital(?:ly)?\s+)?remaster(?:ed)?\b.*|[(\[][^)\]]*\bremaster(?:ed)?\b[^)\]]*[)\]]",
    re.IGNORECASE,
)

_OTHER = re.compile(r"[\W_]+")


def name_key(title: str, artist: str) -> str:
    """One form of a title and its first artist: no case, accents, punctuation, guests or remasters. Live recordings,
    remixes and the like stay apart. A name that is nothing but punctuation stays as it is."""
    kept, folded = title, title.casefold()
    if "ft" in folded or "feat" in folded or "(" in title or "[" in title:  # else there is nothing to be found
        kept = _GUESTS.sub("", kept)
    if "remaster" in folded:
        kept = _REMASTER.sub("", kept)
    return f"{_folded(artist)}\x1f{_folded(kept or title)}"


def _folded(name: str) -> str:
    letters = name.casefold()
    if letters.isascii():
        words = letters.split()
        if "".join(words).isalnum():  # as most are
            return " ".join(words)
    else:
        letters = "".join(char for char in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(char))
    kept = _OTHER.sub(" ", letters.replace("&", " and ")).strip()
    return kept or " ".join(name.casefold().split())
