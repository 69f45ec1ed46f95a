"""The original replayed: its steps by hand, its network against a literal one, its figures and files."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from specrec.cli import main
from specrec.errors import TableError, TrainingError
from specrec.features import FEATURES
from specrec.paper import (
    get_scores,
    get_train_test_data,
    item_to_onehot,
    onehot_to_item,
    process_track_data,
    process_user_data,
)
from specrec.paper import hypotheses as hypothesis_table
from specrec.paper.network import (
    BEST,
    WORST,
    Rows,
    SpotifyNet,
    accuracy_absolute,
    accuracy_published,
    fit,
    predict,
    train_epoch,
)
from specrec.paper.replay import replay, top_ten
from specrec.paper.steps import ONEHOT_SIZE, process_standardised_data

QUICK = replace(BEST, epochs=3, batch_size=16)


def line(user, track, features, flags):
    return ",".join([user, track, "Name", "Artist", *map(str, features), *map(str, flags)])


def write_original(path, users, tracks, each):
    """A file of the original form: every listener keeps to one side of a feature of their own; some ids begin "0"."""
    rng = np.random.default_rng(5)
    features = rng.uniform(0, 1, size=(tracks, 9)).round(3)
    ids = [f"{'0' if number % 3 == 0 else 'k'}track{number}" for number in range(tracks)]
    lines = []
    for user in range(users):
        likely = np.exp(4 * features[:, user % 9])
        for track in rng.choice(tracks, size=each, replace=False, p=likely / likely.sum()):
            nine = [*features[track, :5], -20 * features[track, 5], *features[track, 6:8], 80 + 80 * features[track, 8]]
            lines.append(line(f"{user}user", ids[track], nine, rng.random(4) < 0.5))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def file(tmp_path):
    return write_original(tmp_path / "original.csv", users=4, tracks=40, each=20)


class LiteralNet(nn.Module):
    """The original's network as it is described: every one of the 1,890 bits is looked up; position 0 is kept."""

    def __init__(self, fast: SpotifyNet):
        super().__init__()
        self.user_embed = nn.Embedding(50, 9)  # the original has a row for each training row; two are ever read
        self.track_embed = nn.Embedding(50, 9)
        self.layers = nn.ModuleList(nn.Linear(*sizes) for sizes in ((18, 72), (72, 56), (56, 32), (32, 16), (16, 1)))
        with torch.no_grad():
            self.user_embed.weight[:2] = fast.user_embed.weight
            self.track_embed.weight[:2] = fast.track_embed.weight
            for mine, theirs in zip(self.layers, [*fast.hidden, fast.output], strict=True):
                mine.load_state_dict(theirs.state_dict())

    def forward(self, users, tracks):
        x = torch.cat((self.user_embed(users), self.track_embed(tracks)), dim=-1)  # (batch, 1890, 18)
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return torch.sigmoid(self.layers[-1](x))[:, 0, 0]


def onehots(ids, rows):
    table = torch.from_numpy(np.stack([item_to_onehot(id_) for id_ in ids]).astype(np.int64))
    return table[torch.from_numpy(rows)]


def literal_input(pairs):
    return onehots(pairs.user_ids, pairs.users), onehots(pairs.track_ids, pairs.tracks)


def test_the_fast_network_is_the_literal_one(file):
    """Before, during and after training, on inputs of all four kinds: the same predictions and the same losses."""
    _, train, test = get_train_test_data(file, np.random.default_rng(0))
    torch.manual_seed(1)
    fast = SpotifyNet(2, 2)
    literal = LiteralNet(fast)
    with torch.no_grad():
        before = literal(*literal_input(test))
    assert torch.allclose(predict(fast, Rows.of(test, "one-hot")), before, atol=1e-7)
    assert len(before.unique()) == 4

    optimisers = [
        torch.optim.Adam(net.parameters(), lr=BEST.learning_rate, weight_decay=BEST.weight_decay)
        for net in (fast, literal)
    ]
    users, tracks = literal_input(train)
    scores = torch.from_numpy(train.scores)
    batches = list(Rows.of(train, "one-hot").batches(QUICK.batch_size))
    assert max(len(batch.users) for batch in batches) <= 4
    for _ in range(3):
        losses = []
        for start in range(0, len(train), QUICK.batch_size):
            batch = slice(start, start + QUICK.batch_size)
            optimisers[1].zero_grad()
            predicted = literal(users[batch], tracks[batch])
            loss = nn.MSELoss()(predicted, scores[batch].float())
            loss.backward()
            optimisers[1].step()
            losses.append(loss.item())
        assert train_epoch(fast, optimisers[0], batches, QUICK.loss) == pytest.approx(np.mean(losses))
    with torch.no_grad():
        after = literal(*literal_input(test))
    assert not torch.allclose(before, after, atol=1e-3)
    assert torch.allclose(predict(fast, Rows.of(test, "one-hot")), after, atol=1e-6)


def test_fit_trains_as_a_plain_adam_would(file):
    """The fused optimiser that `fit` chooses makes the same steps as the plain one."""
    _, train, test = get_train_test_data(file, np.random.default_rng(0))
    torch.manual_seed(2)
    network, epochs = fit(train, test, QUICK, lambda number, epoch: None)
    torch.manual_seed(2)
    plain = SpotifyNet(2, 2)
    optimiser = torch.optim.Adam(plain.parameters(), lr=QUICK.learning_rate, weight_decay=QUICK.weight_decay)
    batches = list(Rows.of(train, "one-hot").batches(QUICK.batch_size))
    losses = [train_epoch(plain, optimiser, batches, QUICK.loss) for _ in range(QUICK.epochs)]
    assert [epoch.train_loss for epoch in epochs] == pytest.approx(losses)
    rows = Rows.of(test, "one-hot")
    assert torch.allclose(predict(network, rows), predict(plain, rows), atol=1e-6)


def test_the_network_has_the_published_shape():
    shapes = [tuple(layer.weight.shape) for layer in [*SpotifyNet(2, 2).hidden, SpotifyNet(2, 2).output]]
    assert shapes == [(72, 18), (56, 72), (32, 56), (16, 32), (1, 16)]


def test_the_published_settings():
    assert (BEST.batch_size, BEST.epochs, BEST.learning_rate, BEST.weight_decay) == (50, 50, 0.001, 0.0005)
    assert (WORST.batch_size, WORST.epochs, WORST.learning_rate, WORST.weight_decay) == (512, 20, 0.1, 0.0005)


@pytest.mark.parametrize("item", ["", "0", "listener1", "0Zq2n84Eplok8MnRE8P5hE", "a" * 30, "Josh Seitz"])
def test_an_id_survives_its_encoding(item):
    onehot = item_to_onehot(item)
    assert onehot.shape == (ONEHOT_SIZE,) == (1890,)
    assert onehot.sum() == len(item)
    assert onehot_to_item(onehot) == item


def test_the_first_position_says_whether_an_id_starts_with_zero():
    ids = ["0abc", "00", "1abc", "a0", "", "Z"]
    assert [int(item_to_onehot(item)[0]) for item in ids] == [1, 1, 0, 0, 0, 0]


def test_an_id_too_long_for_the_encoding_is_refused():
    with pytest.raises(TableError, match="31 characters"):
        item_to_onehot("a" * 31)


def test_preferred_features_divide_by_tracks_and_not_by_weights(tmp_path):
    path = tmp_path / "two.csv"
    one, other = [0.5] * 5 + [-8, 0.5, 0.5, 100], [0.1] * 5 + [-4, 0.1, 0.1, 200]
    path.write_text(
        line("ann", "x", one, (True, True, False, False)) + "\n" + line("ann", "y", other, (True,) + (False,) * 3)
    )
    users, user_ids = process_user_data(path)
    tracks, track_ids = process_track_data(path)
    assert user_ids == ["ann"]
    assert track_ids == ["x", "y"]
    assert tracks["x"] == pytest.approx(one)
    assert users["ann"] == pytest.approx([(0.5 * a + 0.25 * b) / 2 for a, b in zip(one, other, strict=True)])
    # Mended: in standard deviations over the two tracks (so ±1), divided by the weights ½ and ¼.
    mended_users, mended_tracks = process_standardised_data(path)
    signs = np.sign(np.subtract(one, other))
    assert mended_tracks["x"] == pytest.approx(signs)
    assert mended_users["ann"] == pytest.approx(signs * (0.5 - 0.25) / 0.75)


def test_of_a_repeated_track_the_first_row_counts_and_every_row_of_a_listener(tmp_path):
    path = tmp_path / "repeated.csv"
    flags = (True,) * 4
    rows = [line("ann", "x", [0.2] * 5 + [-8, 0.2, 0.2, tempo], flags) for tempo in (100, 130)]
    path.write_text("\n".join(rows))
    assert process_track_data(path)[0]["x"][8] == 100
    assert process_user_data(path)[0]["ann"][8] == pytest.approx(115)


def test_scores_by_hand():
    users = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 2.0])}
    tracks = {"x": np.array([1.0, 1.0]), "y": np.array([3.0, 0.0])}
    # a: 1, 3; b: 2, 0 -> brought to 0-1 over the whole table
    assert get_scores(["a", "b"], ["x", "y"], users, tracks) == pytest.approx(np.array([[1 / 3, 1], [2 / 3, 0]]))


def test_equal_scores_are_refused():
    with pytest.raises(TrainingError, match="same score"):
        get_scores(["a"], ["x", "y"], {"a": np.ones(2)}, {"x": np.ones(2), "y": np.ones(2)})


def test_the_parts_hold_every_pair_once_four_fifths_for_training(file):
    data, train, test = get_train_test_data(file, np.random.default_rng(3))
    tracks = len(data.track_ids)
    key = [pairs.users * tracks + pairs.tracks for pairs in (data, train, test)]
    assert key[0].tolist() == list(range(4 * tracks))
    assert sorted([*key[1], *key[2]]) == key[0].tolist()
    assert np.bincount(train.users).tolist() == [round(0.8 * tracks)] * 4
    assert (np.diff(train.users) >= 0).all()  # a listener after the other: nothing is mixed
    assert (np.diff(key[2]) > 0).all()
    for pairs, keys in ((train, key[1]), (test, key[2])):
        assert pairs.scores.tolist() == data.scores[keys].tolist()


def test_too_few_tracks_are_refused(tmp_path):
    path = tmp_path / "few.csv"
    nine = [0.2] * 5 + [-8, 0.2, 0.2]
    path.write_text("\n".join(line("ann", track, [*nine, ord(track)], (True,) * 4) for track in "xy"))
    with pytest.raises(TrainingError, match="2 tracks are too few"):
        get_train_test_data(path, np.random.default_rng(0))


def test_the_published_accuracy_counts_every_underestimate():
    difference = np.array([-0.5, -0.1, 0.0, 1e-9, 0.005, 0.1])
    assert accuracy_published(difference) == pytest.approx(4 / 6)
    assert accuracy_absolute(difference) == pytest.approx(2 / 6)
    assert accuracy_absolute(difference, 0.01) == pytest.approx(3 / 6)


def test_ties_of_the_top_ten_stay_in_the_files_order():
    assert top_ten(np.array([0.5] * 12 + [0.7])) == [12, *range(9)]


def test_the_collapse_and_what_each_cause_adds_to_it(tmp_path):
    path = write_original(tmp_path / "original.csv", users=30, tracks=100, each=40)
    collapsed = replay(path, replace(BEST, epochs=3)).report
    assert collapsed["distinct_predictions"] <= 4  # two bits: the listener's and the track's
    assert abs(collapsed["r2"]) < 0.2
    assert set(collapsed["score_tempo_correlation"]) == {f"{user}user" for user in range(30)}
    assert min(collapsed["score_tempo_correlation"].values()) > 0.99

    able = replace(BEST, epochs=60, learning_rate=0.003, weight_decay=1e-4, encoding="index", shuffle=True)
    tempo = replay(path, able).report
    assert tempo["distinct_predictions"] > 500
    assert tempo["r2"] > 0.9
    assert tempo["mean_jaccard"] > 0.5  # learnt well, and still the fastest songs for everybody

    mended = replay(path, replace(able, score="standardised")).report
    assert mended["r2"] > 0.4
    assert mended["mean_jaccard"] < 0.3
    assert max(mended["score_tempo_correlation"].values()) < 0.99


def test_replay_repeats_itself_and_leaves_torch_as_it_was(file):
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    threads = torch.get_num_threads()
    one, two = replay(file, QUICK, seed=4), replay(file, QUICK, seed=4)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads
    assert one.epochs == two.epochs
    assert one.predicted.tolist() == two.predicted.tolist()
    assert one.epochs != replay(file, QUICK, seed=5).epochs


def test_a_network_that_diverges_says_so(file):
    with pytest.raises(TrainingError, match="epoch 1"):
        replay(file, replace(QUICK, learning_rate=float("inf")))


def test_every_suspicion_is_tried_with_three_values_or_more():
    rows = hypothesis_table.trials(BEST)
    assert rows[0].setting == BEST
    tried = [row for row in rows if row.group == hypothesis_table.SUSPECTED]
    assert {(row.setting.encoding, row.setting.score) for row in tried} == {("one-hot", "raw")}
    for field in ("activation", "hidden", "learning_rate", "weight_decay", "loss"):
        values = {getattr(row.setting, field) for row in tried} - {getattr(BEST, field)}
        assert len(values) >= 3
    assert all(
        replace(row.setting, **{field: getattr(BEST, field)}) == BEST for row in tried for field in [_changed(row)]
    )


def _changed(row):
    fields = ("activation", "hidden", "learning_rate", "weight_decay", "loss")
    (field,) = [field for field in fields if getattr(row.setting, field) != getattr(BEST, field)]
    return field


def test_trials_that_differ_only_in_reading_share_a_run(file):
    honest = hypothesis_table.Trial("b", "honest", QUICK, honest=True)
    rows = [hypothesis_table.Trial("a", "plain", QUICK), honest]
    seen = []
    plain, read_honestly = hypothesis_table.run_trials(file, rows, 0, lambda *done: seen.append(done), workers=1)
    assert seen == [(1, 1)]
    assert plain.run is read_honestly.run
    assert plain.accuracy == plain.run.report["accuracy_published"]
    assert read_honestly.accuracy == plain.run.report["accuracy_absolute"]
    assert not plain.ended
    table = hypothesis_table.markdown([plain, read_honestly])
    assert [row.count("|") - row.count(r"\|") for row in table] == [8] * 6
    assert table[2].startswith("| **a**")


@pytest.mark.parametrize(
    ("r2", "shared", "ended"), [(0.9, 0.1, True), (0.9, 1.0, False), (0.0, 0.1, False), (None, 0.1, False)]
)
def test_a_collapse_has_ended_when_predictions_follow_and_lists_differ(file, r2, shared, ended):
    run = replay(file, replace(QUICK, epochs=1))
    run.report.update(r2=r2, mean_jaccard=shared)
    assert hypothesis_table.Outcome(hypothesis_table.trials(BEST)[0], run).ended is ended


def test_the_command_writes_figures_and_pictures(file, tmp_path, capsys):
    target = tmp_path / "figures.json"
    command = ["paper", "--interactions", str(file), "--setting", "worst", "--json", str(target)]
    assert main([*command, "--pictures", str(tmp_path / "pictures")]) == 0
    report = json.loads(target.read_text())
    assert list(report) == [
        "distinct_predictions",
        "r2",
        "score_tempo_correlation",
        "accuracy_published",
        "accuracy_absolute",
        "within_0_01",
        "mean_jaccard",
        "seconds",
    ]
    printed = capsys.readouterr().out
    assert all(name in printed for name in report)
    for curve in ("loss", "accuracy"):
        assert (tmp_path / "pictures" / f"paper-worst-{curve}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_command_tries_the_hypotheses_and_draws_the_predictions(file, tmp_path, capsys):
    target = tmp_path / "figures.json"
    command = ["paper", "--interactions", str(file), "--setting", "worst", "--hypotheses", "--json", str(target)]
    assert main(command) == 0
    rows = json.loads(target.read_text())["hypotheses"]
    assert [row["change"] for row in rows] == [trial.change for trial in hypothesis_table.trials(WORST)]
    assert {"group", "change", "ended", "distinct_predictions", "r2", "mean_jaccard"} <= set(rows[0])
    assert max(row["distinct_predictions"] for row in rows if row["group"] == hypothesis_table.SUSPECTED) <= 4
    assert capsys.readouterr().out.count("\n| ") > len(rows)
    assert (tmp_path / "paper-worst-predictions.png").read_bytes().startswith(b"\x89PNG")  # beside the JSON


def test_without_matplotlib_it_names_the_extra(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["paper", "--interactions", str(file), "--pictures", str(tmp_path)]) == 2
    assert "specrec[pictures]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("user_id,track_id\na,b\n", "not of the original form"),
        (line("ann", "x", ["", *[0.2] * 4, -8, 0.2, 0.2, 100], (True,) * 4), "acousticness: expected a number"),
        (line("ann", "x", [0.2] * 5 + [-8, 0.2, 0.2, 100], (True,) * 4), "same score"),
    ],
)
def test_a_file_it_cannot_use_is_refused_in_one_sentence(content, sentence, tmp_path, capsys):
    path = tmp_path / "other.csv"
    path.write_text(content)
    assert main(["paper", "--interactions", str(path), "--pictures", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_the_other_commands_load_neither_torch_nor_matplotlib():
    code = "import sys, specrec.cli; print(*(name for name in ('torch', 'matplotlib') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_tempo_stands_where_the_correlation_reads_it():
    assert FEATURES[8] == "tempo"
