"""A sync over sockets: what is read, what is skipped, what is counted, what is removed and what never is."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.services.progress import Stage
from bot.spotify.records import Skip
from bot.storage.schema import artist, artist_follow, interaction, listing, track, track_alias
from sandbox.spotify.catalogue import Episode, LocalFile
from sandbox.spotify.library import PlaylistEntry, SavedTrack, SpotifyUser
from tests.bot.collecting import collecting


@pytest.fixture
async def desk(database):
    async with collecting(database) as desk:
        yield desk


async def test_every_listing(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(12)
    ada.add_playlist("Mine", songs[:4])
    ada.save(songs[3:6])
    ada.play(songs[6], desk.clock())
    ada.set_top("short_term", songs[7:8])
    ada.set_top("medium_term", songs[7:9])
    ada.set_top("long_term", songs[9:10])
    ada.followed_artists.extend([*songs[0].artists, desk.spotify.catalogue.add_artist("Unheard")])
    await desk.link(ada)
    progress = await desk.sync("ada")

    assert progress.stage is Stage.COMPLETE
    assert (progress.tracks, progress.removed, progress.refused, progress.skipped) == (10, 0, 0, {})
    assert sorted(await desk.known("playlist")) == ["Song 0", "Song 1", "Song 2", "Song 3"]
    assert sorted(await desk.known("saved")) == ["Song 3", "Song 4", "Song 5"]
    assert sorted(await desk.known("recently_played")) == ["Song 6"]
    assert await desk.known("top") == {"Song 7": 2, "Song 8": 1, "Song 9": 1}
    assert len(await desk.known("followed_artist")) == 10  # all that they have by the artist they follow
    assert progress.features_found == 10
    row = await desk.account()
    assert (row.last_synced_at, row.sync_started_at, row.sync_note) == (desk.clock.now, None, None)
    ((title, album, name),) = await desk.rows(
        select(track.c.title, track.c.album, artist.c.name)
        .join_from(track, artist, artist.c.name == "The Band")
        .where(track.c.spotify_id == songs[0].id)
    )
    assert (title, album, name) == ("Song 0", "Songs", "The Band")


async def test_long_listings_page_by_page(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(130)
    ada.save(songs)
    ada.add_playlist("Long", songs)
    ada.followed_artists.extend(desk.spotify.catalogue.add_artist(f"Artist {number}") for number in range(120))
    for number in range(60):
        ada.add_playlist(f"Small {number}", songs[number : number + 1])
    await desk.link(ada)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    assert len(await desk.known("saved")) == 130
    assert sum((await desk.known("playlist")).values()) == 190
    assert desk.spotify.count("/me/tracks") == 3
    assert desk.spotify.count("/me/playlists") == 2
    assert desk.spotify.count("/me/following") == 3
    assert (await desk.rows(select(func.count()).select_from(artist_follow)))[0][0] == 120


async def test_every_oddity(desk):
    ada = desk.spotify.add_user("ada", None)
    ben = desk.spotify.add_user("ben", "Ben")
    songs = desk.songs(9)
    mine = ada.add_playlist("Odd", songs[:2], added_at=None)
    mine.entries.append(PlaylistEntry(None))
    mine.add([LocalFile("Our Band", "", "Live: at home", 90), LocalFile("", "", "", 0)])
    mine.add([Episode("4rOoJ6Egrf8K2IrywzwOMk", "Talk", "38bS44xjbVVZ3No3ByF1dJ", "The Show")])
    mine.add([songs[0], songs[0]])
    songs[1].is_playable, songs[1].restriction = False, "market"
    songs[1].album.name = ""
    ada.playlists.append(None)
    ada.playlists.append(ben.add_playlist("Followed, not readable", songs[2:3], public=True))
    ada.playlists.append(ben.add_playlist("Together", songs[3:4], collaborative=True))
    ada.save([songs[4]])
    ada.saved.append(SavedTrack(None))
    ada.play(None, desk.clock())
    await desk.link(ada)
    progress = await desk.sync("ada")

    assert progress.stage is Stage.COMPLETE
    assert await desk.known("playlist") == {"Song 0": 3, "Song 1": 1, "Live: at home": 1, "Song 3": 1}
    assert progress.skipped == {Skip.REMOVED: 3, Skip.EPISODE: 1, Skip.UNREADABLE: 1}
    assert progress.refused == 0
    assert await desk.known("saved") == {"Song 4": 1}
    (local,) = await desk.rows(select(track).where(track.c.spotify_id.is_(None)))
    assert (local.title, local.duration_ms) == ("Live: at home", 90_000)
    assert desk.spotify.count(f"/playlists/{ada.playlists[2].id}/items") == 0  # a 403 that is never asked for


async def test_a_relinked_track_stays_the_same_track(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(2)
    ada.save(songs)
    ada.add_playlist("Mine", songs)
    await desk.link(ada)
    await desk.sync("ada")
    keys = await desk.rows(select(track.c.id).order_by(track.c.id))
    edition = desk.spotify.catalogue.relink(songs[0])
    ada.saved.pop()  # another state, so that it is read again
    ada.save([songs[1]])
    ada.play(songs[0], desk.clock())
    await desk.sync("ada")
    assert await desk.rows(select(track.c.id).order_by(track.c.id)) == keys
    aliases = await desk.rows(select(track_alias.c.value).where(track_alias.c.value.in_([songs[0].id, edition.id])))
    assert len(aliases) == 2
    assert await desk.known("recently_played") == {"Song 0": 1}


async def test_two_members_share_tracks_but_no_rows(desk):
    songs = desk.songs(3)
    for name in ("ada", "ben"):
        user = desk.spotify.add_user(name, name)
        user.save(songs)
        await desk.link(user)
        await desk.sync(name)
    assert len(await desk.rows(select(track.c.id))) == 3
    assert len(await desk.rows(select(interaction.c.track_id))) == 6
    await desk.unlink("ada")
    assert len(await desk.rows(select(interaction.c.track_id))) == 3


async def test_titles_and_artists_are_brought_up_to_date(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(2)
    ada.save(songs)
    await desk.link(ada)
    await desk.sync("ada")
    ((updated, other),) = [tuple(one.updated_at for one in await desk.rows(select(track).order_by(track.c.spotify_id)))]
    assert updated == other
    songs[0].name, songs[0].artists[0].name = "Song 0 (Remastered)", "The Band!"
    ada.saved.reverse()  # so that it is read again to the end
    ada.save(desk.songs(1, "New", "Other"))
    await desk.sync("ada")
    rows = {row.spotify_id: row for row in await desk.rows(select(track))}
    assert rows[songs[0].id].title == "Song 0 (Remastered)"
    assert rows[songs[0].id].updated_at == desk.clock.now
    assert rows[songs[1].id].updated_at == updated  # nothing changed, so nothing is touched
    assert {row.name for row in await desk.rows(select(artist.c.name))} == {"The Band!", "Other"}


async def test_plays_are_counted_once_and_add_up(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    one, two = desk.songs(2)
    start = desk.clock()
    ada.play(one, start - timedelta(minutes=9))
    ada.play(one, start - timedelta(minutes=5, milliseconds=7))
    await desk.link(ada)
    await desk.sync("ada")
    assert await desk.known("recently_played") == {"Song 0": 2}
    await desk.sync("ada")
    assert await desk.known("recently_played") == {"Song 0": 2}
    ada.play(one, start + timedelta(seconds=30))
    ada.play(two, start + timedelta(seconds=40))
    await desk.sync("ada")
    assert await desk.known("recently_played") == {"Song 0": 3, "Song 1": 1}
    ada.recently_played.clear()  # Spotify forgets; we do not
    await desk.sync("ada")
    assert await desk.known("recently_played") == {"Song 0": 3, "Song 1": 1}
    rows = await desk.rows(select(interaction.c.occurred_at).where(interaction.c.kind == "recently_played"))
    assert max(row.occurred_at for row in rows) == start + timedelta(seconds=40)


async def test_what_is_gone_is_removed_after_a_whole_reading(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(120)
    ada.save(songs)
    playlist = ada.add_playlist("Mine", songs[:60])
    ada.set_top("short_term", songs[:3])
    ada.followed_artists.extend(songs[0].artists)
    await desk.link(ada)
    await desk.sync("ada")
    del ada.saved[100:]
    del playlist.entries[2:]
    ada.set_top("short_term", songs[2:4])
    ada.followed_artists.clear()
    progress = await desk.sync("ada")
    assert len(await desk.known("saved")) == 100
    assert await desk.known("playlist") == {"Song 0": 1, "Song 1": 1}
    assert await desk.known("top") == {"Song 2": 1, "Song 3": 1}
    assert await desk.known("followed_artist") == {}
    assert await desk.rows(select(artist_follow)) == []
    assert progress.removed == 20 + 58 + 2
    ada.playlists.clear()
    await desk.sync("ada")
    assert await desk.known("playlist") == {}
    assert await desk.rows(select(listing).where(listing.c.key.startswith("playlist:"))) == []


async def test_an_emptied_library_is_empty(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    ada.save(desk.songs(3))
    await desk.link(ada)
    await desk.sync("ada")
    ada.saved.clear()
    assert (await desk.sync("ada")).removed == 3
    assert await desk.known() == {}


async def test_a_listing_that_shifts_while_it_is_read_removes_nothing(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(120)
    ada.save(songs)
    await desk.link(ada)
    await desk.sync("ada")
    ada.saved.reverse()  # so that it is read again to the end
    ada.save(desk.songs(1, "New"))
    hold = desk.spotify.hold("/me/tracks", skip=1)
    desk.clock.turn(minutes=1)
    run = await desk.begin("ada")
    await hold.arrived.wait()
    del ada.saved[:10]  # everything moves up by ten: ten tracks are never seen
    hold.release()
    await run.wait()
    assert run.progress.removed == 0
    assert len(await desk.known("saved")) == 121
    assert (await desk.sync("ada")).removed == 10
    assert len(await desk.known("saved")) == 111
    assert set((await desk.known("saved")).values()) == {1}


async def test_unchanged_listings_are_confirmed_without_reading(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(120)
    ada.save(songs)
    playlists = [ada.add_playlist(f"List {number}", songs) for number in range(3)]
    await desk.link(ada)
    await desk.sync("ada")
    desk.spotify.requests.clear()
    playlists[1].add(desk.songs(1, "New"))
    progress = await desk.sync("ada")
    assert desk.spotify.count("/playlists/*") == 3  # the changed one only: 121 entries
    assert desk.spotify.count("/me/tracks") == 1
    assert progress.unchanged == 2 + 1 + 3  # playlists, saved, top
    rows = await desk.rows(select(func.min(interaction.c.last_seen)))
    assert rows[0][0] >= desk.clock.now


async def test_a_clock_that_stands_still_does_no_harm(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(4)
    playlist = ada.add_playlist("Mine", [songs[0], *songs])
    await desk.link(ada)
    for expected in ({"Song 0": 2, "Song 1": 1, "Song 2": 1, "Song 3": 1}, {"Song 1": 1, "Song 2": 1, "Song 3": 1}):
        run = await desk.begin("ada")
        await run.wait()
        assert await desk.known("playlist") == expected
        playlist.entries = [entry for entry in playlist.entries if entry.item is not songs[0]]


async def test_a_listing_that_names_itself_as_the_next_page_ends(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    ada.save(desk.songs(60))
    desk.spotify.repeat_next("/me/tracks")
    desk.spotify.repeat_next("/me/playlists")
    await desk.link(ada)
    assert (await desk.sync("ada")).stage is Stage.COMPLETE
    assert desk.spotify.count("/me/tracks") == 2
    assert len(await desk.known("saved")) == 60


async def test_one_refused_playlist_does_not_stop_the_others(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    songs = desk.songs(6)
    lists = [ada.add_playlist(f"List {number}", songs[2 * number : 2 * number + 2]) for number in range(3)]
    await desk.link(ada)
    await desk.sync("ada")
    for number in range(3):
        lists[number].add(desk.songs(1, f"More {number}"))
    desk.spotify.fail_next(f"/playlists/{lists[0].id}/items", 403)
    desk.spotify.fail_next(f"/playlists/{lists[1].id}/items", 404)
    progress = await desk.sync("ada")
    assert (progress.stage, progress.refused) == (Stage.COMPLETE, 1)
    assert sorted(await desk.known("playlist")) == ["More 2 0", "Song 0", "Song 1", "Song 4", "Song 5"]


async def test_endpoints_that_are_closed_to_the_app(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    ada.save(desk.songs(2))
    await desk.link(ada)
    desk.spotify.fail_next("/me/top/*", 403, times=None)
    progress = await desk.sync("ada")
    assert (progress.stage, progress.refused) == (Stage.COMPLETE, 3)
    assert len(await desk.known("saved")) == 2


@pytest.mark.parametrize("plain_text", [False, True])
async def test_an_account_that_is_not_registered(desk, plain_text):
    ada = desk.spotify.add_user("ada", "Ada")
    ada.save(desk.songs(2))
    await desk.link(ada)
    await desk.sync("ada")
    desk.spotify.allow_list("somebody-else", plain_text=plain_text)
    progress = await desk.sync("ada")
    assert progress.stage is Stage.STOPPED
    assert "ask the host to add you" in progress.reason
    assert len(await desk.known("saved")) == 2
    assert (await desk.account()).status == "linked"


async def test_tracks_of_followed_artists_on_request(database):
    async with collecting(database, artist_tracks=5) as desk:
        ada = desk.spotify.add_user("ada", "Ada")
        songs = desk.songs(8)
        guest = desk.spotify.catalogue.add_artist("Guest")
        desk.spotify.catalogue.add_track("With a guest", songs[0].album, [guest])
        ada.followed_artists.extend(songs[0].artists)
        await desk.link(ada)
        progress = await desk.sync("ada")
        assert progress.stage is Stage.COMPLETE
        assert len(await desk.known("followed_artist")) == 5
        desk.spotify.requests.clear()
        await desk.sync("ada")
        assert desk.spotify.count("/artists/*") == 0  # not again for a month
        assert len(await desk.known("followed_artist")) == 5
        ada.save([songs[0]])
        await desk.sync("ada")
        assert (await desk.known("followed_artist"))["Song 0"] == 2  # theirs, and looked up
        ada.followed_artists.clear()
        await desk.sync("ada")
        assert await desk.known("followed_artist") == {}


async def test_followed_artists_alone_look_nothing_up(desk):
    ada = desk.spotify.add_user("ada", "Ada")
    ada.followed_artists.extend(desk.songs(3)[0].artists)
    await desk.link(ada)
    await desk.sync("ada")
    assert desk.spotify.count("/artists/*") == 0
    assert await desk.known() == {}


async def test_somebody_elses_rows_are_not_touched(desk):
    ada: SpotifyUser = desk.spotify.add_user("ada", "Ada")
    ben = desk.spotify.add_user("ben", "Ben")
    songs = desk.songs(3)
    shared = ada.add_playlist("Together", songs, collaborative=True)
    ben.playlists.append(shared)
    for user in (ada, ben):
        await desk.link(user)
        await desk.sync(user.id)
    ben.playlists.clear()
    await desk.sync("ben")
    assert await desk.known("playlist") == {"Song 0": 1, "Song 1": 1, "Song 2": 1}
