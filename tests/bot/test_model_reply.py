"""What /model shows, within Discord's limits and in words for people."""

from datetime import UTC, datetime, timedelta

from bot.model_store import LiveModel
from bot.replies.model import progress_text, result_text, status_embed
from bot.services.model import ModelStatus
from bot.services.training import Outcome, TrainingRun
from bot.storage.snapshots import Size
from tests.bot.models import REPORT

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


def test_the_status_before_the_first_model():
    embed = status_embed(ModelStatus(None, None, None, Size(1, 1)))
    assert [field.name for field in embed.fields] == ["Live", "To train on"]
    assert "No model yet" in embed.fields[0].value
    assert embed.fields[1].value == "1 member with 1 track"


def test_the_status_with_everything_at_once():
    live = LiveModel("20260704T120000Z-0a1b2c3d", NOW, REPORT, None, "x is damaged: y is not JSON")
    embed = status_embed(ModelStatus(live, _run("running"), _run("failed", "y" * 5000), Size(1200, 34000)))
    assert [field.name for field in embed.fields] == ["Live", "Training now", "Last training", "To train on"]
    assert (
        "could not be opened**, so the taste profile answers instead: x is damaged: y is not JSON. "
        in embed.fields[0].value
    )
    assert "/var/models" not in embed.fields[0].value
    assert "by <@42>: learning taste, 50%" in embed.fields[1].value
    assert embed.fields[3].value == "1,200 members with 34,000 tracks"
    assert all(len(field.value) <= 1024 for field in embed.fields)
