"""What /model shows: a run's progress and result as plain text, the status as an embed."""

from collections.abc import Mapping
from typing import Any

import discord

from bot.replies.help import COLOUR
from bot.replies.numbers import counted, when
from bot.replies.text import escaped
from bot.services.model import ModelStatus
from bot.services.training import Outcome, TrainingRun

BAR = 12  # squares
SENTENCE = 600  # most characters of a reason


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
    if run.status == "promoted":
        lines = [f"**The new model is live**, trained in {_duration(run)}."]
    elif run.status == "refused":
        lines = [f"**The new model was not promoted.**{reason} What was live stays live."]
    else:
        word = {"cancelled": "was cancelled", "failed": "failed"}[run.status]
        return f"**The training {word}.**{reason} What was live stays live."
    if outcome.report is not None:
        lines += [_data(outcome.report), _quality(outcome.report)]
    if run.status == "promoted":
        lines.append(f"{reason.strip()} `/recommend` uses it from now on.".strip())
    return "\n".join(line for line in lines if line)


def interrupted_text() -> str:
    return "**The training failed.** The bot was stopped in the middle of it. What was live stays live."


def status_embed(status: ModelStatus) -> discord.Embed:
    embed = discord.Embed(title="The shared model", colour=COLOUR)
    embed.add_field(name="Live", value=_live(status), inline=False)
    if status.running is not None:
        run = status.running
        share = "" if run.fraction is None else f", {run.fraction:.0%}"
        by = f" by <@{run.requested_by}>" if run.requested_by else ""
        value = f"Started {when(run.started_at)}{by}: {escaped(run.stage or 'starting', 100)}{share}"
        embed.add_field(name="Training now", value=f"{value}\n`/model cancel` stops it.", inline=False)
    if status.last is not None:
        embed.add_field(name="Last training", value=_last(status.last), inline=False)
    embed.add_field(
        name="To train on",
        value=f"{counted(status.size.members, 'member')} with {counted(status.size.tracks, 'track')}",
        inline=False,
    )
    return embed


def _live(status: ModelStatus) -> str:
    live = status.live
    if live is None:
        return (
            "No model yet: everybody's list comes from their own taste profile. "
            "Type `/model retrain` to train the first one."
        )
    lines = [f"Version `{live.version}`, since {when(live.since)}", _data(live.report), _quality(live.report)]
    if live.fault is not None:
        lines.append(
            "⚠️ **This version could not be opened**, so the taste profile answers instead: "
            f"{escaped(live.fault, SENTENCE)}. "
            "Put its files back, or type `/model retrain` to train a new one."
        )
    return "\n".join(line for line in lines if line)


def _last(run: TrainingRun) -> str:
    reason = f" {escaped(run.reason, SENTENCE)}" if run.reason else ""
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


def _bar(fraction: float) -> str:
    done = round(max(0.0, min(1.0, fraction)) * BAR)
    return "▰" * done + "▱" * (BAR - done)


def _duration(run: TrainingRun) -> str:
    seconds = round(((run.finished_at or run.started_at) - run.started_at).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"
