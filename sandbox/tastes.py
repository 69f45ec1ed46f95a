"""What somebody listens to, spread over playlists, saved tracks, plays, favourites and followed artists."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from sandbox.spotify.catalogue import Track
from sandbox.spotify.library import TIME_RANGES, PlaylistEntry, SavedTrack, SpotifyUser

_PLAYLIST_NAMES = ("{} on the train", "{} for the kitchen", "{}, late", "{} to run to", "Only {}", "{} I must keep")
_PLAYS = 50
_TOP = 50


def fill_library(
    rng: np.random.Generator, user: SpotifyUser, library: Sequence[tuple[Track, str]], now: datetime
) -> None:
    """`library`: distinct tracks with their genres, the dearest first. Each of them ends up in at least one place."""
    tracks = [track for track, _ in library]
    listed = _make_playlists(rng, user, library, now)
    saved = [track for track in tracks if track not in listed or rng.random() < 0.3]
    user.saved = [SavedTrack(track, moment) for track, moment in zip(saved, _dates(rng, len(saved), now), strict=True)]
    _play(rng, user, tracks, now)
    for number, time_range in enumerate(TIME_RANGES):
        # Favourites of a short time stray farther from those of a lifetime.
        places = np.arange(len(tracks)) + rng.normal(0, 12 / (number + 1), len(tracks))
        favourites = [tracks[int(place)] for place in np.argsort(places)[:_TOP]]
        artists = Counter(artist for track in favourites for artist in track.artists)
        user.set_top(time_range, favourites, [artist for artist, _ in artists.most_common(20)])
    loved = Counter(artist for track in tracks for artist in track.artists)
    user.followed_artists = [artist for artist, _ in loved.most_common(max(2, len(tracks) // 12))]


def _dates(rng: np.random.Generator, count: int, now: datetime) -> list[datetime]:
    """`count` moments of the last three years, newest first, in whole seconds."""
    seconds = np.sort(rng.integers(3_600, 3 * 365 * 86_400, count))
    return [now - timedelta(seconds=int(ago)) for ago in seconds]


def _make_playlists(
    rng: np.random.Generator, user: SpotifyUser, library: Sequence[tuple[Track, str]], now: datetime
) -> set[Track]:
    """One or two playlists of each of the up to three main genres; returns what is in them."""
    by_genre: dict[str, list[Track]] = {}
    for track, genre in library:
        by_genre.setdefault(genre, []).append(track)
    names = [str(name) for name in rng.permutation(_PLAYLIST_NAMES)]
    listed: set[Track] = set()
    for genre in sorted(by_genre, key=lambda genre: -len(by_genre[genre]))[:3]:
        tracks = by_genre[genre]
        if len(tracks) < 8:
            break
        for _ in range(1 + int(len(tracks) >= 60)):
            size = min(len(tracks), int(rng.integers(8, 76)))
            chosen = [tracks[int(place)] for place in rng.permutation(len(tracks))[:size]]
            name = names.pop().format(genre)
            playlist = user.add_playlist(name[0].upper() + name[1:], public=bool(rng.random() < 0.5))
            dates = reversed(_dates(rng, size, now))
            playlist.entries = [PlaylistEntry(track, moment, user) for track, moment in zip(chosen, dates, strict=True)]
            listed.update(chosen)
    return listed


def _play(rng: np.random.Generator, user: SpotifyUser, tracks: Sequence[Track], now: datetime) -> None:
    """The last plays: the dearer a track, the likelier; some from a playlist that holds it."""
    likelihood = 1.0 / (10.0 + np.arange(len(tracks)))
    moment = now
    for place in rng.choice(len(tracks), min(_PLAYS, 3 * len(tracks)), p=likelihood / likelihood.sum()):
        track = tracks[int(place)]
        moment -= timedelta(milliseconds=track.duration_ms + int(rng.integers(1_000, 7_200_000)))
        holding = [
            playlist
            for playlist in user.playlists
            if playlist and any(entry.item is track for entry in playlist.entries)
        ]
        user.play(track, moment, holding[0] if holding and rng.random() < 0.5 else None)
