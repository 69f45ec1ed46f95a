"""What Spotify sends, as plain records. Pure: JSON in, records out.

Anything may be missing, null or of a wrong type; what cannot be used is left out and counted, never raised. Only a
body that is no page at all is refused (None), so that a broken answer never looks like an empty list.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import unquote

Json = Any
T = TypeVar("T")

TEXT_LIMIT = 500  # characters kept of a title or name
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_ISRC = re.compile(r"[A-Z0-9]{12}")
_EPOCH = datetime(1970, 1, 2, tzinfo=UTC)  # Spotify sends 1970 for "not known"


class Skip(StrEnum):
    """Why an entry was left out."""

    REMOVED = "removed"  # a null entry: the track does not exist any more
    EPISODE = "episode"  # podcasts are not music
    UNREADABLE = "unreadable"  # no id, no title or a shape that nobody described


@dataclass(frozen=True)
class Profile:
    account_id: str  # immutable; what an account is linked on
    id: str  # what a playlist's owner is compared with
    display_name: str | None


class ArtistRecord(NamedTuple):
    spotify_id: str | None  # None for the artists of local files
    name: str


class TrackRecord(NamedTuple):
    spotify_id: str | None  # None for local files
    isrc: str | None  # upper case, no dashes; several Spotify ids share one
    local: str | None  # key of a local file; None for everything else
    title: str
    artists: tuple[ArtistRecord, ...]
    album: str | None = None
    duration_ms: int | None = None
    dataset: str | None = None  # what a file of the host's calls it


@dataclass(frozen=True)
class Entry:
    """A track in a listing. `at`: added, saved or played, UTC; None where the listing has no times."""

    track: TrackRecord
    at: datetime | None = None


@dataclass(frozen=True)
class PlaylistRecord:
    id: str
    owner_id: str | None
    collaborative: bool
    snapshot: str | None


@dataclass(frozen=True)
class AlbumRecord:
    id: str
    name: str | None


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page. `entries` counts what was sent, skipped ones included: offsets and `total` count the same way."""

    records: tuple[T, ...]
    entries: int
    total: int | None
    last: bool
    after: str | None = None  # the next cursor, in listings that have cursors
    skipped: Mapping[Skip, int] = field(default_factory=dict)


def profile(body: Json) -> Profile | None:
    """`GET /me`. Apps older than May 2026 may lack `account_id`: then `id` stands for it."""
    identity = text(_get(body, "id")) or text(_get(body, "account_id"))
    if identity is None:
        return None
    return Profile(text(_get(body, "account_id")) or identity, identity, text(_get(body, "display_name")))


def entries(body: Json) -> Page[Entry] | None:
    """Pages of playlist items, saved tracks and recently played tracks: the track stands inside each entry."""
    return _page(body, _entry)


def tracks(body: Json) -> Page[Entry] | None:
    """Pages that hold the tracks themselves: top tracks."""
    return _page(body, lambda item: _as_entry(item, at=None, is_local=False))


def album_tracks(body: Json, album: str | None) -> Page[Entry] | None:
    """Pages of an album's tracks, which do not repeat the album."""

    def parse(item: Json) -> Entry | Skip:
        parsed = _track(item, is_local=False)
        return parsed if isinstance(parsed, Skip) else Entry(_with_album(parsed, album))

    return _page(body, parse)


def playlists(body: Json) -> Page[PlaylistRecord] | None:
    return _page(body, _playlist)


def albums(body: Json) -> Page[AlbumRecord] | None:
    return _page(body, _album)


def features(body: Json, asked: int) -> list[Json] | None:
    """`GET /audio-features`: as many as were asked for, in their order, or it says nothing about any."""
    found = _get(body, "audio_features")
    return found if isinstance(found, list) and len(found) == asked else None


def artists(body: Json) -> Page[ArtistRecord] | None:
    """`GET /me/following`: the page is wrapped in `artists` and goes on from a cursor."""
    return _page(_get(body, "artists"), _followed)


def _page(body: Json, parse: Callable[[Json], T | Skip]) -> Page[T] | None:
    items = _get(body, "items")
    if not isinstance(items, list):
        return None
    records: list[T] = []
    skipped: Counter[Skip] = Counter()
    for item in items:
        parsed = parse(item) if item is not None else Skip.REMOVED
        if isinstance(parsed, Skip):
            skipped[parsed] += 1
        else:
            records.append(parsed)
    return Page(
        tuple(records),
        entries=len(items),
        total=whole(_get(body, "total")),
        last=not items or not _get(body, "next"),
        after=text(_get(_get(body, "cursors"), "after")),
        skipped=dict(skipped),
    )


def _entry(entry: Json) -> Entry | Skip:
    named = [_get(entry, "item"), _get(entry, "track")]  # the new name and the old one
    item = next((one for one in named if isinstance(one, dict)), None)
    if item is None:
        return Skip.REMOVED if named == [None, None] else Skip.UNREADABLE
    at = moment(_get(entry, "added_at")) or moment(_get(entry, "played_at"))
    return _as_entry(item, at=at, is_local=_get(entry, "is_local") is True)


def _as_entry(item: Json, *, at: datetime | None, is_local: bool) -> Entry | Skip:
    parsed = _track(item, is_local=is_local)
    return parsed if isinstance(parsed, Skip) else Entry(parsed, at)


def _track(item: Json, *, is_local: bool) -> TrackRecord | Skip:
    """Unavailable tracks (`is_playable` false, restrictions) are kept: the member did choose them."""
    if not isinstance(item, dict):
        return Skip.UNREADABLE
    if item.get("type") == "episode" or "show" in item:
        return Skip.EPISODE
    uri = item.get("uri")
    if is_local or item.get("is_local") is True or (isinstance(uri, str) and uri.startswith("spotify:local:")):
        return _local_track(item)
    identity, title = identifier(item.get("id")), text(item.get("name"))
    if identity is None or title is None:
        return Skip.UNREADABLE
    return TrackRecord(
        identity,
        isrc(_get(item.get("external_ids"), "isrc")),
        local=None,
        title=title,
        artists=_artists(item.get("artists")),
        album=text(_get(item.get("album"), "name")),
        duration_ms=whole(item.get("duration_ms")) or None,
    )


def _local_track(item: Mapping[str, Json]) -> TrackRecord | Skip:
    """The parts of `spotify:local:ARTIST:ALBUM:TITLE:SECONDS` are URL-encoded, may be empty, and the title may hold
    further colons; the entry's own fields, where there are any, are better reading."""
    uri = item.get("uri")
    parts = [unquote(part.replace("+", " ")) for part in uri.split(":")] if isinstance(uri, str) else []
    artist, album, title, seconds = "", "", "", ""
    if len(parts) >= 6:
        artist, album, title, seconds = parts[2], parts[3], ":".join(parts[4:-1]), parts[-1]
    named = _artists(item.get("artists"))
    names = tuple(ArtistRecord(None, one.name) for one in named) or tuple(
        ArtistRecord(None, name) for name in [text(artist)] if name
    )
    shown = text(item.get("name")) or text(title)
    if shown is None:
        return Skip.UNREADABLE
    duration = whole(item.get("duration_ms")) or (int(seconds) * 1000 if re.fullmatch(r"[0-9]{1,5}", seconds) else 0)
    shown_album = text(_get(item.get("album"), "name")) or text(album)
    key = "\x1f".join(folded(part) for part in (names[0].name if names else "", shown_album or "", shown))
    digest = hashlib.sha256(f"{key}\x1f{duration // 1000}".encode()).hexdigest()[:40]
    return TrackRecord(None, None, digest, shown, names, shown_album, duration or None)


def _artists(value: Json) -> tuple[ArtistRecord, ...]:
    if not isinstance(value, list):
        return ()
    found = (ArtistRecord(identifier(_get(one, "id")), text(_get(one, "name")) or "") for one in value)
    return tuple(dict.fromkeys(one for one in found if one.name))  # an artist named twice is one artist


def _followed(item: Json) -> ArtistRecord | Skip:
    identity, name = identifier(_get(item, "id")), text(_get(item, "name"))
    return ArtistRecord(identity, name) if identity and name else Skip.UNREADABLE


def _playlist(item: Json) -> PlaylistRecord | Skip:
    identity = identifier(_get(item, "id"))
    if identity is None:
        return Skip.UNREADABLE
    return PlaylistRecord(
        identity,
        text(_get(_get(item, "owner"), "id")),
        _get(item, "collaborative") is True,
        text(_get(item, "snapshot_id")),
    )


def _album(item: Json) -> AlbumRecord | Skip:
    identity = identifier(_get(item, "id"))
    return AlbumRecord(identity, text(_get(item, "name"))) if identity else Skip.UNREADABLE


def _with_album(track: TrackRecord, album: str | None) -> TrackRecord:
    return TrackRecord(
        track.spotify_id, track.isrc, track.local, track.title, track.artists, track.album or album, track.duration_ms
    )


def identifier(value: Json) -> str | None:
    """Spotify's base-62 ids; anything else would break addresses and links."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def isrc(value: Json) -> str | None:
    """Upper case without dashes; None where it is no ISRC."""
    if not isinstance(value, str):
        return None
    bare = re.sub(r"[\s-]", "", value).upper()
    return bare if _ISRC.fullmatch(bare) else None


def moment(value: Json) -> datetime | None:
    """An ISO 8601 time in UTC. The 1970 that stands on very old entries means that nobody knows."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed > _EPOCH else None


def _get(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def text(value: Json) -> str | None:
    """Text that every database takes: no NUL, no lone surrogates, no line breaks, cut; None where nothing is left."""
    if not isinstance(value, str):
        return None
    if len(value) <= TEXT_LIMIT and value.isprintable() and "  " not in value and value.strip() == value:
        return value or None  # nearly all are so, and imports have millions
    kept = value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    return " ".join(kept.split())[:TEXT_LIMIT].strip() or None


def folded(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def whole(value: Json) -> int | None:
    """A whole number ≥ 0 that fits a database's integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None
