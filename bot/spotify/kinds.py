"""Kinds of calls: Spotify counts its quotas for groups of endpoints, and these are groups that have closed alone."""

from enum import StrEnum


class CallKind(StrEnum):
    PLAYLISTS = "playlists"  # the list of playlists, and what is in each
    SAVED = "saved"  # saved tracks
    ARTISTS = "artists"  # albums of followed artists, and their tracks
    FEATURES = "features"  # audio features, for applications that are old enough
    OTHER = "other"  # whose account it is, recent plays, top tracks, followed artists


KIND_OF = {
    "playlists": CallKind.PLAYLISTS,
    "playlist": CallKind.PLAYLISTS,
    "playlist_tracks": CallKind.PLAYLISTS,
    "saved": CallKind.SAVED,
    "albums": CallKind.ARTISTS,
    "album": CallKind.ARTISTS,
    "audio_features": CallKind.FEATURES,
    "me": CallKind.OTHER,
    "recent": CallKind.OTHER,
    "top": CallKind.OTHER,
    "followed": CallKind.OTHER,
}
"""By the name of the call."""
