"""Reading Spotify's exports: every form, everything that may be wrong with one, and never more memory than a little."""

import io
import json
import tracemalloc
import zipfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import FileRefusedError
from bot.imports import archive
from bot.imports.archive import parts
from bot.imports.base import Kept, Listen, Skip, Song
from bot.imports.export import Form
from bot.imports.json_stream import ELEMENT_LIMIT
from bot.imports.spool import BATCH, Spool
from specrec.interactions import Kind
from tests.bot.exports import (
    AUDIO,
    BEGAN,
    FOLDER,
    account_play,
    as_json,
    encrypted,
    episode,
    extended,
    identity,
    library,
    play,
    playlists,
    with_flipped_data,
    with_long_directory,
    zipped,
)


def read(content, name="my_spotify_data.zip"):
    return [item for part in parts(io.BytesIO(content), name) for item in part.items]


def refusal(content, name="my_spotify_data.zip"):
    with pytest.raises(FileRefusedError) as caught:
        read(content, name)
    assert "\n" not in caught.value.told
    return caught.value.told


@contextmanager
def at_most(megabytes):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1_000_000
    finally:
        tracemalloc.stop()


def test_a_play_of_the_extended_history():
    at = datetime(2019, 3, 1, 19, 0, 5, tzinfo=UTC)
    song = Song("Title 1", "Artist 1", identity(1), None, "Album 1")
    assert read(extended(play(1))) == [Listen(song, at, 187_001, ended=True)]


@pytest.mark.parametrize(
    "name",
    [
        f"{FOLDER}/{AUDIO}",
        AUDIO,
        f"a/b/c/d/{AUDIO.upper()}",
        f"a\\b\\{AUDIO.lower()}",
        "Streaming_History_Audio_2017.json",
        "MyData/endsong_0.json",
        "MyData/ENDSONG_12 (1).JSON",
        "streaming_history_audio.json",
    ],
)
def test_any_depth_and_case_of_names(name):
    assert len(read(extended(play(1), play(2), name=name))) == 2


@pytest.mark.parametrize(
    "name",
    [f"__MACOSX/{FOLDER}/{AUDIO}", f"{FOLDER}/._{AUDIO}", "Streaming_History_Video_2019.json", "Userdata.json",
     "StreamingHistory_podcast_0.json", "x.json", "endsong.txt", "Playlistings.json"],
)  # fmt: skip
def test_other_files_are_never_opened(name):
    files = {name: b"not JSON at all", f"x/{AUDIO}": as_json([play(1)])}
    assert len(read(zipped(files))) == 1


def test_several_parts_and_a_byte_order_mark():
    files = {f"a/endsong_{n}.json": as_json([play(n)], bom=n % 2 == 0) for n in range(4)}
    assert [item.song.title for item in read(zipped(files))] == [f"Title {n}" for n in range(4)]


@pytest.mark.parametrize("name", [AUDIO, "endsong_0.json", "folder/endsong_1.json"])
def test_a_single_file_needs_no_archive(name):
    assert len(read(as_json([play(1)], bom=True), name)) == 1


def test_the_account_data_package():
    files = {
        "Spotify Account Data/StreamingHistory_music_0.json": as_json([account_play(1)]),
        "Spotify Account Data/StreamingHistory1.json": as_json([account_play(2)]),
        "Spotify Account Data/YourLibrary.json": as_json(library(3)),
        "Spotify Account Data/Playlist1.json": as_json(playlists(one=[4], two=[4, 5])),
        "Spotify Account Data/Identity.json": as_json({"name": "secretname"}),
    }
    found = read(zipped(files))
    plays = [item for item in found if isinstance(item, Listen)]
    assert [(one.song.title, one.at.second, one.to_the_minute) for one in plays] == [
        ("Title 1", 0, True),
        ("Title 2", 0, True),
    ]
    assert all(one.song.spotify_id is None and not one.ended for one in plays)
    kept = [item for item in found if isinstance(item, Kept)]
    assert [(one.song.spotify_id, one.kind) for one in kept] == [
        (identity(3), Kind.SAVED),
        *((identity(n), Kind.PLAYLIST) for n in (4, 4, 5)),
    ]
    assert len({one.listing for one in kept}) == 3
    assert not any("one" in one.listing or "two" in one.listing for one in kept[1:])  # a name is its member's own
    assert kept[1].at == datetime(2023, 5, 6, tzinfo=UTC)
    assert [item for item in found if isinstance(item, Skip)] == [Skip.NOT_MUSIC, Skip.NAMELESS] * 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (episode(), Skip.NOT_MUSIC),
        (play() | {"spotify_track_uri": None, "master_metadata_track_name": None}, Skip.NAMELESS),
        (play() | {"master_metadata_track_name": None}, Skip.NAMELESS),
        (play(ts="yesterday"), Skip.UNREADABLE),
        (play(ts=None), Skip.UNREADABLE),
        (play(ts="0001-01-01T00:00:00Z"), Skip.UNREADABLE),
        (play(ts="9999-12-31T23:59:59-23:59"), Skip.UNREADABLE),
        (play(ms_played=-1), Skip.UNREADABLE),
        (play(ms_played="187000"), Skip.UNREADABLE),
        (play(ms_played=2**40), Skip.UNREADABLE),
        (play(ms_played=True), Skip.UNREADABLE),
        ([], Skip.UNREADABLE),
        (None, Skip.UNREADABLE),
        ("play", Skip.UNREADABLE),
        ({}, Skip.NAMELESS),
    ],
)
def test_rows_that_are_no_plays(row, expected):
    assert read(as_json([row]), AUDIO) == [expected]


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"ms_played": 4000, "reason_end": "fwdbtn"}, Skip.SHORT),
        ({"ms_played": 0, "reason_end": None}, Skip.SHORT),
        ({"ms_played": 29_999, "reason_end": "fwdbtn"}, Skip.SHORT),
        ({"ms_played": 30_000, "reason_end": "fwdbtn", "skipped": True}, None),
        ({"ms_played": 12_000, "reason_end": "trackdone"}, None),
        ({"incognito_mode": True}, Skip.PRIVATE),
        ({"incognito_mode": None, "offline_timestamp": None}, None),
    ],
)
def test_which_plays_count(changes, left_out):
    [listen] = read(as_json([play() | changes]), AUDIO)
    assert listen.left_out() is left_out


def test_a_track_without_an_id_goes_by_its_names():
    [listen] = read(as_json([play() | {"spotify_track_uri": "spotify:local:a:b:c:100"}]), AUDIO)
    assert (listen.song.title, listen.song.spotify_id) == ("Title 1", None)


def test_texts_are_made_fit_for_a_database():
    changes = {"master_metadata_track_name": "A\x00 \n\ud800b" + "x" * 9999, "master_metadata_album_album_name": 7}
    [listen] = read(as_json([play() | changes]), AUDIO)
    listen.song.title.encode()
    assert "\0" not in listen.song.title
    assert len(listen.song.title) == 500
    assert listen.song.album is None


WHOLE = extended(play(1), play(2))
STORED = zipped({f"x/{AUDIO}": as_json([play(1)]), "x/endsong_9.json": as_json([play(2)])}, zipfile.ZIP_STORED)
ROWS = as_json([play(1), play(2)])
DAMAGED = {
    "an empty file": (b"", "x.zip", "is empty"),
    "an empty archive": (zipped({}), "x.zip", "not an export"),
    "a cut archive": (WHOLE[: len(WHOLE) // 2], "x.zip", "cut short or damaged"),
    "an archive without its first half": (WHOLE[len(WHOLE) // 2 :], "x.zip", "not a ZIP"),
    "an encrypted archive": (encrypted(WHOLE), "x.zip", "encrypted"),
    "a wrong checksum in the second part": (with_flipped_data(STORED, "endsong_9.json"), "x.zip", "is damaged"),
    "bzip2": (zipped({AUDIO: ROWS}, zipfile.ZIP_BZIP2), "x.zip", "unusual way"),
    "a path upwards": (zipped({f"../../{AUDIO}": ROWS}), "x.zip", "outside"),
    "a path upwards beside a good one": (zipped({AUDIO: ROWS, "..\\x": b""}), "x.zip", "outside"),
    "an absolute path": (zipped({f"/etc/{AUDIO}": ROWS}), "x.zip", "outside"),
    "a drive": (zipped({f"C:\\{AUDIO}": ROWS}), "x.zip", "outside"),
    "the wrong package": (zipped({"Spotify Account Data/Payments.json": b"{}"}), "x.zip", "without any of the files"),
    "another archive": (zipped({"holiday.jpg": b"x"}), "x.zip", "not an export"),
    "a list of 60,000 files": (with_long_directory(WHOLE, 60_000, 100), "x.zip", "far more files"),
    "a list of 3 GB": (with_long_directory(WHOLE, 2, 3_000_000_000), "x.zip", "far more files"),
    "a RAR": (b"Rar!\x1a\x07\x00" + b"x" * 99, "x.rar", "another way than ZIP"),
    "a text named like a ZIP": (b"hello world", "x.zip", "not a ZIP"),
    "a JSON file of another name": (ROWS, "playlist-export.jsn", "not one of the files"),
    "an empty part": (b"", AUDIO, "is empty"),
    "spaces": (b" \n" * 200, AUDIO, "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", AUDIO, "is empty"),
    "cut JSON": (ROWS[:-40], AUDIO, "ends in the middle or is damaged"),
    "cut between two rows": (ROWS[: ROWS.index(b"},\n  {") + 2], AUDIO, "ends in the middle"),
    "something after the end": (ROWS + b"]", AUDIO, "damaged"),
    "two documents": (ROWS + ROWS, AUDIO, "damaged"),
    "an object": (as_json({"rows": [play(1)]}), AUDIO, "not built like"),
    "a page of HTML": (b"<!doctype html><p>Sign in", AUDIO, "not built like"),
    "UTF-16": ("[]".encode("utf-16"), AUDIO, "not built like"),
    "a byte that is no UTF-8": (ROWS.replace(b"Title 1", b"Tit\xffe 1"), AUDIO, "damaged"),
    "endless digits": (b'[{"ms_played": ' + b"9" * 9000 + b"}]", AUDIO, "damaged"),
    "NaN": (b'[{"ms_played": NaN}]', AUDIO, "damaged"),
    "a library that is a list": (ROWS, "YourLibrary.json", "not built like"),
    "a cut library": (as_json(library(1, 2))[:-30], "YourLibrary.json", "ends in the middle"),
    "cut playlists": (as_json(playlists(a=[1]))[:-30], "Playlist1.json", "ends in the middle"),
    "cut account plays": (as_json([account_play()])[:-3], "StreamingHistory_music_0.json", "ends in the middle"),
    "a deep library": (b'{"tracks": [' + b"[" * 400 + b"]" * 400 + b"]}", "YourLibrary.json", "another way"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_refused_in_a_sentence(case):
    content, name, words = DAMAGED[case]
    assert words in refusal(content, name)


BOMBS = {
    "one play of endless text": (b'[{"ts": "' + b"x" * 9_000_000 + b'"}]', AUDIO),
    "endless depth": (b"[" * 9_000_000, AUDIO),
    "endless depth under long names": (b"[" + (b'{"' + b"k" * 2_000 + b'":') * 4_000, AUDIO),
    "endless spaces": (b" " * 9_000_000, AUDIO),
    "endless spaces inside": (b"[" + b" " * 9_000_000 + b"]", AUDIO),
    "endless depth in a library": (b'{"tracks":' * 900_000, "YourLibrary.json"),
    "endless depth in a saved track": (b'{"tracks":' + b"[" * 9_000_000, "YourLibrary.json"),
    "one saved track of endless text": (b'{"tracks":[{"uri":"' + b"x" * 9_000_000 + b'"}]}', "YourLibrary.json"),
    "one saved track of endless parts": (b'{"tracks":[[' + b"1," * 3_000_000 + b"1]]}", "YourLibrary.json"),
    "one endless key": (b'{"' + b"k" * 9_000_000 + b'": 1}', "Playlist1.json"),
    "an endless playlist's name": (b'{"playlists":[{"name":"' + b"x" * 9_000_000 + b'"}]}', "Playlist1.json"),
}


@pytest.mark.parametrize("case", BOMBS)
@pytest.mark.parametrize("packed", [True, False])
def test_bombs_go_off_in_little_memory(case, packed):
    content, name = BOMBS[case]
    file, name = (zipped({name: content}), "x.zip") if packed else (content, name)
    with at_most(40):
        refusal(file, name)


def test_an_archive_that_unpacks_to_far_too_much(monkeypatch):
    monkeypatch.setattr(archive, "TOTAL_LIMIT", 3_000_000)
    rows = b"[" + b",".join([json.dumps(play(1)).encode()] * 2_000) + b"]"
    files = {f"endsong_{n}.json": rows for n in range(4)}
    assert len(zipped(files)) < 100_000
    with at_most(10):
        assert "far more than an export" in refusal(zipped(files))
    monkeypatch.setattr(archive, "PART_LIMIT", 1_000_000)
    assert "far more than an export" in refusal(rows, AUDIO)


def test_memory_does_not_grow_with_the_file():
    rows = io.BytesIO(b"[" + b",".join([json.dumps(play(1)).encode()] * 6_000) + b"]")
    with at_most(3):
        assert sum(1 for part in parts(rows, AUDIO) for _ in part.items) == 6_000


def test_a_long_library_is_no_bomb():
    songs = library(*range(3_000)) | {"albums": [{"album": "x" * 50}] * 20_000}
    assert len(songs["albums"]) * 50 > ELEMENT_LIMIT
    assert len(read(as_json(songs), "YourLibrary.json")) == 3_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = [AUDIO, "StreamingHistory_music_0.json", "YourLibrary.json", "Playlist1.json"]
KEYS = sorted({*play(), *account_play(), *library(1), *library(1)["tracks"][0], "playlists", "items", "name", "track",
               "trackUri", "trackName", "artistName", "addedDate"})  # fmt: skip
rows_like = st.dictionaries(st.sampled_from(KEYS), json_values | st.just("spotify:track:" + "a" * 22), max_size=9)


def no_more_than_a_refusal(content, name):
    """Whatever comes: items of the four kinds, or one sentence."""
    with suppress(FileRefusedError):
        assert all(isinstance(one, Listen | Kept | Skip) for one in read(content, name))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.one_of(json_values, st.lists(rows_like, max_size=4), rows_like,
       st.fixed_dictionaries({"tracks": st.lists(rows_like, max_size=3)}),
       st.fixed_dictionaries({"playlists": st.lists(rows_like | st.fixed_dictionaries(
           {"name": json_values, "items": st.lists(rows_like, max_size=3)}), max_size=3)})))  # fmt: skip
def test_any_json_is_read_or_refused(name, document):
    no_more_than_a_refusal(json.dumps(document).encode(), name)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_any_damage_is_read_or_refused(name, data):
    document = {AUDIO: [play(1), episode()], NAMES[1]: [account_play(1)], NAMES[2]: library(1, 2), NAMES[3]:
                playlists(a=[1], b=[2])}[name]  # fmt: skip
    content = zipped({f"a/{name}": as_json(document)}) if (packed := data.draw(st.booleans())) else as_json(document)
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        what = data.draw(st.sampled_from(["cut", "flip", "drop", "repeat"]))
        if what == "cut":
            del damaged[at + 1 :]
        elif what == "flip":
            damaged[at] ^= data.draw(st.integers(1, 255))
        elif what == "drop" and len(damaged) > 1:
            del damaged[at]
        else:
            damaged[at:at] = damaged[max(0, at - 20) : at]
    no_more_than_a_refusal(bytes(damaged), "x.zip" if packed else name)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["x.zip", *NAMES, "x"]))
def test_any_bytes_are_read_or_refused(content, name):
    no_more_than_a_refusal(content, name)


@pytest.mark.parametrize(
    ("name", "form"),
    [("StreamingHistory0.json", Form.ACCOUNT_PLAYS), ("StreamingHistory_music_11.json", Form.ACCOUNT_PLAYS),
     ("streaminghistory_music_0 (2).json", Form.ACCOUNT_PLAYS), ("YOURLIBRARY.JSON", Form.LIBRARY),
     ("Playlist1.json", Form.PLAYLISTS), ("Playlist12 (1).json", Form.PLAYLISTS), ("endsong.json", Form.EXTENDED),
     ("StreamingHistory_audiobook_0.json", None), ("Streaming_History_Audio_2019.json.txt", None)],
)  # fmt: skip
def test_names_of_files(name, form):
    assert Form.of(name) is form


def test_a_spool_gives_back_what_was_put_in(tmp_path):
    items: list[Listen | Kept] = [
        Listen(Song(f"Títle {n}", "Artist", "id" if n % 2 else None, None, "Album"), BEGAN, n, n % 3 == 0, n % 5 == 0,
               (None, True, False)[n % 3], n % 7 == 0)
        for n in range(BATCH + 5)
    ]  # fmt: skip
    items.append(Kept(Song("t", "a", None, "USABC1234567"), Kind.SAVED, "saved"))
    items.append(Kept(Song("t", "a"), Kind.LIKED, "x", BEGAN))
    with Spool(tmp_path) as spool:
        for item in items:
            spool.add(item)
        batches = list(spool.batches())
        assert spool.size == len(items)
        assert [len(batch) for batch in batches] == [BATCH, 7]
        assert [item for batch in batches for item in batch] == items
        assert list(tmp_path.iterdir()) == []  # it has no name
