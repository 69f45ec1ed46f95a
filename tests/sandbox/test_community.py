"""The synthetic members: what is known about them must be true, whatever the seed."""

import itertools
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.community import NEWCOMER_TRACKS, Door, make_community
from sandbox.genres import GENRES
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.spotify.catalogue import Track
from sandbox.spotify.library import TIME_RANGES
from sandbox.spotify_server import SpotifyServer
from specrec.features import AUDIO_FEATURES, FEATURES
from tests.sandbox.spotify_client import ask, every_page

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=4, deadline=None)


def held(user):
    """Every track that Spotify would tell of this user, except other people's playlists."""
    own = [playlist for playlist in user.playlists if playlist is not None and playlist.owner is user]
    items = [entry.item for playlist in own for entry in playlist.entries]
    items += [saved.track for saved in user.saved] + [play.track for play in user.recently_played]
    items += [track for time_range in TIME_RANGES for track in user.top_tracks[time_range]]
    return {item for item in items if isinstance(item, Track)}


def overlap(left, right):
    left, right = set(left.library), set(right.library)
    return len(left & right) / len(left | right)


def sketch(community):
    """Everything of a community that can be compared."""
    return [
        (
            member.name,
            member.genres,
            [track.id for track in member.library],
            [playlist and playlist.snapshot_id for playlist in member.user.playlists],
            [(saved.track and saved.track.served.id, saved.added_at) for saved in member.user.saved],
            [(play.track and play.track.id, play.played_at) for play in member.user.recently_played],
        )
        for member in community.members
    ] + [community.features, community.genre_of]


@few
@given(seeds)
def test_sizes_and_genres(seed):
    community = make_community(seed)
    assert len(community.members) == 12
    assert len({member.name for member in community.members}) == 12
    assert len(community.catalogue.tracks) >= 3_000
    assert len(set(community.genre_of.values())) == len(GENRES) >= 8
    assert min(Counter(community.genre_of.values()).values()) >= 300
    assert community.genre_of.keys() == community.features.keys() == community.catalogue.tracks.keys()
    liked = Counter(genre for member in community.members for genre in member.genres)
    assert len(liked) == len(GENRES)
    assert min(liked.values()) >= 2
    assert [member.newcomer for member in community.members].count(True) == 1
    assert 1 <= sum(member.dms_closed for member in community.members) <= 2
    for member in community.members:
        assert 1 <= len(member.genres) == len(community.known_genres(member.name)) <= 3
        size = len(set(member.library))
        assert size == len(member.library)
        assert size == NEWCOMER_TRACKS if member.newcomer else 60 <= size <= 400


@few
@given(seeds)
def test_what_members_listen_to_is_mostly_what_they_are_said_to_like(seed):
    community = make_community(seed)
    for member in community.members:
        genres = Counter(community.genre_of[track.id] for track in member.library)
        liked = sum(genres[genre] for genre in member.genres)
        assert liked / len(member.library) >= 0.85
        assert all(genres[genre] >= 5 for genre in member.genres)


@few
@given(seeds)
def test_spotify_would_tell_of_the_whole_library(seed):
    plain = make_community(seed, oddities=False)
    for member in plain.members:
        assert held(member.user) == set(member.library)
    for member in make_community(seed).members:
        assert set(member.library) <= held(member.user)


@few
@given(seeds)
def test_members_of_one_genre_share_tracks_and_others_hardly_any(seed):
    members = [member for member in make_community(seed).members if not member.newcomer]
    alike: list[float] = []
    unlike: list[float] = []
    for left, right in itertools.combinations(members, 2):
        (alike if set(left.genres) & set(right.genres) else unlike).append(overlap(left, right))
    assert 0.03 <= np.mean(alike) <= 0.4
    assert np.mean(unlike) <= 0.02


@few
@given(seeds)
def test_features_are_in_range_and_tell_the_genres_apart(seed):
    community = make_community(seed)
    values = np.array([[row[name] for name in FEATURES] for row in community.features.values()])
    assert (values >= [feature.low for feature in AUDIO_FEATURES]).all()
    assert (values <= [feature.high for feature in AUDIO_FEATURES]).all()
    genres = np.array([community.genre_of[track] for track in community.features])
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    names = np.unique(genres)
    centres = np.array([standard[genres == name].mean(axis=0) for name in names])
    nearest = names[((standard[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)]
    assert (nearest == genres).mean() >= 0.8


@few
@given(seeds)
def test_the_same_seed_gives_the_same_community_and_another_one_another(seed):
    first = sketch(make_community(seed, tracks=800))
    assert sketch(make_community(seed, tracks=800)) == first
    assert sketch(make_community(seed + 1, tracks=800)) != first


@few
@given(seeds)
def test_others_come_through_other_doors_and_change_nothing(seed):
    doors: list[Door] = ["listenbrainz", "export", "lastfm"]
    alone, together = make_community(seed), make_community(seed, others=doors)
    assert sketch(together)[:12] == sketch(alone)[:12]
    assert together.features == alone.features
    assert [member.door for member in together.members] == ["spotify"] * 12 + doors
    assert len({member.name for member in together.members}) == 15
    for door in doors:
        [member] = together.through(door)
        assert len(member.library) >= 120
        liked = sum(together.genre_of[track.id] in member.genres for track in member.library)
        assert liked / len(member.library) >= 0.85


@few
@given(seeds, st.integers(2, 32))
def test_other_sizes(seed, members):
    community = make_community(seed, members, tracks=800)
    assert len(community.members) == members
    assert len(community.catalogue.tracks) >= 800


def test_times_lie_before_now():
    now = datetime(2031, 5, 1, tzinfo=UTC)
    for member in make_community(1, now=now).members:
        assert all(play.played_at < now for play in member.user.recently_played)
        newest_first = [saved.added_at for saved in member.user.saved if saved.track and saved.added_at]
        assert newest_first[0] < now
        assert newest_first == sorted(newest_first, reverse=True)


@pytest.mark.parametrize("wrong", [{"members": 1}, {"members": 33}, {"tracks": 100}])
def test_impossible_communities(wrong):
    with pytest.raises(ValueError, match="community"):
        make_community(1, **wrong)


def test_an_unknown_member():
    with pytest.raises(KeyError, match="Nobody"):
        make_community(1, tracks=800).member("Nobody")


async def read_everything(spotify, user):
    """All of a user's listings through spotipy: playlists with their entries, saved tracks, plays, profile."""

    def read(sp):
        playlists = every_page(sp, sp.current_user_playlists())
        entries = []
        for playlist in playlists:
            if playlist is None or not (playlist["owner"]["id"] == user.id or playlist["collaborative"]):
                continue
            first = sp.playlist_items(playlist["id"])
            assert first["total"] == playlist["items"]["total"]
            read = every_page(sp, first)
            assert len(read) == first["total"]
            entries.append(read)
        saved = every_page(sp, sp.current_user_saved_tracks(limit=50))
        return sp.me(), playlists, entries, saved, sp.current_user_recently_played()["items"]

    return await ask(spotify, spotify.token(user), read)


@pytest.mark.parametrize("seed", [3, 20_261_123])
async def test_every_oddity_reaches_the_client(seed):
    found: Counter[str] = Counter()
    community = make_community(seed)
    async with SpotifyServer() as spotify, ReccoBeatsServer() as reccobeats:
        community.load_into(spotify, reccobeats)
        for member in community.members:
            me, playlists, lists, saved, plays = await read_everything(spotify, member.user)
            mine = {track.id for track in member.library}
            found["no name"] += me["display_name"] is None
            found["null playlist"] += None in playlists
            listed = [playlist for playlist in playlists if playlist is not None]
            found["followed"] += sum(
                playlist["owner"]["id"] != me["id"] and not playlist["collaborative"] for playlist in listed
            )
            found["collaborative"] += sum(playlist["collaborative"] for playlist in listed)
            found["public null"] += sum(playlist["public"] is None for playlist in listed)
            found["null saved"] += sum(entry["track"] is None for entry in saved)
            found["null play"] += sum(play["track"] is None for play in plays)
            found["no context"] += sum(play["context"] is None for play in plays)
            tracks = [entry["track"] for entry in saved if entry["track"]]
            for entries in lists:
                items = [entry["item"] for entry in entries]
                found["null item"] += items.count(None)
                found["no date"] += sum(entry["added_at"] is None and entry["added_by"] is None for entry in entries)
                found["local"] += sum(entry["is_local"] for entry in entries)
                found["empty local"] += sum(
                    item["uri"] == "spotify:local::::0" and item["id"] is None for item in items if item
                )
                found["colons"] += sum(
                    item["uri"] == "spotify:local:Tante+K%C3%A4the+%26+S%C3%B6hne:K%C3%BCche%3A+live"
                    ":10:15+to+Nowhere:+Part+2:301"
                    for item in items
                    if item
                )
                found["episode"] += sum(item["type"] == "episode" and "show" in item for item in items if item)
                real = [item for item in items if item and item["type"] == "track" and item["id"]]
                found["duplicate"] += len(real) - len({item["id"] for item in real})
                tracks += real
            found["unplayable"] += sum(track.get("is_playable") is False for track in tracks)
            found["restricted"] += sum("restrictions" in track for track in tracks)
            found["taken down"] += sum(
                track["album"]["name"] == "" and not track["album"]["images"] for track in tracks
            )
            for precision in ("year", "month"):
                found[precision] += sum(track["album"]["release_date_precision"] == precision for track in tracks)
            found["relinked"] += sum(
                other.isrc == track["external_ids"]["isrc"] and other.relinked_to is not None and other.id in mine
                for track in tracks
                if track["id"] not in mine
                for other in [community.catalogue.tracks[stored] for stored in mine]
            )
            ids_of: dict[str, set[str]] = {}
            for track in tracks:
                ids_of.setdefault(track["external_ids"]["isrc"], set()).add(track["id"])
            found["one recording, two ids"] += sum(len(ids) > 1 for ids in ids_of.values())
            assert all(community.genre_of[track["id"]] for track in tracks)
    assert [oddity for oddity, times in found.items() if not times] == []
    assert found["local"] >= 3


async def test_loading_covers_about_85_per_cent_of_the_features():
    community = make_community(5)
    async with SpotifyServer() as spotify, ReccoBeatsServer() as reccobeats:
        community.load_into(spotify, reccobeats)
        assert spotify.users.keys() == {member.user.id for member in community.members}
        known = sum(reccobeats.knows(track) for track in spotify.catalogue.tracks)
        assert 0.82 <= known / len(spotify.catalogue.tracks) <= 0.88
