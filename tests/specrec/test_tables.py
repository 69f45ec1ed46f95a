"""Readers of files: what they take, what they refuse and in which words, and that nothing else ever comes out."""

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime
from io import StringIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specrec.errors import TableError
from specrec.features import AUDIO_FEATURES, FEATURES
from specrec.interactions import Interaction, Kind
from specrec.table import _PADDED, ORIGINAL_COLUMNS, ORIGINAL_KINDS, _is_padded
from specrec.tables import read_interactions, read_tracks, read_users

NINE = "0.1,0.2,0.3,0.4,0.5,-6.5,0.7,0.8,120"
ORIGINAL = (
    f"ann,007,Song One,Band A,{NINE},True,False,False,False\n"
    f"ann,008,Song Two,Band B; Band C,{NINE},True,True,False,True\n"
    f"ben,007,Song One,Band A,{NINE},False,False,False,False\n"
)


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def records(path):
    interactions = read_interactions(path).interactions
    return [record for user in interactions.users for record in interactions.of_user(user)]


def test_general_form(file):
    path = file("track_id,user_id,kind,weight,timestamp,other\n007,01,saved,3,2024-05-01T10:00:00Z,x\n8,01,,,,\n")
    first, second = records(path)
    assert (first.user_id, first.track_id, first.kind, first.weight) == ("01", "007", Kind.SAVED, 3.0)
    assert first.timestamp == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert (second.track_id, second.kind, second.weight, second.timestamp) == ("8", Kind.INTERACTION, 1.0, None)


def test_timestamps_may_be_seconds(file):
    assert records(file("user_id,track_id,timestamp\na,b,86400\n"))[0].timestamp == datetime(1970, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("header", ["", ",".join(ORIGINAL_COLUMNS) + "\n", ",".join("abcdefghijklmnopq") + "\n"])
def test_original_form_with_and_without_header(file, header):
    path = file(header + ORIGINAL)
    kinds = {(record.user_id, record.track_id, record.kind) for record in records(path)}
    assert kinds == {
        ("ann", "007", Kind.PLAYLIST),
        ("ann", "008", Kind.PLAYLIST),
        ("ann", "008", Kind.SAVED),
        ("ann", "008", Kind.FOLLOWED_ARTIST),
        ("ben", "007", Kind.INTERACTION),
    }
    tracks = read_interactions(path).tracks
    assert tracks is not None
    assert tracks.track(1).title == "Song Two"
    assert tracks.track(1).artists == ("Band B", "Band C")
    assert tracks.features[0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, -6.5, 0.7, 0.8, 120])
    assert read_tracks(path).ids.ids == tracks.ids.ids


def test_a_header_that_names_its_columns_is_believed(file):
    """Seventeen columns that look like the original's, in an order of their own: read by name."""
    names = list(ORIGINAL_COLUMNS)
    names[0], names[1] = names[1], names[0]
    path = file(",".join(names) + "\n" + ORIGINAL)
    assert {(record.user_id, record.track_id) for record in records(path)} == {
        ("007", "ann"),
        ("008", "ann"),
        ("007", "ben"),
    }
    assert read_tracks(path).ids.ids == ("ann", "ben")


def test_tracks_with_gaps(file):
    tracks = read_tracks(file("track_id,energy,name\n1,,One\n2,0.5,\n"))
    assert np.isnan(tracks.features[0]).all()
    assert tracks.features[1][FEATURES.index("energy")] == 0.5
    assert tracks.titles == ["One", ""]


def test_users_once_each_and_in_order(file):
    assert read_users(file("user_id\n02\n1\n02\n")) == ["02", "1"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfuser_id,track_id\na,1\nb,2\n",
        b"\n\nuser_id,track_id\r\n\r\na,1\r\n\r\nb,2\r\n",
        b"user_id,track_id\ra,1\rb,2\r",
        b' user_id , TRACK_ID \na, 1 \nb,2\na,1\n"a","1"\n',
        gzip.compress(b"user_id,track_id\na,1\nb,2\n", mtime=0),
    ],
    ids=["BOM", "blank lines and CRLF", "CR", "blanks, case, quotes and equal rows", "gzip"],
)
def test_harmless_oddities(file, content):
    assert [(record.user_id, record.track_id) for record in records(file(content))] == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("\x0b", "is empty"),
        ('"",""\n,\n', "is empty"),
        ("user_id,track_id\n", "holds no rows"),
        ("user_id,song\na,1\n", "line 1: the column track_id is missing"),
        ("\n\n\nuser_id,song\na,1\n", "line 4: the column track_id is missing"),
        ("user_id,track_id,user_id\na,1,b\n", "user_id stands there twice"),
        ("user_id,track_id\na,1\n,2\n", "line 3, column user_id: expected an id, found an empty cell"),
        (
            "user_id,track_id,weight\na,1,2\n\na,2,many\n",
            "line 4, column weight: expected a number above 0, found 'many'",
        ),
        ("user_id,track_id,weight\na,1,0\n", "line 2, column weight"),
        ("user_id,track_id,weight\na,1,inf\n", "line 2, column weight"),
        ("user_id,track_id,weight\na,1,nan\n", "line 2, column weight"),
        ("user_id,track_id,kind\na,1,hated\n", "line 2, column kind: expected one of playlist, saved"),
        ("user_id,track_id,timestamp\na,1,yesterday\n", "line 2, column timestamp: expected an ISO 8601 date"),
        ('user_id,track_id,kind\na,"x\ny",saved\nb,1,no\n', "line 4, column kind"),
        ("user_id,track_id\na,1\nb,2,3\n", "line 3: expected 2 columns, found 3"),
        ("user_id,track_id,weight\na,1,1\nb,2\n", "line 3: expected 3 columns, found 2"),
        ('user_id,track_id,weight\na,"1\n2",\nb\nc,3,1\n', "line 4: expected 3 columns, found 1"),
        ('user_id,track_id\na,1\n"b,2\n', "line 3: expected a closing quotation mark"),
        (b"user_id,track_id\na,1\nb,\xff\n", "line 3: expected UTF-8 text, found the byte 0xff"),
        ("user_id,track_id\na,1\0\n", "line 2: expected UTF-8 text, found a zero byte"),
        (gzip.compress(b"user_id,track_id\na,1\n", mtime=0)[:-9], "damaged gzip"),
        (ORIGINAL.replace("0.3", "loud", 1), "line 1, column energy: expected a number from 0 to 1"),
        (ORIGINAL[: ORIGINAL.rindex(",False,False")], "line 3: expected 17 columns, found 15"),
        (ORIGINAL + ORIGINAL.replace("True", "yes"), "line 4, column playlist: expected True or False, found 'yes'"),
    ],
)
def test_refusals_name_line_column_and_expectation(file, content, words):
    path = file(content)
    with pytest.raises(TableError) as refused:
        read_interactions(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "column"), [("1.5", "energy"), ("-0.1", "valence"), ("900", "tempo"), ("-500", "loudness")]
)
def test_features_out_of_range_are_refused(file, cell, column):
    with pytest.raises(TableError, match=f"line 2, column {column}: expected a number from"):
        read_tracks(file(f"track_id,{column}\n1,{cell}\n"))


def test_a_missing_file_and_a_false_gzip(file, tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_interactions(tmp_path / "none.csv")
    with pytest.raises(TableError, match="not a gzip file"):
        read_interactions(file("user_id,track_id\na,1\n", "table.csv.gz"))
    with pytest.raises(TableError, match="cannot be read"):
        read_interactions(tmp_path)


def read_or_refuse(read, path):
    """(table, None), or (None, the refusal's words); any other exception fails the test."""
    try:
        return read(path), None
    except TableError as refused:
        return None, str(refused)


VALID = ("user_id,track_id,kind,weight,timestamp\nann,1,saved,2,2024-01-01\nben,2,,3.5,1700000000\n", ORIGINAL)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    valid=st.sampled_from(VALID),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 4),
            st.sampled_from(['"', ",", "\n", "\r", "\0", "é", "\t", "9", "", ";", "e", "-", "\ud7ff"]),
        ),
        min_size=1,
        max_size=4,
    ),
    tail=st.binary(max_size=4),
)
def test_any_damage_is_read_or_refused_and_nothing_else(tmp_path, valid, edits, tail):
    for place, removed, added in edits:
        at = int(place * len(valid))
        valid = valid[:at] + added + valid[at + removed :]
    path = tmp_path / "damaged.csv"
    path.write_bytes(valid.encode() + tail)
    for read in (read_interactions, read_tracks, read_users):
        table, refusal = read_or_refuse(read, path)
        if table is None:
            assert refusal.startswith(str(path))
            assert "\n" not in refusal
        elif read is read_interactions:
            assert len(table.interactions)
            assert (table.interactions.weights > 0).all()
            assert "" not in table.interactions.users
            assert "" not in table.interactions.tracks


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    path = tmp_path / "bytes.csv"
    path.write_bytes(content)
    with pytest.raises(TableError):
        read_interactions(path)


TEXT = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), min_size=1, max_size=12)
ID = st.one_of(
    TEXT.map(str.strip).filter(bool),
    st.sampled_from(["007", "7", "NA", "null", "nan", "1e5", "True", "-0", "user_id", '"', ",", "x\ny"]),
)
INTERACTION = st.builds(
    Interaction,
    ID,
    ID,
    st.sampled_from(Kind),
    st.one_of(st.integers(1, 10**6).map(float), st.floats(1e-3, 1e6)),
    st.none() | st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


def as_file(path, header, rows, *, packed=False, bom=False, ends="\n"):
    text = StringIO()
    csv.writer(text, lineterminator=ends).writerows([header, *rows] if header else rows)
    content = b"\xef\xbb\xbf" * bom + text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(INTERACTION, min_size=1, max_size=8),
    st.permutations(["user_id", "track_id", "kind", "weight", "timestamp"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_interactions_come_back_as_they_were_written(tmp_path, written, columns, packed, bom, ends):
    rows = [
        [
            {"timestamp": row.timestamp.isoformat() if row.timestamp else ""}.get(name, getattr(row, name))
            for name in columns
        ]
        for row in written
    ]
    path = as_file(tmp_path / "written", columns, rows, packed=packed, bom=bom, ends=ends)
    assert Counter(records(path)) == Counter(set(written))  # equal rows count once


def features():
    ranges = (st.floats(feature.low, feature.high, width=32) for feature in AUDIO_FEATURES)
    return st.tuples(*(st.none() | numbers for numbers in ranges))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            ID,
            TEXT.map(str.strip),
            st.lists(TEXT.map(lambda name: name.replace(";", "").strip()).filter(bool), max_size=3, unique=True),
            features(),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda track: track[0],
    )
)
def test_tracks_come_back_as_they_were_written(tmp_path, written):
    rows = [
        [id_, name, "; ".join(artists), *("" if value is None else value for value in nine)]
        for id_, name, artists, nine in written
    ]
    tracks = read_tracks(as_file(tmp_path / "tracks.csv", ["track_id", "name", "artist", *FEATURES], rows))
    assert tracks.ids.ids == tuple(sorted(id_ for id_, *_ in written))
    for id_, name, artists, nine in written:
        track = tracks.track(tracks.ids.row(id_))
        assert (track.title, track.artists) == (name, tuple(artists))
        np.testing.assert_array_equal(track.features, np.array(nine, dtype=np.float32))  # None is NaN


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(st.tuples(ID, ID, *[st.booleans()] * 4), min_size=1, max_size=6))
def test_the_original_form_comes_back_as_it_was_written(tmp_path, has_header, written):
    rows = [[user, track, "", "", *NINE.split(","), *happened] for user, track, *happened in written]
    path = as_file(tmp_path / "original.csv", ORIGINAL_COLUMNS if has_header else None, rows)
    expected = {
        (user, track, kind)
        for user, track, *happened in written
        for kind, did in zip([*ORIGINAL_KINDS, Kind.INTERACTION], [*happened, not any(happened)], strict=True)
        if did
    }
    assert sorted((row.user_id, row.track_id, row.kind) for row in records(path)) == sorted(expected)


PACKED = gzip.compress(VALID[0].encode(), mtime=0)


def test_a_gzip_file_cut_off_anywhere_is_refused(file):
    for length in range(2, len(PACKED)):
        with pytest.raises(TableError, match="damaged gzip file"):
            read_interactions(file(PACKED[:length]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_gzip_file_with_a_wrong_byte_is_refused_or_makes_no_difference(tmp_path, place, change):
    """No difference: its date, its operating system, the unused bits before its checksum."""
    path = tmp_path / "flipped.csv.gz"
    path.write_bytes(PACKED[:place] + bytes([PACKED[place] ^ change]) + PACKED[place + 1 :])
    table, refusal = read_or_refuse(read_interactions, path)
    if table is None:
        assert "gzip file" in refusal
    else:
        assert [(row.user_id, row.track_id, row.weight) for row in records(path)] == [
            ("ann", "1", 2.0),
            ("ben", "2", 3.5),
        ]


def test_a_file_cut_off_is_read_only_where_its_rows_are_whole(file):
    for length in range(1, len(ORIGINAL)):
        rows = list(csv.reader(ORIGINAL[:length].splitlines()))
        path = file(ORIGINAL[:length])
        table, refusal = read_or_refuse(read_interactions, path)
        is_whole = len(rows[-1]) == 17 and rows[-1][-1] in ("True", "False")
        assert (refusal is None) == is_whole, refusal
        if table is not None:
            assert {(row.user_id, row.track_id) for row in records(path)} == {(row[0], row[1]) for row in rows}


@given(st.lists(st.sampled_from(["a", ",", '"', "\n", " ", "\t", "\u00a0"]), max_size=8).map("".join))
def test_spaces_around_cells_are_found_whichever_way_they_are_looked_for(body):
    assert _is_padded(body) == (_PADDED.search(body) is not None)
