"""What a Spotify user has: playlists, saved tracks, plays, favourites, and what they allowed the application."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sandbox.spotify.catalogue import Artist, Item, LocalFile, Track, spotify_id

TimeRange = Literal["short_term", "medium_term", "long_term"]
TIME_RANGES: tuple[TimeRange, ...] = ("short_term", "medium_term", "long_term")

SOME_DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When something was added, if nobody says."""


@dataclass(eq=False)
class PlaylistEntry:
    """`item` None: a track that Spotify removed; the entry still counts. Very old entries know no date and no adder."""

    item: Item | None
    added_at: datetime | None = SOME_DAY
    added_by: "SpotifyUser | None" = None


@dataclass(eq=False)
class Playlist:
    id: str
    name: str
    owner: "SpotifyUser"
    entries: list[PlaylistEntry] = field(default_factory=list)
    collaborative: bool = False
    public: bool | None = False
    description: str = ""

    @property
    def snapshot_id(self) -> str:
        """Another one after any change of the name or the entries, whoever made it."""
        seen = hashlib.sha256(self.name.encode())
        for entry in self.entries:
            item = entry.item
            mark = item.title if isinstance(item, LocalFile) else item.id if item is not None else "-"
            seen.update(f"\0{mark}\0{entry.added_at}".encode())
        return base64.b64encode(seen.digest()[:18]).decode()

    def add(self, items: Iterable[Item | None], *, added_at: datetime | None = SOME_DAY) -> None:
        """Append entries that the owner added."""
        self.entries.extend(PlaylistEntry(item, added_at, self.owner if added_at else None) for item in items)


@dataclass(eq=False)
class SavedTrack:
    track: Track | None
    added_at: datetime | None = SOME_DAY


@dataclass(eq=False)
class Play:
    track: Track | None
    played_at: datetime
    context: Playlist | None = None


@dataclass(eq=False)
class Grant:
    """A user's consent: one refresh token (or a chain of rotated ones) and the access tokens made from it."""

    user: "SpotifyUser"
    scopes: tuple[str, ...]
    authorised_at: datetime
    revoked: bool = False
    is_turned_away: bool = False  # new tokens are given, and the API takes none of them


@dataclass(eq=False)
class SpotifyUser:
    """The lists are there to be changed. `playlists` holds followed ones of other owners too, and may hold None."""

    id: str
    display_name: str | None
    playlists: list[Playlist | None] = field(default_factory=list)
    saved: list[SavedTrack] = field(default_factory=list)
    recently_played: list[Play] = field(default_factory=list)
    top_tracks: dict[TimeRange, list[Track]] = field(default_factory=dict)
    top_artists: dict[TimeRange, list[Artist]] = field(default_factory=dict)
    followed_artists: list[Artist] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list, repr=False)

    @property
    def account_id(self) -> str:
        """Never changes, unlike the name, and says nothing about the user."""
        return spotify_id("account", self.id)

    def add_playlist(
        self,
        name: str,
        items: Iterable[Item | None] = (),
        *,
        collaborative: bool = False,
        public: bool | None = False,
        added_at: datetime | None = SOME_DAY,
    ) -> Playlist:
        """A new playlist of their own, at the end of the list."""
        made = sum(playlist is not None and playlist.owner is self for playlist in self.playlists)
        playlist = Playlist(
            spotify_id("playlist", self.id, made, name), name, self, collaborative=collaborative, public=public
        )
        playlist.add(items, added_at=added_at)
        self.playlists.append(playlist)
        return playlist

    def save(self, tracks: Iterable[Track | None], *, added_at: datetime | None = SOME_DAY) -> None:
        """Save tracks; the newest stands first, as Spotify lists them."""
        self.saved[:0] = [SavedTrack(track, added_at) for track in tracks]

    def play(self, track: Track | None, played_at: datetime, context: Playlist | None = None) -> None:
        """A play that Spotify noticed; given in any order."""
        self.recently_played.append(Play(track, played_at, context))

    def set_top(self, time_range: TimeRange, tracks: Sequence[Track], artists: Sequence[Artist] = ()) -> None:
        self.top_tracks[time_range] = list(tracks)
        self.top_artists[time_range] = list(artists)

    def revoke(self) -> None:
        """Take the consent back, as on Spotify's account page: no token of this user works any longer."""
        for grant in self.grants:
            grant.revoked = True

    def turn_away(self, *, turned_away: bool = True) -> None:
        """The API refuses every token of this user's consents, though the accounts service renews them."""
        for grant in self.grants:
            grant.is_turned_away = turned_away
