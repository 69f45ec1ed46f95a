"""What /import shows: a link to the upload page, or how far the attached files are and what became of them."""

import discord

from bot.imports.base import Skip
from bot.replies.help import COLOUR, PRIVACY_PAGE
from bot.replies.numbers import counted
from bot.replies.text import escaped
from bot.services.importing import FileProgress, ImportProgress, Stage
from bot.services.upload import Offer

FILES = 8  # shown by name; the others are counted
_NAME = 60
_FIELD = 1024  # characters that Discord takes
_SKIPPED = {
    Skip.SHORT: ("play shorter than 30 seconds", "plays shorter than 30 seconds"),
    Skip.PRIVATE: ("play in a private session (`private:True` counts it)", "plays in private sessions "
                   "(`private:True` counts them)"),
    Skip.NOT_MUSIC: ("podcast, audiobook or video", "podcasts, audiobooks and videos"),
    Skip.NAMELESS: ("entry that does not say which track", "entries that do not say which track"),
    Skip.UNREADABLE: ("entry that could not be read", "entries that could not be read"),
}  # fmt: skip


def upload_invitation(offer: Offer) -> str:
    """The address in angle brackets: no preview is drawn of it."""
    return (
        f"**Bring your listening history.** Your upload page: <{offer.url}>\n"
        "It takes the ZIP that Spotify sends you, or the JSON files in it; what fits into Discord can be attached to "
        f"`/import` as well. Order the history at <{PRIVACY_PAGE}> (*Extended streaming history*).\n"
        "The page works for an hour, in one browser, and for you only: do not pass it on."
    )


def import_page(progress: ImportProgress, *, left_alone: bool = False) -> discord.Embed:
    """`left_alone`: it goes on, but this message can no longer be edited."""
    total = progress.total
    embed = discord.Embed(title=_title(progress), description=_files(progress), colour=COLOUR)
    counts = []
    if total.new:
        counts.append(f"{counted(total.new, 'entry', 'entries')} new")
    if total.already_there:
        counts.append(f"{total.already_there:,} already there")
    if total.unmatched:
        counts.append(f"{total.unmatched:,} of tracks that I do not know yet (by name only)")
    if counts:
        embed.add_field(name="Imported", value="\n".join(counts), inline=False)
    if left_out := [counted(number, *_SKIPPED[why]) for why, number in total.skipped.most_common() if number]:
        embed.add_field(name="Left out", value="\n".join(left_out), inline=False)
    if total.failed:
        embed.add_field(name="Not imported", value=_sentences(total.failed), inline=False)
    if left_alone:
        embed.add_field(name="Next", value="This takes a while; `/status` shows what has arrived.", inline=False)
    elif progress.is_over and (total.new or total.already_there):
        embed.add_field(name="Next", value="`/recommend` gives you ten tracks of your own.", inline=False)
    return embed


def _title(progress: ImportProgress) -> str:
    if not progress.is_over:
        return "Importing your history"
    total = progress.total
    if total.new:
        return "Your history is imported" if not total.failed else "A part of your history is imported"
    return "Everything in it was there already" if total.already_there else "Nothing was imported"


def _files(progress: ImportProgress) -> str:
    lines = [f"**{escaped(one.name, _NAME)}**: {_stage(one)}" for one in progress.files[:FILES]]
    if len(progress.files) > FILES:
        lines.append(f"… and {counted(len(progress.files) - FILES, 'more file', 'more files')}")
    return "\n".join(lines)


def _stage(one: FileProgress) -> str:
    match one.stage:
        case Stage.RECEIVING:
            return "on its way"
        case Stage.WAITING:
            return "waits for its turn"
        case Stage.READING:
            return f"reading, {counted(one.read, 'entry', 'entries')} so far"
        case Stage.STORING:
            return f"storing, {one.stored:,} of {one.to_store:,}"
        case Stage.DONE:
            return f"done, {one.counts.new:,} new"
        case Stage.REFUSED:
            return "not imported"
        case Stage.STOPPED:
            return f"stopped, {one.counts.new:,} new until then"


def _sentences(failed: list[str]) -> str:
    """As many as fit."""
    lines: list[str] = []
    for sentence in failed:
        line = escaped(sentence, 300)
        if sum(len(one) + 1 for one in lines) + len(line) > _FIELD - 40:
            lines.append(f"… and {len(failed) - len(lines):,} more")
            break
        lines.append(line)
    return "\n".join(lines)
