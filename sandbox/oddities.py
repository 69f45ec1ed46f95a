"""Everything odd that Spotify is known to send, worked into the libraries of users."""

from collections.abc import Sequence

import numpy as np

from sandbox.spotify.catalogue import Album, Catalogue, Episode, LocalFile, Track, spotify_id
from sandbox.spotify.library import Play, Playlist, PlaylistEntry, SavedTrack, SpotifyUser


def sprinkle(rng: np.random.Generator, catalogue: Catalogue, users: Sequence[SpotifyUser]) -> dict[str, str]:
    """Spread the oddities over the users, each of whom has a playlist and saved tracks; few users get several each.

    :returns: id of each track that this made -> id of the track that it is another edition of.
    """
    turn = iter(int(number) for number in np.tile(rng.permutation(len(users)), 20))
    made: dict[str, str] = {}

    def next_user() -> SpotifyUser:
        return users[next(turn)]

    def some_tracks(user: SpotifyUser, count: int) -> list[Track]:
        saved = [saved.track for saved in user.saved if saved.track is not None and not saved.track.relinked_to]
        return [saved[int(place)] for place in rng.permutation(len(saved))[:count]]

    _removed_tracks(next_user())
    _local_files(next_user())
    _episodes(next_user())
    _twice_in_one_playlist(next_user())
    user = next_user()
    _very_old_playlist(user, some_tracks(user, 4))
    _removed_playlist(next_user())
    user = next_user()
    _playlists_of_others(user, next_user(), some_tracks(user, 5))
    next_user().display_name = None
    unavailable = some_tracks(next_user(), 3)
    unavailable[0].is_playable, unavailable[0].restriction = False, "market"
    unavailable[1].is_playable = False
    unavailable[2].restriction = "explicit"
    for track in some_tracks(next_user(), 3):
        made[catalogue.relink(track).id] = track.id
    made |= _same_recording_again(catalogue, next_user())
    _albums([track.album for track in some_tracks(next_user(), 12)])
    return made


def _own_playlist(user: SpotifyUser) -> Playlist:
    return next(playlist for playlist in user.playlists if playlist is not None and playlist.owner is user)


def _removed_tracks(user: SpotifyUser) -> None:
    """Null in a playlist, among the saved tracks and among the plays; each still counts."""
    _own_playlist(user).entries.insert(1, PlaylistEntry(None))
    user.saved.insert(2, SavedTrack(None))
    if user.recently_played:
        latest = max(user.recently_played, key=lambda play: play.played_at)
        user.recently_played.append(Play(None, latest.played_at))


def _local_files(user: SpotifyUser) -> None:
    """One complete, one with colons and letters that a URI must encode, one that knows nothing about itself."""
    _own_playlist(user).add(
        [
            LocalFile("Our School Band", "Summer Concert", "Encore", 194),
            LocalFile("Tante Käthe & Söhne", "Küche: live", "10:15 to Nowhere: Part 2", 301),
            LocalFile("", "", "", 0),
        ]
    )


def _episodes(user: SpotifyUser) -> None:
    show = spotify_id("show", "The Weathervane Hour")
    titles = ("Why Kites Sing", "A Lighthouse Keeper Remembers")
    _own_playlist(user).add(
        Episode(spotify_id("episode", title), title, show, "The Weathervane Hour") for title in titles
    )


def _twice_in_one_playlist(user: SpotifyUser) -> None:
    playlist = _own_playlist(user)
    playlist.entries.extend([playlist.entries[0], playlist.entries[0]])


def _very_old_playlist(user: SpotifyUser, tracks: Sequence[Track]) -> None:
    """Nobody knows who added these, or when, or whether the list is public."""
    user.add_playlist("From the old computer", tracks, public=None, added_at=None)


def _removed_playlist(user: SpotifyUser) -> None:
    user.playlists.insert(1, None)


def _playlists_of_others(owner: SpotifyUser, guest: SpotifyUser, tracks: Sequence[Track]) -> None:
    """One that the guest may read, because they collaborate on it, and one that they only follow."""
    shared = owner.add_playlist("Kitchen radio, everybody adds", tracks, collaborative=True)
    if guest is not owner:
        guest.playlists.append(shared)
    curator = SpotifyUser("the-curator", None)
    guest.playlists.append(curator.add_playlist("A stranger's favourites", tracks, public=True))


def _same_recording_again(catalogue: Catalogue, user: SpotifyUser) -> dict[str, str]:
    """A compilation holds a recording under an id of its own; the member has both."""
    original = next(saved.track for saved in user.saved if saved.track is not None and not saved.track.relinked_to)
    compilation = catalogue.add_album(
        "Lanterns at Forty", original.artists, release_date="2019", album_type="compilation"
    )
    again = catalogue.add_track(original.name, compilation, isrc=original.isrc, duration_ms=original.duration_ms)
    _own_playlist(user).add([original, again])
    return {again.id: original.id}


def _albums(albums: Sequence[Album]) -> None:
    """One taken down, and release dates of which only the year or the month is known."""
    taken_down, year_known, month_known, *_ = dict.fromkeys(albums)
    taken_down.name = ""
    year_known.release_date, year_known.release_date_precision = year_known.release_date[:4], "year"
    month_known.release_date, month_known.release_date_precision = month_known.release_date[:7], "month"
