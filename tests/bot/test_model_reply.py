"""What /model shows, within Discord's limits and in words for people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from bot.replies.model import bars, now_text, progress_text, result_text, status_embed, version_label
from bot.services.model import Change, KeptVersion, LiveModel, ModelStatus, Now
from bot.services.training import Outcome, TrainingRun
from bot.storage.snapshots import Size
from sandbox.discord.body import check_body
from tests.bot.models import REPORT

BESIDE = {
    "live": {"version": "u"},
    "beside_live": {
        "members": 5,
        "model": 0.3,
        "live": 0.35,
        "difference": {"mean": -0.05, "standard_error": 0.021},
    },
}
NOW = datetime(2026, 7, 4, 12, tzinfo=UTC)
UNMEASURED = REPORT | {
    "ndcg_at_10": {"model": None, "popularity": None},
    "recall_at_10": {"model": None, "popularity": None},
}


def _run(status: str, reason: str | None = None, seconds: float = 8) -> TrainingRun:
    ended = None if status == "running" else NOW + timedelta(seconds=seconds)
    return TrainingRun(1, status, "42", None, None, NOW, NOW, ended, "learning taste", 0.5, reason, "v")


def test_progress_is_a_bar_where_the_share_is_known():
    assert progress_text("reading", None) == "**Training the model**: reading"
    assert progress_text("reading", 0.5).endswith("▰▰▰▰▰▰▱▱▱▱▱▱ 50%")
    assert progress_text("@everyone *x*", 1.5).startswith("**Training the model**: \\@everyone \\*x\\*\n▰▰▰▰▰▰▰▰▰▰▰▰ ")


def test_a_promoted_version_says_how_good_it_is():
    text = result_text(Outcome(_run("promoted", seconds=125), REPORT))
    assert "is live**, trained in 2 min 5 s" in text
    assert "150 interactions of 5 members with 80 tracks" in text
    assert "find 25% of them; 3.0 times as good as a list of what is popular (NDCG@10 0.300, popularity 0.100)" in text


def test_what_was_not_measured_is_not_shown():
    text = result_text(Outcome(_run("promoted", "There is too little."), UNMEASURED))
    assert "NDCG" not in text
    assert "There is too little. `/recommend` uses it" in text
    none_popular = REPORT | {"ndcg_at_10": {"model": 0.2, "popularity": 0.0}}
    assert "find 25% of them; a list of what is popular finds none (NDCG@10 0.200" in result_text(
        Outcome(_run("promoted"), none_popular)
    )


def test_the_other_endings_keep_the_old_model():
    for status, word in (("refused", "not promoted"), ("failed", "failed"), ("cancelled", "was cancelled")):
        text = result_text(Outcome(_run(status, "Because <@1> said *so*." + "x" * 5000), None))
        assert word in text
        assert "What was live stays live." in text
        assert "Because \\<\\@1\\>" in text
        assert len(text) <= 2000


def test_a_refused_first_version_leaves_the_taste_profile_and_shows_its_numbers():
    text = result_text(Outcome(_run("refused", "It is worse."), REPORT | BESIDE, answered=False))
    assert "It is worse. The taste profile goes on answering." in text
    assert "find 25% of them" in text
    assert (
        "With the 5 members on whom both could be tried: NDCG@10 0.300, the version that was live 0.350 (difference "
        "-0.050 ± 0.021)." in text
    )
    assert "It is kept as `v`: `/model status` shows it, `/model promote` puts it live." in text


def test_the_status_before_the_first_model():
    status = ModelStatus(None, None, None, Size(1, 1, 1))
    embed = status_embed(status)
    assert [field.name for field in embed.fields] == ["Live", "To train on"]
    assert "No model yet" in embed.fields[0].value
    assert embed.fields[1].value == "1 interaction of 1 member with 1 track"
    assert bars(status) == []


def _kept(name: str, status: str = "promoted", hours: int = 0, **report: Any) -> KeptVersion:
    reason = "It finds what members like no better than *that*." + "y" * 5000 if status == "refused" else None
    return KeptVersion(name, status, NOW + timedelta(hours=hours), REPORT | report, reason)


def test_the_status_with_everything_at_once():
    names = [f"20260704T12{number:02}00Z-0a1b2c3{number}" for number in range(7)]
    live = LiveModel(names[4], NOW, REPORT, None, "x is damaged: y is not JSON")
    kept = [_kept(name, hours=number) for number, name in enumerate(names[:5])]
    kept += [_kept(name, "refused", 5 + number) for number, name in enumerate(names[5:])]
    change = Change(names[4], "rolled back", "77", NOW)
    last = replace(_run("refused", "z" * 5000), version=names[5])
    status = ModelStatus(live, _run("running"), last, Size(1200, 34000, 560000), kept, change)
    embed = status_embed(status, "model.png")
    assert [field.name for field in embed.fields] == [
        "Live", "Refused", "Refused", "Earlier", "Training now", "Last training", "To train on",
    ]  # fmt: skip
    shown = {field.name: field.value for field in embed.fields}
    assert "could not be opened**, so the taste profile answers instead: x is damaged: y is not JSON. " in shown["Live"]
    assert "brought back by <@77>" in shown["Live"]
    assert "/var/models" not in shown["Live"]
    assert f"`{names[6]}`" in shown["Refused"]
    assert "no better than \\*that\\*" in shown["Refused"]
    assert "find 25% of them" in shown["Refused"]
    assert all(f"`{name}`" in shown["Earlier"] for name in names[:4])
    assert "by <@42>: learning taste, 50%" in shown["Training now"]
    assert "zzz" not in shown["Last training"]  # it stands above already
    assert shown["To train on"] == "560,000 interactions of 1,200 members with 34,000 tracks"
    assert embed.image.url == "attachment://model.png"
    check_body({"embeds": [embed.to_dict()]}, {})
    assert [(bar.name[-8:], bar.role) for bar in bars(status)] == [  # the newest first, the live one always
        ("0a1b2c36", "refused"), ("0a1b2c35", "refused"), ("0a1b2c34", "live"),
        ("0a1b2c31", "earlier"), ("0a1b2c30", "earlier"),
    ]  # fmt: skip


def test_a_version_that_stands_in_is_named():
    model: Any = SimpleNamespace(version="20260101T000000Z-00000000")
    live = LiveModel("20260704T120000Z-0a1b2c3d", NOW, REPORT, model, "x is damaged")
    text = status_embed(ModelStatus(live, None, None, Size(1, 1, 1))).fields[0].value
    assert "so version `20260101T000000Z-00000000` answers instead: x is damaged." in text


def test_what_is_live_after_a_change_by_hand():
    live = LiveModel("20260704T120000Z-0a1b2c3d", NOW, REPORT, None, None)
    text = now_text(Now(live, "older", "It is *worse*."), back=False)
    assert text.startswith(
        "**Version `20260704T120000Z-0a1b2c3d` is live now.**\nThe gate had refused it: It is \\*worse"
    )
    assert "find 25% of them" in text
    assert text.endswith("`/model rollback` goes back to `older`.")
    assert "rollback" not in now_text(Now(live, None, None), back=False)
    again = now_text(Now(live, "newer", None), back=True)
    assert "is live again.**" in again
    assert again.endswith("`/model promote` can make `newer` live once more.")
    assert now_text(Now(live, live.version, None), back=False) == f"Version `{live.version}` is live already."


def test_a_choice_says_what_a_version_is():
    assert version_label(_kept("20260704T120000Z-0a1b2c3d", "refused")) == (
        "20260704T120000Z-0a1b2c3d · refused · NDCG@10 0.300"
    )
    assert version_label(_kept("v", ndcg_at_10={"model": None, "popularity": None})) == "v · was live"
    assert len(version_label(_kept("v" * 200))) == 100
