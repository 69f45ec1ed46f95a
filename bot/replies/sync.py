"""What /sync shows, while it goes and at the end."""

import discord

from bot.replies.help import COLOUR
from bot.replies.numbers import counted, when
from bot.services.progress import Progress, Stage
from bot.spotify.records import Skip

_SKIPPED = {
    Skip.REMOVED: ("entry whose track Spotify removed", "entries whose tracks Spotify removed"),
    Skip.EPISODE: ("podcast episode", "podcast episodes"),
    Skip.UNREADABLE: ("entry that could not be read", "entries that could not be read"),
}


def sync_page(progress: Progress, *, joined: bool = False, left_alone: bool = False) -> discord.Embed:
    """`joined`: the sync was under way already when the command came. `left_alone`: it goes on, but this message can no
    longer be edited."""
    embed = discord.Embed(title=_title(progress, joined), description=_description(progress), colour=COLOUR)
    if counts := _counts(progress):
        embed.add_field(name="So far" if not progress.stage.is_last else "This time", value=counts, inline=False)
    if skipped := _skipped(progress):
        embed.add_field(name="Left out", value=skipped, inline=False)
    if left_alone:
        embed.add_field(name="Next", value="This takes a while; `/status` shows how far it is.", inline=False)
    if progress.stage is Stage.COMPLETE:
        following = (
            "`/recommend` gives you ten tracks of your own."
            if progress.tracks
            else "There is nothing to learn from yet: play or save some music on Spotify, then type `/sync` again."
        )
        embed.add_field(name="Next", value=following, inline=False)
    return embed


def _title(progress: Progress, joined: bool) -> str:
    if progress.stage is Stage.COMPLETE:
        return "Your tracks are up to date"
    if progress.stage is Stage.STOPPED:
        return "The sync stopped"
    if progress.stage is Stage.UNLINKED:
        return "The sync ended: you unlinked Spotify"
    return "A sync is under way already" if joined else "Collecting your tracks"


def _description(progress: Progress) -> str:
    if progress.stage is Stage.COMPLETE:
        return f"I know {counted(progress.tracks, 'track')} of yours."
    if progress.stage is Stage.STOPPED:
        later = f"\nIt goes on by itself {when(progress.resumes_at)}." if progress.resumes_at else ""
        return f"{progress.reason or 'The bot is restarting.'}{later}"
    if progress.stage is Stage.UNLINKED:
        return "Nothing more is collected, and what was collected is deleted."
    if progress.stage is Stage.PLAYLISTS and progress.playlists:
        return f"Reading: playlists, {progress.playlists_done} of {progress.playlists}."
    return f"Reading: {progress.stage}."


def _counts(progress: Progress) -> str:
    """One line each, only those that say something."""
    lines = [
        (progress.entries, f"{counted(progress.entries, 'entry', 'entries')} read, {progress.added:,} of them new"),
        (progress.unchanged, f"{counted(progress.unchanged, 'list')} unchanged since last time"),
        (progress.removed, f"{counted(progress.removed, 'entry', 'entries')} gone on Spotify, so gone here"),
        (progress.features_found, f"audio features found for {counted(progress.features_found, 'track')}"),
    ]
    return "\n".join(line for number, line in lines if number)


def _skipped(progress: Progress) -> str:
    lines = [counted(number, *_SKIPPED[reason]) for reason, number in progress.skipped.items() if number]
    if progress.refused:
        lines.append(f"{counted(progress.refused, 'list')} that Spotify does not let this bot read")
    return "\n".join(lines)
