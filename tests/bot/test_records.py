"""Everything odd that Spotify sends becomes a record or a counted skip, never an exception."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.spotify import records
from bot.spotify.records import ArtistRecord, Page, PlaylistRecord, Profile, Skip

WORDS = [
    "id",
    "name",
    "items",
    "item",
    "track",
    "artists",
    "external_ids",
    "isrc",
    "type",
    "show",
    "uri",
    "is_local",
    "album",
    "duration_ms",
    "next",
    "total",
    "cursors",
    "after",
    "owner",
    "collaborative",
    "snapshot_id",
    "added_at",
    "played_at",
    "account_id",
    "display_name",
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(["episode", "spotify:local:A:B:C:D:E:7", "spotify:local:", "2026-01-01T00:00:00Z", "abc"])
)
WEIRD = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=8),
    max_leaves=40,
)
PARSERS = [
    records.entries,
    records.tracks,
    records.playlists,
    records.albums,
    records.artists,
    records.profile,
    lambda body: records.album_tracks(body, "Album"),
]


def song(**changes):
    return {
        "type": "track",
        "id": "4uLU6hMCjMI75M1A2tKUQC",
        "name": "Never Again",
        "artists": [{"id": "a1", "name": "Ann"}, {"id": "a2", "name": "Bob"}],
        "album": {"name": "Firsts"},
        "duration_ms": 213_000,
        "external_ids": {"isrc": "gb-arl-93-00135"},
        "is_local": False,
    } | changes


def page_of(*items, **changes):
    return {"items": list(items), "next": None, "total": len(items)} | changes


@given(body=WEIRD)
@settings(max_examples=80, deadline=None)
def test_no_json_is_too_weird(body):
    for parse in PARSERS:
        result = parse(body)
        if isinstance(result, Page):
            assert result.entries == len(result.records) + sum(result.skipped.values())
            assert result.entries == len((body.get("artists") if parse is records.artists else body)["items"])


@given(items=st.lists(WEIRD, max_size=5))
@settings(max_examples=80, deadline=None)
def test_no_entry_is_too_weird(items):
    for item in items:
        for parse in (records.entries, records.tracks):
            page = parse(page_of(item, {"item": item}, {"track": item}, {"item": item, "is_local": True}))
            assert len(page.records) + sum(page.skipped.values()) == 4
            for entry in page.records:
                entry.track.title.encode()  # what no database takes does not come through
                assert "\0" not in entry.track.title
                assert entry.track.spotify_id or entry.track.local
                assert entry.at is None or entry.at.tzinfo is UTC


@pytest.mark.parametrize("body", [None, [], "<html>", {}, {"items": None}, {"items": {}}, {"error": "x"}, 7])
def test_a_body_that_is_no_page_is_not_an_empty_page(body):
    for parse in PARSERS:
        assert parse(body) is None


@pytest.mark.parametrize("name", ["item", "track"])
def test_an_entry_in_both_spellings(name):
    page = records.entries(page_of({"added_at": "2026-03-01T12:00:00Z", name: song()}))
    (entry,) = page.records
    assert entry.at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert entry.track.spotify_id == "4uLU6hMCjMI75M1A2tKUQC"
    assert entry.track.isrc == "GBARL9300135"
    assert entry.track.artists == (ArtistRecord("a1", "Ann"), ArtistRecord("a2", "Bob"))
    assert (entry.track.album, entry.track.duration_ms, entry.track.local) == ("Firsts", 213_000, None)


def test_item_wins_over_the_deprecated_track():
    page = records.entries(page_of({"item": song(name="New"), "track": True}))
    assert page.records[0].track.title == "New"


def test_skips_say_why():
    page = records.entries(
        page_of(
            None,
            {"item": None},
            {"track": None, "added_at": None},
            {"item": {"type": "episode", "id": "e", "name": "Talk", "show": {}}},
            {"item": {"id": "e", "name": "Talk", "show": {"name": "x"}}},
            {"item": song(id=None)},
            {"item": song(name="")},
            {"item": "text"},
            {"item": song()},
        )
    )
    assert page.skipped == {Skip.REMOVED: 3, Skip.EPISODE: 2, Skip.UNREADABLE: 3}
    assert (len(page.records), page.entries) == (1, 9)


def test_unavailable_tracks_and_taken_down_albums_are_kept():
    (entry,) = records.entries(
        page_of({"item": song(is_playable=False, restrictions={"reason": "market"}, album={"name": "", "images": []})})
    ).records
    assert (entry.track.title, entry.track.album) == ("Never Again", None)


def local(uri, **changes):
    return {
        "is_local": True,
        "item": {"id": None, "uri": uri, "is_local": True, "artists": [{"id": None, "name": ""}], "album": {}}
        | changes,
    }


def test_local_files_are_known_by_what_they_say():
    page = records.entries(
        page_of(
            local("spotify:local:Tante+K%C3%A4the:Live:10:15+to+Nowhere:301"),
            local("spotify:local::::0"),
            local("spotify:local:A:B:C:200", name="C", artists=[{"id": None, "name": "A"}], duration_ms=200_000),
            local("spotify:local:a:b:c:200"),
            local(None, name="Bare"),
        )
    )
    first, second, third, bare = (entry.track for entry in page.records)
    assert (first.title, first.artists, first.album) == (
        "10:15 to Nowhere",
        (ArtistRecord(None, "Tante Käthe"),),
        "Live",
    )
    assert first.duration_ms == 301_000
    assert first.spotify_id is None
    assert first.local
    assert (bare.title, bare.artists, bare.duration_ms) == ("Bare", (), None)
    assert page.skipped == {Skip.UNREADABLE: 1}
    assert second.title == "C"
    assert third.title == "c"
    assert second.local != first.local != bare.local


def test_a_local_file_is_the_same_in_any_spelling_of_its_parts():
    one, two = records.entries(
        page_of(
            local("spotify:local:A:B:C:200", name="C", artists=[{"id": None, "name": "A"}], album={"name": "B"}),
            local("spotify:local:a:b:c:200"),
        )
    ).records
    assert one.track.local == two.track.local


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gb-arl 93 00135", "GBARL9300135"),
        ("GBARL9300135", "GBARL9300135"),
        ("GBARL930013", None),
        ("", None),
        (None, None),
        (12, None),
    ],
)
def test_isrc(value, expected):
    assert records.isrc(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-24T12:00:00.123Z", datetime(2026, 11, 24, 12, 0, 0, 123000, tzinfo=UTC)),
        ("2026-11-24T14:00:00+02:00", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("0000", None),
        ("yesterday", None),
        (None, None),
        (1700000000, None),
    ],
)
def test_moments(value, expected):
    assert records.moment(value) == expected


def test_playlists_and_a_null_among_them():
    page = records.playlists(
        page_of(
            None,
            {"id": "p1", "owner": {"id": "ada"}, "collaborative": False, "snapshot_id": "s1", "public": None},
            {"id": "p2", "owner": None, "collaborative": True, "items": {"total": 3}},
        )
    )
    assert page.records == (PlaylistRecord("p1", "ada", False, "s1"), PlaylistRecord("p2", None, True, None))
    assert (page.entries, page.skipped) == (3, {Skip.REMOVED: 1})


def test_followed_artists_are_wrapped_and_have_cursors():
    page = records.artists(
        {"artists": page_of({"id": "a1", "name": "Ann"}, next="x", cursors={"after": "a1"}, total=9)}
    )
    assert (page.records, page.after, page.last, page.total) == ((ArtistRecord("a1", "Ann"),), "a1", False, 9)


def test_an_empty_page_is_the_last_whatever_it_says():
    assert records.entries({"items": [], "next": "http://x", "total": 100}).last


def test_profiles():
    assert records.profile({"id": "ada", "account_id": "x9", "display_name": None}) == Profile("x9", "ada", None)
    assert records.profile({"id": "ada", "display_name": "Ada"}) == Profile("ada", "ada", "Ada")
    assert records.profile({"display_name": "Ada"}) is None
