"""What /connect and /disconnect show, and /sync of the services that a member connected."""

from dataclasses import dataclass

import discord

from bot.imports.base import Skip
from bot.replies.help import COLOUR
from bot.replies.link import later
from bot.replies.numbers import counted, when
from bot.services.listen_progress import ListenProgress, ListenStage
from bot.services.unlink import Unlinked
from bot.sources import Source

CREDIT = "[Last.fm](https://www.last.fm) provides this data."
_SKIPPED = {
    Skip.NAMELESS: ("entry that does not say which track", "entries that do not say which track"),
    Skip.UNREADABLE: ("entry that could not be read", "entries that could not be read"),
}


@dataclass(frozen=True, slots=True)
class First:
    """The first time after /connect. `can_prove`: the service has tokens."""

    proven: bool
    can_prove: bool


def listen_page(
    progress: ListenProgress, *, first: First | None = None, joined: bool = False, left_alone: bool = False
) -> discord.Embed:
    """`joined`: it was under way already when the command came. `left_alone`: it goes on, but this message can no
    longer be edited."""
    embed = discord.Embed(title=_title(progress, joined), description=_description(progress), colour=COLOUR)
    if counts := _counts(progress):
        embed.add_field(name="So far" if not progress.stage.is_last else "This time", value=counts, inline=False)
    if skipped := [
        counted(number, *_SKIPPED[why]) for why, number in progress.counts.skipped.items() if why in _SKIPPED
    ]:
        embed.add_field(name="Left out", value="\n".join(skipped), inline=False)
    if first is not None:
        embed.add_field(name="Whose name it is", value=_claim(first, progress.label), inline=False)
    following = _next(progress, left_alone)
    if following:
        embed.add_field(name="Next", value=following, inline=False)
    return embed


def disconnected(gone: Unlinked, label: str) -> str:
    erased = gone.erased
    return (
        f"{label} is disconnected. Deleted here, just now: {counted(erased.plays, 'play')}, "
        f"{counted(erased.interactions, 'row')} about {counted(erased.tracks, 'track')}, "
        f"{counted(erased.listings, 'list')} and the name.\n{later(gone)}"
        f"{label} itself still has everything; likes and dislikes that you gave here in Discord stay."
    )


def _title(progress: ListenProgress, joined: bool) -> str:
    match progress.stage:
        case ListenStage.COMPLETE:
            return f"Your listening from {progress.label} is up to date"
        case ListenStage.STOPPED:
            return f"Collecting from {progress.label} stopped"
        case ListenStage.GONE:
            return f"{progress.label} is not connected any more"
    return f"{progress.label} is being read already" if joined else f"Reading what you listened to on {progress.label}"


def _description(progress: ListenProgress) -> str:
    match progress.stage:
        case ListenStage.COMPLETE:
            text = f"I know {counted(progress.tracks, 'track')} of yours."
        case ListenStage.STOPPED:
            later = f"\nIt goes on by itself {when(progress.resumes_at)}." if progress.resumes_at else ""
            text = f"{progress.reason or 'The bot is restarting.'}{later}"
        case ListenStage.GONE:
            text = progress.reason or "Nothing more is collected, and what was collected is deleted."
        case ListenStage.LISTENS if progress.there:
            text = f"Reading: listens, {min(progress.read, progress.there):,} of {progress.there:,}."
        case ListenStage.MATCHING if progress.to_look_up:
            text = f"Looking up tracks: {min(progress.looked_up, progress.to_look_up):,} of {progress.to_look_up:,}."
        case _:
            text = f"Reading: {progress.stage}."
    return f"{text}\n{CREDIT}" if progress.source is Source.LASTFM else text


def _counts(progress: ListenProgress) -> str:
    """One line each, only those that say something."""
    counts = progress.counts
    ended = progress.stage.is_last
    lines = [
        (progress.read, f"{counted(progress.read, 'listen')} read, {counts.new:,} of them new"),
        (progress.loved, f"{counted(progress.loved, 'track')} that you love there"),
        (
            progress.loved_unknown,
            f"{counted(progress.loved_unknown, 'loved track', 'loved tracks')} not known here yet: likes as soon "
            "as they are",
        ),
        (
            progress.waiting if ended else 0,
            f"{counted(progress.waiting, 'play is', 'plays are')} of tracks not known here yet: they count from the "
            "day when somebody brings the track",
        ),
    ]
    return "\n".join(line for number, line in lines if number)


def _claim(first: First, label: str) -> str:
    if first.proven:
        return "Your token proved that it is yours: nobody else here can connect it. The token is not kept."
    if first.can_prove:
        return (
            "I take your word for it: what is read there is public. Whoever proves with a `token` that it is theirs "
            "takes it, and what came from there is deleted here."
        )
    return f"I take your word for it: what is read there is public. {label} offers no proof, so the first here has it."


def _next(progress: ListenProgress, left_alone: bool) -> str:
    if left_alone:
        return "This takes a while; `/status` shows how far it is."
    if progress.stage is not ListenStage.COMPLETE:
        return ""
    if progress.tracks:
        return "`/recommend` gives you ten tracks of your own. I read what is new there every day by myself."
    if progress.waiting:
        return "None of your tracks is known here yet: they count as soon as they are. `/status` shows how many wait."
    return "There is nothing there to learn from yet. I look again every day."
