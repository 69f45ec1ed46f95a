"""What /model shows: a run's progress and result as plain text, the status as an embed with a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.charts import MOST, Bar
from bot.replies.help import COLOUR
from bot.replies.numbers import counted, when
from bot.replies.text import escaped
from bot.services.model import Change, KeptVersion, LiveModel, ModelStatus, Now
from bot.services.training import Outcome, TrainingRun

BAR = 12  # squares
SENTENCE = 600  # most characters of a reason …
REASON = 450  # … and where several stand in one embed


def started(*, shown_elsewhere: bool) -> str:
    return (
        "Training has started. The message in this channel shows how far it is."
        if shown_elsewhere
        else "Training has started. I may not write in this channel, so this reply shows how far it is."
    )


def progress_text(stage: str, fraction: float | None) -> str:
    share = "" if fraction is None else f"\n{_bar(fraction)} {fraction:.0%}"
    return f"**Training the model**: {escaped(stage, 100)}{share}"


def result_text(outcome: Outcome) -> str:
    run = outcome.run
    reason = f" {escaped(run.reason, SENTENCE)}" if run.reason else ""
    stays = "What was live stays live." if outcome.answered else "The taste profile goes on answering."
    if run.status == "promoted":
        lines = [f"**The new model is live**, trained in {_duration(run)}."]
    elif run.status == "refused":
        lines = [f"**The new model was not promoted.**{reason} {stays}"]
    else:
        word = {"cancelled": "was cancelled", "failed": "failed"}[run.status]
        return f"**The training {word}.**{reason} {stays}"
    if outcome.report is not None:
        lines += [_data(outcome.report), _quality(outcome.report), _beside_live(outcome.report)]
    if run.status == "promoted":
        lines.append(f"{reason.strip()} `/recommend` uses it from now on.".strip())
    elif run.version is not None:
        lines.append(f"It is kept as `{run.version}`: `/model status` shows it, `/model promote` puts it live.")
    return "\n".join(line for line in lines if line)


def interrupted_text() -> str:
    return "**The training failed.** The bot was stopped in the middle of it. What was live stays live."


def now_text(now: Now, *, back: bool) -> str:
    """After /model promote or, `back`, /model rollback: what is live now, and how to undo it."""
    live = now.live
    if now.before == live.version:
        return f"Version `{live.version}` is live already."
    lines = [f"**Version `{live.version}` is live {'again' if back else 'now'}.**"]
    if now.refused_for is not None:
        lines.append(f"The gate had refused it: {escaped(now.refused_for, SENTENCE)}")
    lines += [_data(live.report), _quality(live.report)]
    if back:
        lines.append(f"`/model promote` can make `{now.before}` live once more.")
    elif now.before is not None:
        lines.append(f"`/model rollback` goes back to `{now.before}`.")
    return "\n".join(line for line in lines if line)


def version_label(version: KeptVersion) -> str:
    """How a version is offered for a choice: at most 100 characters."""
    score = version.report["ndcg_at_10"]["model"]
    parts = [version.version, "refused" if version.status == "refused" else "was live"]
    if score is not None:
        parts.append(f"NDCG@10 {score:.3f}")
    return " · ".join(parts)[:100]


def bars(status: ModelStatus) -> list[Bar]:
    """What the picture shows, the newest first: the live version, the refused ones, and earlier ones as far as they
    find room."""
    live = _version(status.live)
    role = {
        one.version: "live" if one.version == live else "refused" if one.status == "refused" else "earlier"
        for one in status.kept
    }
    shown = sorted(status.kept, key=lambda one: role[one.version] == "earlier")[:MOST]
    return [
        Bar(f"{one.created_at:%-d %b, %H:%M} · {one.version.split('-')[-1][:8]}", role[one.version], one.report)
        for one in sorted(shown, key=lambda one: one.created_at, reverse=True)
    ]


def status_embed(status: ModelStatus, picture: str | None = None) -> discord.Embed:
    """`picture` is the name of the attached file."""
    embed = discord.Embed(title="The shared model", colour=COLOUR)
    embed.add_field(name="Live", value=_live(status), inline=False)
    refused = [one for one in status.kept if one.status == "refused"]
    for one in refused:
        embed.add_field(name="Refused", value=_refused(one), inline=False)
    earlier = [one for one in status.kept if one.status == "promoted" and one.version != _version(status.live)]
    if earlier:
        embed.add_field(name="Earlier", value=_earlier(earlier), inline=False)
    if status.running is not None:
        run = status.running
        share = "" if run.fraction is None else f", {run.fraction:.0%}"
        by = f" by <@{run.requested_by}>" if run.requested_by else ""
        value = f"Started {when(run.started_at)}{by}: {escaped(run.stage or 'starting', 100)}{share}"
        embed.add_field(name="Training now", value=f"{value}\n`/model cancel` stops it.", inline=False)
    if status.last is not None:
        shown = any(one.version == status.last.version for one in refused)
        embed.add_field(name="Last training", value=_last(status.last, shown_above=shown), inline=False)
    size = status.size
    embed.add_field(
        name="To train on",
        value=f"{counted(size.interactions, 'interaction')} of {counted(size.members, 'member')} with "
        f"{counted(size.tracks, 'track')}",
        inline=False,
    )
    if picture is not None:
        embed.set_image(url=f"attachment://{picture}")
    return embed


def _live(status: ModelStatus) -> str:
    live = status.live
    if live is None:
        return (
            "No model yet: everybody's list comes from their own taste profile. "
            "Type `/model retrain` to train the first one."
        )
    lines = [f"Version `{live.version}`, since {when(live.since)}{_who(live, status.change)}"]
    if live.fault is None:
        lines += [_data(live.report), _quality(live.report)]
    elif live.answering is None:
        lines.append(
            "⚠️ **This version could not be opened**, so the taste profile answers instead: "
            f"{escaped(live.fault, SENTENCE)}. "
            "Put its files back, or type `/model retrain` to train a new one."
        )
    else:
        lines += [
            f"⚠️ **This version could not be opened**, so version `{live.answering}` answers instead: "
            f"{escaped(live.fault, SENTENCE)}. Put its files back, or type `/model promote` to settle for another.",
            _quality(live.report),
        ]
    return "\n".join(line for line in lines if line)


def _version(live: LiveModel | None) -> str | None:
    return None if live is None else live.version


def _who(live: LiveModel, change: Change | None) -> str:
    """ ", rolled back to by @Ada": how the live version became that."""
    if change is None or change.version != live.version or change.changed_by is None:
        return ""
    words = {"trained": "trained for", "promoted": "promoted by", "rolled back": "brought back by"}[change.how]
    return f", {words} <@{change.changed_by}>"


def _refused(version: KeptVersion) -> str:
    lines = [
        f"Version `{version.version}`, {when(version.created_at)}",
        escaped(version.reason or "", REASON),
        _quality(version.report),
        "`/model promote` puts it live all the same.",
    ]
    return "\n".join(line for line in lines if line)


def _earlier(versions: Sequence[KeptVersion]) -> str:
    lines = []
    for version in versions:
        score = version.report["ndcg_at_10"]["model"]
        number = "" if score is None else f", NDCG@10 {score:.3f}"
        lines.append(f"`{version.version}`, {when(version.created_at)}{number}")
    return "\n".join([*lines, "`/model rollback` goes back to the one that was live before."])


def _last(run: TrainingRun, *, shown_above: bool) -> str:
    reason = f" {escaped(run.reason, SENTENCE)}" if run.reason and not shown_above else ""
    word = {"promoted": "Promoted", "refused": "Not promoted", "failed": "Failed", "cancelled": "Cancelled"}[run.status]
    return f"{word} {when(run.finished_at or run.started_at)}, after {_duration(run)}.{reason}"


def _data(report: Mapping[str, Any]) -> str:
    sources = f" (sources: {', '.join(report['sources'])})" if report.get("sources") else ""
    return (
        f"Trained on {counted(report['interactions'], 'interaction')} of {counted(report['members'], 'member')} "
        f"with {counted(report['tracks'], 'track')}{sources}."
    )


def _quality(report: Mapping[str, Any]) -> str:
    """In words, with the numbers beside them; nothing where nothing could be measured."""
    model, popular = report["ndcg_at_10"]["model"], report["ndcg_at_10"]["popularity"]
    found = report["recall_at_10"]["model"]
    if model is None or popular is None or found is None:
        return ""
    if popular > 0:
        beside = f"{model / popular:.1f} times as good as a list of what is popular"
    else:
        beside = "a list of what is popular finds none"
    return (
        f"Tried on {counted(report['interactions_held_out'], 'interaction')} it had not seen: ten recommendations find "
        f"{found:.0%} of them; {beside} (NDCG@10 {model:.3f}, popularity {popular:.3f})."
    )


def _beside_live(report: Mapping[str, Any]) -> str:
    """Both on the same interactions; nothing where there was no live version to compare with."""
    beside = report["beside_live"]
    if beside is None or beside["difference"]["mean"] is None:
        return ""
    mean, error = beside["difference"]["mean"], beside["difference"]["standard_error"]
    give = "" if error is None else f" ± {error:.3f}"
    return (
        f"With the {counted(beside['members'], 'member')} on whom both could be tried: NDCG@10 {beside['model']:.3f}, "
        f"the version that was live {beside['live']:.3f} (difference {mean:+.3f}{give})."
    )


def _bar(fraction: float) -> str:
    done = round(max(0.0, min(1.0, fraction)) * BAR)
    return "▰" * done + "▱" * (BAR - done)


def _duration(run: TrainingRun) -> str:
    seconds = round(((run.finished_at or run.started_at) - run.started_at).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"
