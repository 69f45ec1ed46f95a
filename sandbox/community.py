"""Synthetic members whose tastes are known, so that a right recommender can be told from a wrong one.

Each of them likes one to three of eight genres, and within a genre some circles of artists more than others. Members
who share a genre meet partly the same tracks, so that what one of them has tells something about what another may like.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from sandbox.genres import GENRES, Song, make_songs
from sandbox.lastfm_server import LastFmServer
from sandbox.listenbrainz_server import ListenBrainzLabsServer, ListenBrainzServer
from sandbox.names import PEOPLE
from sandbox.oddities import sprinkle
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.scrobbling import fill_lastfm, fill_listenbrainz, teach_labs
from sandbox.spotify.catalogue import Catalogue, Track
from sandbox.spotify.library import SpotifyUser
from sandbox.spotify_server import SpotifyServer
from sandbox.tastes import fill_library

Door = Literal["spotify", "listenbrainz", "lastfm", "export"]
"""How a member's listening reaches the bot: a linked Spotify account, a service of listens, or files of their own."""

SOME_EVENING = datetime(2026, 11, 20, 18, tzinfo=UTC)
NEWCOMER_TRACKS = 14
_TASTES = (2, 1, 2, 3)
_STRAYS = 0.03
_SCENE_LIKING = np.array([0.60, 0.25, 0.10, 0.05])


@dataclass(eq=False)
class Member:
    """`name` is theirs on Discord too; `genres` is what they like, the dearest first."""

    name: str
    user: SpotifyUser
    genres: tuple[str, ...]
    library: list[Track] = field(repr=False)
    """The distinct tracks that they have listened to, the dearest first; a few strays are of other genres."""
    newcomer: bool = False
    """Has hardly listened yet."""
    dms_closed: bool = False
    """Takes no direct messages from members of the server."""
    door: Door = "spotify"
    """Only those who come through Spotify's own door have an account on the sandbox's Spotify."""


@dataclass(eq=False)
class Community:
    """Its users and catalogue are changeable things: load one community into one server."""

    catalogue: Catalogue
    members: list[Member]
    genre_of: dict[str, str]
    """Track id -> genre, of every track."""
    features: dict[str, dict[str, float]]
    """Track id -> the nine audio features, of every track."""

    def member(self, name: str) -> Member:
        """
        :raises KeyError: when nobody is called so.
        """
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(f"There is no member {name!r}.")

    def through(self, door: Door) -> list[Member]:
        """Those who come this way."""
        return [member for member in self.members if member.door == door]

    def known_genres(self, member: Member | str) -> frozenset[str]:
        """What this member likes."""
        return frozenset((self.member(member) if isinstance(member, str) else member).genres)

    def load_listens(
        self,
        listenbrainz: ListenBrainzServer,
        labs: ListenBrainzLabsServer,
        lastfm: LastFmServer,
        now: datetime = SOME_EVENING,
    ) -> None:
        """Let the services of listens know those who come through them, by their names in lower case."""
        teach_labs(labs, self.catalogue)
        for number, member in enumerate(self.members):
            rng = np.random.default_rng([number, len(member.library)])
            if member.door == "listenbrainz":
                fill_listenbrainz(rng, listenbrainz.add_user(member.user.id), member.library, now)
            elif member.door == "lastfm":
                fill_lastfm(rng, lastfm.add_user(member.user.id), member.library, now)

    def load_into(
        self, spotify: SpotifyServer, reccobeats: ReccoBeatsServer | None = None, *, coverage: float = 0.85
    ) -> None:
        """Let the far ends know this community; ReccoBeats knows only the share `coverage` of its tracks."""
        spotify.load(self.catalogue, [member.user for member in self.through("spotify")])
        if reccobeats is not None:
            isrcs = {track.id: track.isrc for track in self.catalogue.tracks.values()}
            reccobeats.add(self.features, isrcs=isrcs, coverage=coverage)


def make_community(
    seed: int,
    members: int = 12,
    *,
    others: Sequence[Door] = (),
    tracks: int = 3_200,
    oddities: bool = True,
    now: datetime = SOME_EVENING,
) -> Community:
    """The same seed and numbers give the same community; `others` add to it and change nothing of it.

    The last of the `members`, who all link Spotify, is a newcomer; the second one, and with sixteen or more members the
    fifth, has closed DMs.

    :param others: the doors through which more members come, one each.
    :param now: the latest play is shortly before it.
    :raises ValueError: when there are more members than names, or fewer than two, or too few tracks to choose from.
    """
    if not 2 <= members <= len(PEOPLE) - len(others):
        raise ValueError(f"A community has 2 to {len(PEOPLE)} members.")
    if tracks < 800:
        raise ValueError("A community needs at least 800 tracks.")
    rng = np.random.default_rng(seed)
    catalogue = Catalogue()
    songs = make_songs(rng, catalogue, tracks)
    people = []
    for number, genres in enumerate(_deal_genres(rng, members)):
        name, newcomer = PEOPLE[number], number == members - 1
        user = SpotifyUser(name.lower(), name)
        size = NEWCOMER_TRACKS if newcomer else int(rng.integers(60 * len(genres), 60 + 110 * len(genres)))
        library = _listen(rng, songs, genres, size, strays=0.0 if newcomer else _STRAYS)
        fill_library(rng, user, [(song.track, song.genre) for song in library], now)
        dms_closed = number == 1 or (number == 4 and members >= 16)
        people.append(Member(name, user, genres, [song.track for song in library], newcomer, dms_closed))
    genre_of = {song.track.id: song.genre for song in songs}
    features = {song.track.id: song.features for song in songs}
    if oddities:
        for new, original in sprinkle(rng, catalogue, [one.user for one in people if not one.newcomer]).items():
            genre_of[new], features[new] = genre_of[original], features[original]
    people += _others(seed, members, others, songs, now)
    return Community(catalogue, people, genre_of, features)


def _others(seed: int, place: int, doors: Sequence[Door], songs: list[Song], now: datetime) -> list[Member]:
    """Two genres each, so many tracks as somebody with that taste has; drawn apart from everybody else."""
    people = []
    for number, door in enumerate(doors):
        rng = np.random.default_rng([seed, number])
        genres = tuple(GENRES[int(genre)].name for genre in rng.permutation(len(GENRES))[:2])
        library = _listen(rng, songs, genres, int(rng.integers(120, 280)), strays=_STRAYS)
        name = PEOPLE[place + number]
        user = SpotifyUser(name.lower(), name)
        fill_library(rng, user, [(song.track, song.genre) for song in library], now)
        people.append(Member(name, user, genres, [song.track for song in library], door=door))
    return people


def _deal_genres(rng: np.random.Generator, members: int) -> list[tuple[str, ...]]:
    """One to three genres each, the newcomer one; each genre is liked by as many as any other, give or take one."""
    liked = np.zeros(len(GENRES))
    dealt = []
    for number in range(members):
        count = 1 if number == members - 1 else _TASTES[number % len(_TASTES)]
        chosen = np.argsort(liked + rng.uniform(0, 0.5, len(GENRES)))[:count]
        liked[chosen] += 1
        dealt.append(tuple(GENRES[int(genre)].name for genre in chosen))
    return dealt


def _listen(
    rng: np.random.Generator, songs: list[Song], genres: tuple[str, ...], size: int, strays: float
) -> list[Song]:
    """`size` distinct songs, the dearest first."""
    liking = dict(zip(genres, np.sort(rng.dirichlet(np.full(len(genres), 8.0)))[::-1], strict=True))
    scenes = {genre: rng.permutation(_SCENE_LIKING) for genre in genres}
    attraction = np.array(
        [
            liking[song.genre] * scenes[song.genre][song.scene] * song.popularity if song.genre in liking else 0.0
            for song in songs
        ]
    )
    chance = (1 - strays) * attraction / attraction.sum() + strays / len(songs)
    # Gumbel's trick: the largest of these are a draw without replacement, in the order of drawing.
    with np.errstate(divide="ignore"):
        order = np.argsort(-(np.log(chance) + rng.gumbel(size=len(songs))))
    return [songs[int(place)] for place in order[:size]]
