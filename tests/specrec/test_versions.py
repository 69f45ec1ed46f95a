"""Versions on disk: what is written comes back, what is not whole or not ours is refused, and a kill leaves no half."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specrec.catalogue import Catalogue, Track
from specrec.checkpoint import active_version, open_version, publish, versions, write_version
from specrec.errors import CheckpointError
from specrec.serving import ServedModel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARRAYS, METADATA = "model.safetensors", "version.json"


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    """A version on disk, to be copied before anything is done to it."""
    return write_version(
        tmp_path_factory.mktemp("models"), trained.model.catalogue, trained.model.arrays, trained.report, NOW
    )


@pytest.fixture
def version(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / written.name))


def refusal(path):
    with pytest.raises(CheckpointError) as refused:
        open_version(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def edit(path, **changes):
    metadata = json.loads((path / METADATA).read_text())
    (path / METADATA).write_text(json.dumps({**metadata, **changes}))


def test_what_was_written_comes_back(trained, written):
    opened = open_version(written)
    assert opened.name == written.name == f"20260301T120000Z-{written.name[-8:]}"
    assert opened.report == json.loads(json.dumps(trained.report))
    for name, array in trained.model.arrays.items():
        np.testing.assert_array_equal(opened.arrays[name], array)
        assert opened.arrays[name].dtype == array.dtype
    catalogue = trained.model.catalogue
    assert [opened.catalogue.track(row) for row in range(len(catalogue))] == [
        catalogue.track(row) for row in range(len(catalogue))
    ]
    np.testing.assert_array_equal(opened.catalogue.features, catalogue.features)


def test_any_text_comes_back(trained, tmp_path):
    """Titles and artists in every script; the arrays are those of as many other tracks."""
    names = ["Ærøskøbing", "東京", "🎵" * 3, "", "a\nb", "0"]
    count = len(trained.model.catalogue)
    tracks = [Track(f"{i:04}", names[i % 6], (names[(i + 1) % 6] or "x",)) for i in range(count)]
    catalogue = Catalogue.from_tracks(tracks)
    opened = open_version(write_version(tmp_path, catalogue, trained.model.arrays, {}, NOW))
    assert [opened.catalogue.track(row) for row in range(count)] == tracks
    assert opened.catalogue.titles[1:4] == names[1:4]


def test_arrays_are_mapped_and_cannot_be_changed(written):
    for array in open_version(written).arrays.values():
        assert not array.flags.writeable
        assert not array.flags.owndata


def test_a_version_holds_no_member(written, community):
    everything = b"".join(file.read_bytes() for file in written.iterdir())
    assert b"track-0-01" in everything
    assert not any(row.user_id.encode() in everything for row in community.interactions)


def test_nothing_in_a_version_is_pickled(written):
    assert sorted(file.name for file in written.iterdir()) == [ARRAYS, METADATA]
    json.loads((written / METADATA).read_text())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([ARRAYS, METADATA]), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_makes_no_difference(written, tmp_path, file, place, change):
    """No difference: a blank of the JSON that became another blank."""
    path = tmp_path / "flipped"
    shutil.copytree(written, path, dirs_exist_ok=True)
    content = bytearray((path / file).read_bytes())
    content[int(place * len(content))] ^= change
    (path / file).write_bytes(content)
    try:
        report = open_version(path).report
    except CheckpointError as refused:
        words = str(refused)
    else:
        words = f"{path}, unharmed"
        assert file == METADATA
        assert report == open_version(written).report
    assert words.startswith(str(path))
    assert "\n" not in words


@pytest.mark.parametrize("file", [ARRAYS, METADATA])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(version, file, share):
    content = (version / file).read_bytes()
    (version / file).write_bytes(content[: int(share * len(content))])
    assert "is damaged" in refusal(version)


@pytest.mark.parametrize("file", [ARRAYS, METADATA])
def test_a_missing_file_is_refused(version, file):
    (version / file).unlink()
    assert "cannot be read" in refusal(version)


def test_a_missing_version_is_refused(tmp_path):
    assert "is no model version" in refusal(tmp_path / "nothing")


def test_a_file_behind_the_arrays_is_refused(version):
    with (version / ARRAYS).open("ab") as file:
        file.write(b"x")
    assert "is damaged" in refusal(version)


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"format": "other", "format_number": 1}', '"specrec-model"'])
def test_a_foreign_version_is_refused(version, text):
    (version / METADATA).write_text(text)
    assert "is not a model of this program" in refusal(version)


def test_a_newer_format_is_refused(version):
    edit(version, format_number=99, sha256="of a kind that this version does not know")
    assert "written by a newer specrec (format 99" in refusal(version)


def test_an_older_format_is_refused(version):
    edit(version, format_number=1)
    assert "written by an older specrec (format 1): train again" in refusal(version)


@pytest.mark.parametrize("number", [0, -1, None, "1"])
def test_no_format_number_is_refused(version, number):
    edit(version, format_number=number)
    assert "has no format number" in refusal(version)


def test_other_audio_features_are_refused(version, monkeypatch):
    monkeypatch.setattr("specrec.checkpoint.FEATURES", ("energy", "loudness"))
    assert "trained on other audio features" in refusal(version)


def test_numbers_that_were_changed_by_hand_are_refused(version):
    edit(version, report={"ndcg_at_10": {"model": 1.0}})
    assert "is not as it was written" in refusal(version)


def test_the_arrays_of_another_version_are_refused(trained, version):
    other = write_version(
        version.parent,
        trained.model.catalogue,
        {**trained.model.arrays, "gates": -trained.model.arrays["gates"]},
        {},
        NOW,
    )
    (other / ARRAYS).replace(version / ARRAYS)
    assert f"{ARRAYS} is not the file that {METADATA} describes" in refusal(version)


def test_a_version_without_one_of_its_arrays_is_refused(trained, tmp_path):
    """Signed and whole, but not a model: another program's arrays, or an older network's."""
    for name in trained.model.arrays:
        arrays = {other: array for other, array in trained.model.arrays.items() if other != name}
        assert "is damaged" in refusal(write_version(tmp_path, trained.model.catalogue, arrays, {}, NOW)), name


def test_arrays_about_other_tracks_are_refused(trained, tmp_path):
    catalogue = Catalogue.from_tracks([Track("only one")])
    assert "not about the same tracks" in refusal(write_version(tmp_path, catalogue, trained.model.arrays, {}, NOW))


def test_later_versions_may_bring_more_arrays(trained, tmp_path):
    arrays = {**trained.model.arrays, "neighbours.indices": np.arange(5, dtype=np.int32)}
    opened = open_version(write_version(tmp_path, trained.model.catalogue, arrays, {}, NOW))
    assert opened.arrays["neighbours.indices"].tolist() == [0, 1, 2, 3, 4]


def test_a_report_that_is_no_json_leaves_nothing_behind(trained, tmp_path):
    with pytest.raises(ValueError):
        write_version(tmp_path, trained.model.catalogue, trained.model.arrays, {"loss": float("nan")}, NOW)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_five_are_kept(trained, tmp_path):
    made = []
    for minute in range(7):
        made.append(
            write_version(tmp_path, trained.model.catalogue, trained.model.arrays, {}, NOW + timedelta(minutes=minute))
        )
        publish(made[-1])
        assert active_version(tmp_path) == made[-1]
    assert versions(tmp_path) == made[:1:-1]
    # The oldest is made the active one again: it stays when the next is written, as long as it is active.
    publish(made[2])
    assert active_version(tmp_path) == made[2]
    assert versions(tmp_path) == made[:1:-1]
    oldest = write_version(tmp_path, trained.model.catalogue, trained.model.arrays, {}, NOW - timedelta(days=1))
    publish(oldest)
    assert active_version(tmp_path) == oldest
    assert sorted(versions(tmp_path)) == [oldest, *made[2:]]
    publish(made[6])
    assert sorted(versions(tmp_path)) == made[2:]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["active", *(path.name for path in made[2:])])


def test_the_same_version_twice_is_one(trained, tmp_path):
    first = write_version(tmp_path, trained.model.catalogue, trained.model.arrays, {"try": 1}, NOW)
    second = write_version(tmp_path, trained.model.catalogue, trained.model.arrays, {"try": 2}, NOW)
    assert first == second
    assert versions(tmp_path) == [second]
    assert open_version(second).report == {"try": 2}


@pytest.mark.parametrize("pointer", [None, b"", b"\n", b"../models", b"/", b".", b"..", b"gone", b"\xff\xfe"])
def test_a_pointer_to_nothing_is_refused(tmp_path, pointer):
    if pointer is not None:
        (tmp_path / "active").write_bytes(pointer)
    with pytest.raises(CheckpointError, match="train"):
        active_version(tmp_path)


# Kills itself at the n-th time that Python touches a file; a fork for each n, until one gets through.
KILLED_EVERYWHERE = """
import os, shutil, signal, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from specrec.checkpoint import active_version, open_version, publish, write_version

EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree", "tempfile.mkdtemp"}
start, places = Path(sys.argv[1]), Path(sys.argv[2])
count = 0
for limit in range(200):
    place = places / f"{limit:03}"
    shutil.copytree(start, place)
    child = os.fork()
    if not child:
        live = open_version(active_version(place))

        def watch(event, arguments):
            global count
            if event in EVENTS:
                if count == limit:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1

        sys.addaudithook(watch)
        now = datetime(2027, 1, 1, tzinfo=timezone.utc)
        publish(write_version(place, live.catalogue, live.arrays, {"new": True}, now), keep=2)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


def test_a_kill_at_any_moment_leaves_whole_versions_only(trained, tmp_path):
    start, places = tmp_path / "start", tmp_path / "places"
    places.mkdir()
    for hour in range(3):  # two of which go when the next is published
        old = write_version(
            start, trained.model.catalogue, trained.model.arrays, {"new": False}, NOW + timedelta(hours=hour)
        )
    publish(old)
    subprocess.run([sys.executable, "-c", KILLED_EVERYWHERE, start, places], check=True, timeout=60)
    outcomes = []
    for place in sorted(places.iterdir()):
        live = open_version(active_version(place))
        outcomes.append(live.report["new"])
        ServedModel(live)
        for version in versions(place):
            assert open_version(version).report["new"] == (version.name > old.name)
        publish(place / live.name, keep=1)  # clears away what the dead have left half removed
        assert not list(place.glob(".removing-*"))
    assert len(outcomes) > 10
    assert outcomes == sorted(outcomes)  # the old one up to one moment, the new one from there on
    assert outcomes[0] is False
    assert outcomes[-1] is True
