"""specrec evaluate as it is typed: tables, JSON, picture, and in which words everything else is refused."""

import io
import json
from contextlib import redirect_stdout

import pytest

from specrec.cli import main
from specrec.protocols import PROTOCOLS
from specrec.study import command
from specrec.study.record import MEASURES, OF_MEMBERS

PEERS = ("random", "popularity", "content", "artist_count", "item_knn", "ease", "als")


def slow(test):
    """Whichever comes first waits for a dozen processes, each of which loads scipy or torch."""
    return pytest.mark.slow(pytest.mark.timeout(500)(test))


def run(*arguments):
    try:
        return main(["evaluate", *arguments])
    except SystemExit as ended:
        return ended.code


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A file of two kinds of members and twelve tracks; nothing is known of the tracks, so that fits are short."""
    path = tmp_path_factory.mktemp("board") / "board.csv"
    rows = [
        f"m{member:02},t{track:02}" for member in range(12) for track in range(12)
        if track % 2 == member % 2 and track // 2 != member // 2
    ]  # fmt: skip
    path.write_text("user_id,track_id\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def measured(board, tmp_path_factory):
    """Everything at once, as a process of its own would be asked."""
    pytest.importorskip("implicit")
    folder = tmp_path_factory.mktemp("measured")
    out = io.StringIO()
    with redirect_stdout(out):
        code = run("--interactions", str(board), "--seeds", "1", "--json", str(folder / "e.json"), "--device", "cpu")
    assert code == 0
    return folder, json.loads((folder / "e.json").read_text()), out.getvalue()


@slow
def test_every_figure_is_in_the_json(measured):
    _, found, _ = measured
    assert found["protocol"] == "split"
    assert found["seeds"] == [0]
    assert found["data"] == {
        "members": 12,
        "tracks": 12,
        "interactions": 60,
        "tracks_with_features": 0,
        "tracks_with_artist": 0,
    }
    assert tuple(found["models"]) == ("ncf", *PEERS)
    assert found["left_out"] == {}
    for name, model in found["models"].items():
        for measure in MEASURES:
            assert set(model[measure]) == {"mean", "standard_error"}
        for measure in OF_MEMBERS:
            assert 0 <= model[measure]["mean"] <= 1
            assert model[measure]["standard_error"] >= 0
        assert model["fit_seconds"] >= 0
        assert model["peak_memory_mb"] > 20
        assert (model["difference_to_best_peer"] is None) == (name == found["best_peer"])
    assert found["models"]["ncf"]["settings"] == {}
    assert len(found["models"]["ease"]["tuning"]) == 8
    assert found["models"]["ease"]["settings"] in [tried["settings"] for tried in found["models"]["ease"]["tuning"]]


@slow
def test_the_figures_fit_together(measured):
    _, found, _ = measured
    models = found["models"]
    best = max(PEERS, key=lambda name: models[name]["ndcg_at_10"]["mean"])
    assert models[found["best_peer"]]["ndcg_at_10"]["mean"] == models[best]["ndcg_at_10"]["mean"]
    against = found["against_best_peer"]
    own, other = models["ncf"]["ndcg_at_10"]["mean"], models[found["best_peer"]]["ndcg_at_10"]["mean"]
    assert against["mean"] == pytest.approx(own - other)
    assert against["ratio"] == pytest.approx(own / other)
    assert against["holds"] == (against["mean"] >= -against["standard_error"])
    # Twelve members with one track each to be found among seven: whoever learns finds it far above chance.
    assert own > models["random"]["ndcg_at_10"]["mean"]
    assert models["ncf"]["peak_memory_mb"] > models["popularity"]["peak_memory_mb"]  # torch alone is more


@slow
def test_the_parts_of_the_network(measured):
    _, found, _ = measured
    assert {"wide alone", "deep alone", "without deep"} <= set(found["ablation"])
    for part in found["ablation"].values():
        assert set(part) == {"ndcg_at_10", "difference_to_fusion"}


@slow
def test_the_table_and_the_picture(measured):
    folder, found, text = measured
    assert text.startswith("| model | NDCG@10 | recall@10 |")
    assert text.count("\n| ") >= 8
    assert f"{found['models']['ease']['ndcg_at_10']['mean']:.3f}" in text
    assert "The best single peer is" in text
    assert "The deep branch adds" in text
    assert (folder / "evaluate-split.png").read_bytes().startswith(b"\x89PNG")
    assert text.endswith(f"wrote {folder / 'evaluate-split.png'}\n")


def test_the_command_knows_every_protocol():
    assert set(command.PROTOCOLS) == set(PROTOCOLS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interactions", "none.csv"], "none.csv cannot be read: No such file"),
        (["--interactions", "bad.csv"], "bad.csv, line 3, column weight: expected a number above 0, found 'x'"),
        (["--interactions", "good.csv", "--tracks", "loud.csv"], "loud.csv, line 2, column energy: expected a number"),
        (["--interactions", "good.csv", "--json", "none/e.json"], "the folder of none/e.json does not exist"),
        (["--interactions", "good.csv", "--pictures", "bad.csv"], "bad.csv"),
        (["--interactions", "good.csv", "--protocol", "time"], "the protocol time needs timestamps"),
        (["--interactions", "good.csv", "--protocol", "unseen-tracks"], "needs tracks with known features"),
        (["--interactions", "single.csv"], "there is nothing to measure by the protocol split"),
        (["--interactions", "good.csv", "--protocol", "random"], "argument --protocol: invalid choice: 'random'"),
        (["--interactions", "good.csv", "--baselines", "some"], "argument --baselines: invalid choice: 'some'"),
        (["--interactions", "good.csv", "--seeds", "0"], "argument --seeds: expected a whole number from 1 on"),
        (["--interactions", "good.csv", "--seeds", "two"], "argument --seeds: expected a whole number from 1 on"),
        ([], "--interactions"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("user_id,track_id,weight\na,1,1\na,2,x\n")
    (tmp_path / "good.csv").write_text("user_id,track_id\na,1\na,2\nb,1\nb,2\n")
    (tmp_path / "single.csv").write_text("user_id,track_id\na,1\nb,1\n")
    (tmp_path / "loud.csv").write_text("track_id,energy\n1,2.5\n")
    assert run(*arguments, "--baselines", "none") == 2 if "--baselines" not in arguments else run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    sentence = err.strip().splitlines()[-1]
    assert sentence.startswith("specrec")
    assert words in sentence
    assert not list(tmp_path.glob("*.png"))
