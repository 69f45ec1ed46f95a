"""specrec train and recommend as they are typed: what comes out, and in which words everything else is refused."""

import csv
import gzip
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from specrec.catalogue import Catalogue
from specrec.checkpoint import active_version, publish, versions, write_version
from specrec.cli import main
from specrec.features import FEATURES
from specrec.interactions import Interactions
from specrec.serving import ServedModel
from specrec.training import TrainingOptions, train
from tests.specrec.conftest import QUICK, genre_of

COLUMNS = ["user_id", "rank", "track_id", "match", "known", "reason"]


def write(path, header, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


class Place:
    """Files of the community, and the directory of the model that is trained on them."""

    def __init__(self, directory, community):
        self.directory = directory
        self.interactions = write(
            directory / "interactions.csv",
            ["user_id", "track_id", "kind", "weight"],
            [(row.user_id, row.track_id, row.kind, row.weight) for row in community.interactions],
        )
        self.tracks = write(
            directory / "tracks.csv.gz",
            ["track_id", "name", "artist", *FEATURES],
            [
                (
                    track.track_id,
                    track.title,
                    ";".join(track.artists),
                    *("" if np.isnan(value) else value for value in track.features),
                )
                for track in community.tracks
            ],
        )
        self.model = str(directory / "model")
        self.report = directory / "report.json"

    def recommend(self, *arguments):
        return run("recommend", "--model", self.model, "--history", self.interactions, *arguments)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def place(tmp_path_factory, community):
    return Place(tmp_path_factory.mktemp("cli"), community)


@pytest.fixture(scope="module", autouse=True)
def training(place):
    """What the training of the model that all tests here ask has said; its stderr is no terminal."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(
            [
                *("train", "--interactions", place.interactions, "--tracks", place.tracks),
                *("--model", place.model, "--seed", "7", "--device", "cpu", "--json", str(place.report)),
            ]
        )
    return Said(code, out.getvalue(), err.getvalue())


def lines(text):
    return list(csv.DictReader(io.StringIO(text)))


def run(*arguments):
    """The exit code, whether the command refuses or argparse does."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code


def refused(capsys, code, *words):
    """One sentence, at the end of stderr, with these words; nothing on stdout."""
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    sentence = err.strip().splitlines()[-1]
    assert sentence.startswith("specrec")
    for word in words:
        assert word in sentence
    return sentence


# train


def test_training_writes_an_active_version_and_a_report(training, place, community):
    assert training.code == 0, training.err
    report = json.loads(place.report.read_text())
    assert active_version(place.directory / "model").name == report["version"]
    assert (report["seed"], report["device"]) == (7, "cpu")
    assert (report["members"], report["tracks"], report["interactions"]) == (24, 160, len(community.interactions))
    assert (report["tracks_with_features"], report["tracks_with_artist"]) == (156, 160)
    assert sum(report["interactions_by_kind"].values()) == report["interactions"]
    assert report["ndcg_at_10"]["model"] > report["ndcg_at_10"]["popularity"]


def test_training_says_the_main_numbers(training, place):
    report = json.loads(place.report.read_text())
    said = training.out
    assert f"version {report['version']}: 24 members, 160 tracks, 432 interactions" in said
    assert f"held-out NDCG@10: {report['ndcg_at_10']['model']:.3f}" in said
    assert f"R² {report['compatibility_r2']:.3f}" in said


def test_without_a_terminal_progress_is_plain_lines(training):
    told = training.err.splitlines()
    shares = [int(line.split("%")[0]) for line in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 100
    assert 4 < len(told) < 60
    assert all(line.isprintable() for line in told)  # no bar, no colours, no carriage returns


def test_on_a_terminal_progress_is_a_bar(tmp_path):
    interactions = write(tmp_path / "i.csv", ["user_id", "track_id"], [("ann", "a"), ("ann", "b"), ("ben", "a")])
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "specrec.cli", "train"),
                *("--interactions", interactions, "--model", str(tmp_path / "model")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "OMP_NUM_THREADS": "1"},
        )
        os.close(terminal)
        shown = b""
        try:
            while part := screen.read(4096):
                shown += part
        except OSError:  # Linux's way of saying that nobody holds the other side any more
            pass
        assert process.wait(timeout=100) == 0
    assert "━" in shown.decode()
    assert "100%" in shown.decode()
    assert b"\r" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interactions", "none.csv"], "none.csv cannot be read: No such file"),
        (["--interactions", "bad.csv"], "bad.csv, line 3, column weight: expected a number above 0, found 'x'"),
        (
            ["--interactions", "good.csv", "--tracks", "loud.csv"],
            "loud.csv, line 2, column energy: expected a number from",
        ),
        (["--interactions", "disliked.csv"], "there is nothing to learn from"),
        (["--interactions", "good.csv", "--seed", "-1"], "expected a whole number from 0 on, found -1"),
        (["--interactions", "good.csv", "--seed", "ten"], "expected a whole number from 0 on, found ten"),
        (["--interactions", "good.csv", "--seed", str(2**64)], "expected a whole number below 2**63"),
        (["--interactions", "good.csv", "--device", "tpu"], "invalid choice: 'tpu'"),
        ([], "--interactions"),
    ],
)
def test_a_training_that_cannot_be_is_refused_and_leaves_nothing(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("user_id,track_id,weight\na,1,1\na,2,x\n")
    (tmp_path / "good.csv").write_text("user_id,track_id\na,1\n")
    (tmp_path / "disliked.csv").write_text("user_id,track_id,kind\na,1,disliked\n")
    (tmp_path / "loud.csv").write_text("track_id,energy\n1,2.5\n")
    refused(capsys, run("train", *arguments, "--model", "model"), words)
    assert not versions(tmp_path / "model")


# recommend


def test_a_list_as_csv(place, capsys, community):
    assert place.recommend("--user", "member-2-03") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == ",".join(COLUMNS)
    rows = lines(out)
    assert [row["user_id"] for row in rows] == ["member-2-03"] * 10
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, 11)]
    known = {row.track_id for row in community.interactions if row.user_id == "member-2-03"}
    for row in rows:
        assert row["known"] == str(row["track_id"] in known)
        assert 0 <= float(row["match"]) <= 1
        assert len(row["match"]) == len("0.1234")
        assert row["reason"]
    assert 1 <= sum(row["known"] == "True" for row in rows) <= 4


def test_places_for_tracks_that_nobody_has_are_marked(tmp_path, capsys, community):
    """Of each genre the artist 0 has tracks that no member has; a quick training, as if they had never come up."""
    unheard = [track.track_id for track in community.tracks if track.track_id.endswith(("-00", "-12", "-24", "-36"))]
    rows = [row for row in community.interactions if row.track_id not in unheard]
    trained = train(
        Interactions.from_records(rows),
        Catalogue.from_tracks(community.tracks),
        options=TrainingOptions(device="cpu", threads=1, schedule=QUICK),
    )
    publish(write_version(tmp_path / "m", trained.model.catalogue, trained.model.arrays, {}, datetime.now(UTC)))
    history = write(
        tmp_path / "history.csv",
        ["user_id", "track_id", "kind"],
        [(row.user_id, row.track_id, row.kind) for row in rows],
    )
    asked = ["recommend", "--model", str(tmp_path / "m"), "--history", history, "--user", "member-2-03", "--explore"]
    assert run(*asked, "2") == 0
    found = lines(capsys.readouterr().out)
    assert [row["rank"] for row in found] == [str(rank) for rank in range(1, 11)]
    assert [row["reason"].startswith("new to everybody here; ") for row in found] == [False] * 8 + [True] * 2
    for row in found[8:]:
        assert row["track_id"] in unheard
        assert genre_of(row["track_id"]) == 2
        assert (row["known"], len(row["reason"]) <= 120) == ("False", True)
    assert run(*asked, "0") == 0
    assert "new to everybody" not in capsys.readouterr().out
    refused(capsys, run(*asked, "-1"), "expected a whole number from 0 on, found -1")


def test_the_list_is_what_the_version_says(place, capsys, community):
    place.recommend("--user", "member-0-04", "--top", "20", "--kind", "new", "--per-artist", "1")
    rows = lines(capsys.readouterr().out)
    model = ServedModel.open(active_version(place.directory / "model"))
    expected = model.recommend(community.history("member-0-04"), top=20, kind="new", per_artist=1)
    assert [(row["track_id"], row["reason"]) for row in rows] == [(line.track_id, line.reason) for line in expected]
    assert [float(row["match"]) for row in rows] == pytest.approx([line.match for line in expected], abs=5e-5)


def test_everybody_in_the_history(place, capsys, community):
    assert place.recommend("--all", "--top", "3") == 0
    rows = lines(capsys.readouterr().out)
    users = sorted({row.user_id for row in community.interactions})
    assert [row["user_id"] for row in rows] == [user for user in users for _ in range(3)]


def test_some_from_a_file_and_the_missing_are_named(place, capsys, tmp_path):
    users = write(
        tmp_path / "users.csv", ["name", "user_id"], [("x", "member-3-00"), ("y", "0042"), ("z", "member-1-00")]
    )
    assert place.recommend("--users", users, "--top", "2") == 0
    out, err = capsys.readouterr()
    assert list(dict.fromkeys(row["user_id"] for row in lines(out))) == ["member-3-00", "member-1-00"]
    assert err.strip().endswith("holds nothing of theirs: 0042")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(("kind", "known"), [("new", {"False"}), ("familiar", {"True"})])
def test_kinds(place, capsys, kind, known):
    place.recommend("--user", "member-1-05", "--kind", kind)
    assert {row["known"] for row in lines(capsys.readouterr().out)} == known


def test_a_cap_per_artist(place, capsys, community):
    artist = {track.track_id: track.artists[0] for track in community.tracks}
    most = {}
    for cap in ("0", "1", "2"):
        place.recommend("--user", "member-1-05", "--top", "40", "--per-artist", cap)
        names = [artist[row["track_id"]] for row in lines(capsys.readouterr().out)]
        most[cap] = max(names.count(name) for name in names)
    assert most["1"] == 1
    assert most["2"] == 2
    assert most["0"] > 2


def test_into_a_file(place, capsys, tmp_path):
    place.recommend("--all")
    printed = capsys.readouterr().out
    assert place.recommend("--all", "--output", str(tmp_path / "lists.csv")) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "lists.csv").read_bytes() == printed.encode()


def test_somebody_who_was_not_in_the_training(place, capsys, tmp_path):
    history = write(
        tmp_path / "new.csv.gz",
        ["user_id", "track_id", "kind"],
        [("007", f"track-2-{number:02}", "liked") for number in range(1, 12)] + [("007", "unheard of", "saved")],
    )
    assert main(["recommend", "--model", place.model, "--history", history, "--user", "007", "--kind", "new"]) == 0
    rows = lines(capsys.readouterr().out)
    assert {row["user_id"] for row in rows} == {"007"}
    assert sum(row["track_id"].startswith("track-2-") for row in rows) > 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--user", "nobody"], ["interactions.csv holds no interaction of user nobody"]),
        (["--user", ""], ["holds no interaction of user"]),
        (["--users", "{users}"], ["holds no interaction of any of the 2 users"]),
        (["--users", "{users}.none"], ["cannot be read"]),
        (["--users", "{wrong}"], ["line 1: the column user_id is missing"]),
        (["--all", "--model", "{empty}"], ["holds no model yet: train one"]),
        (["--all", "--history", "{wrong}"], ["line 1: the column user_id is missing"]),
        (["--all", "--output", "{empty}/none/x.csv"], ["none"]),
        (["--all", "--output", "{empty}"], ["cannot be used: Is a directory"]),
    ],
)
def test_what_cannot_be_answered_is_refused(place, capsys, tmp_path, arguments, words):
    names = {
        "users": write(tmp_path / "users.csv", ["user_id"], [("x",), ("y",)]),
        "wrong": write(tmp_path / "wrong.csv", ["name"], [("x",)]),
        "empty": str(tmp_path),
    }
    code = place.recommend(*(argument.format(**names) for argument in arguments))
    sentence = refused(capsys, code, *words)
    assert sentence.startswith("specrec: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of the arguments --user --users --all is required"),
        (["--all", "--user", "x"], "argument --user: not allowed with argument --all"),
        (["--users", "f", "--user", "x"], "argument --user: not allowed with argument --users"),
        (["--all", "--users", "f"], "argument --users: not allowed with argument --all"),
        (["--all", "--top", "0"], "argument --top: expected a whole number from 1 on, found 0"),
        (["--all", "--top", "ten"], "argument --top: expected a whole number from 1 on, found ten"),
        (["--all", "--top", "1.5"], "argument --top: expected a whole number"),
        (["--all", "--per-artist", "-1"], "argument --per-artist: expected a whole number from 0 on"),
        (["--all", "--kind", "best"], "argument --kind: invalid choice: 'best'"),
        (["--all", "--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_what_cannot_be_asked_is_refused(place, capsys, arguments, words):
    refused(capsys, place.recommend(*arguments), words)


def test_a_damaged_model_is_refused(place, capsys, tmp_path):
    version = tmp_path / "0"
    version.mkdir()
    (version / "version.json").write_text('{"format": "specrec-model"')
    (tmp_path / "active").write_text("0\n")
    code = main(["recommend", "--model", str(tmp_path), "--history", place.interactions, "--all"])
    refused(capsys, code, "is damaged: version.json is not JSON")


def test_recommending_needs_no_torch_and_a_closed_pipe_is_no_fault(place):
    """The whole way as a process: a reader that goes away after the header, and torch never loaded."""
    code = "import sys; from specrec.cli import main; sys.exit(main(sys.argv[1:]) or 'torch' in sys.modules)"
    arguments = ["recommend", "--model", place.model, "--history", place.interactions, "--all", "--top", "150"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == ",".join(COLUMNS)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 0
