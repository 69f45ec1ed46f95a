"""What /privacy shows: what is held, what may be trained on, the export, and the receipt of a deletion."""

from collections.abc import Iterable, Sequence

import discord

from bot.replies.connect import CREDIT
from bot.replies.help import COLOUR
from bot.replies.link import ACCESS_PAGE
from bot.replies.numbers import counted, on_day
from bot.replies.sources import source_name
from bot.replies.text import escaped
from bot.services.deletion import Receipt
from bot.services.privacy import Allowance, Belonging, Overview
from bot.sources import Source

DELETE_ID = r"privacy:delete:(?P<owner>\d+)"
KEEP_ID = r"privacy:keep:(?P<owner>\d+)"

_NAME = 60  # characters shown of an account's name
_FIELD = 1024  # characters that Discord takes
_VERSIONS = 5  # named in a receipt; the others are counted
WORDS = {  # table -> what one row and several are to a member
    "member": ("entry as a member", "entries as a member"),
    "account": ("account", "accounts"),
    "link_request": ("link that you asked for", "links that you asked for"),
    "upload_request": ("page for uploads that you asked for", "pages for uploads that you asked for"),
    "listing": ("list", "lists"),
    "interaction": ("entry of a track in them", "entries of tracks in them"),
    "listen": ("single play", "single plays"),
    "artist_follow": ("followed artist", "followed artists"),
    "training_refusal": ("refusal of training", "refusals of training"),
    "training_run": ("training that you started", "trainings that you started"),
    "model_change": ("change of the live model that you made", "changes of the live model that you made"),
    "training_member": ("note of a training that read your data", "notes of trainings that read your data"),
}


def overview_page(overview: Overview) -> discord.Embed:
    if not overview.belongings:
        embed = discord.Embed(
            title="Nothing is held about you",
            description="Nothing is collected before you type `/link` or `/import`, or choose something under a list.",
            colour=COLOUR,
        )
        embed.add_field(name="Training", value=_training(overview.training), inline=False)
        return embed
    paused = (
        f"**Paused since {on_day(overview.paused_since)}**: kept, but neither collected, nor trained on, nor shown to "
        "others. `/privacy resume` goes on."
        if overview.paused_since
        else ""
    )
    embed = discord.Embed(title="What is held about you", description=paused or None, colour=COLOUR)
    for source in dict.fromkeys(one.source for one in overview.belongings):
        held = [one for one in overview.belongings if one.source == source]
        name = "About you" if source is None else f"From {source_name(source)}"
        lines = [_held(one) for one in held] + ([CREDIT] if source == Source.LASTFM else [])
        embed.add_field(name=name, value=_lines(lines), inline=False)
    embed.add_field(name="Altogether", value=counted(overview.tracks, "track", "different tracks"), inline=False)
    if overview.accounts:
        lines = [
            f"{source_name(one.source)}: {escaped(one.name, _NAME)}, since {on_day(one.linked_at)}"
            + (", with tokens, encrypted" if one.has_tokens else "")
            + (", with your agreement to be told when the consent ends" if one.reminds else "")
            for one in overview.accounts
        ]
        embed.add_field(name="Accounts", value=_lines(lines), inline=False)
    embed.add_field(name="Training", value=_training(overview.training), inline=False)
    if overview.versions:
        embed.add_field(
            name="The shared model",
            value=f"{counted(len(overview.versions), 'version')} that is kept was trained with some of it: "
            f"{_versions([one.version for one in overview.versions])}. No version holds your name or any id of yours.",
            inline=False,
        )
    if overview.backups_by:
        value = f"Copies of the database hold it too; the last that is there now goes by {on_day(overview.backups_by)}."
        embed.add_field(name="Copies", value=value, inline=False)
    embed.add_field(
        name="You can",
        value="`/privacy export` hand it all out · `/privacy training` say what the model may learn from · "
        "`/privacy pause` · `/privacy delete` · `/unlink` (Spotify only)",
        inline=False,
    )
    return embed


def training_page(training: Sequence[Allowance], *, changed: bool) -> discord.Embed:
    description = "From the next training on. A version that is live may still know it.\n\n" if changed else ""
    embed = discord.Embed(
        title="What the shared model may learn from", description=description + _training(training), colour=COLOUR
    )
    embed.add_field(
        name="Spotify's terms",
        value="Spotify's developer terms (IV.2.a.i) and developer policy (III.14) forbid training a machine-learning "
        "model on what its Web API returns, and name no exception. Each host decides for themself, and answers for it.",
        inline=False,
    )
    embed.add_field(
        name="Change it",
        value="`/privacy training source:… allow:False` takes a source of yours out, `allow:True` puts it back. Your "
        "own list is made from all that you have here, whatever you say.",
        inline=False,
    )
    return embed


def paused_text() -> str:
    return (
        "**Paused.** Everything is kept, but nothing more of yours is collected or stored, the next training leaves "
        "you out, and nobody else sees anything of you. `/recommend` still works for you. `/privacy resume` goes on."
    )


def resumed_text() -> str:
    return "**Going on.** Your accounts are collected again by themselves; `/sync` does it now."


def export_text(size: int) -> str:
    return f"Everything that is held about you ({_megabytes(size)}): one JSON file, and a CSV file for each table."


def export_link_text(size: int, url: str) -> str:
    return (
        f"Everything that is held about you is too large for a message ({_megabytes(size)}). It waits here, for "
        f"one download within an hour: {url}\nWhoever has this link can have the file, so keep it to yourself."
    )


def delete_question(overview: Overview, owner: str) -> tuple[discord.Embed, discord.ui.View]:
    embed = discord.Embed(
        title="Delete everything about you?",
        description="Every row and every token goes at once, for good: this cannot be undone. "
        "`/privacy export` hands it out before.",
        colour=COLOUR,
    )
    embed.add_field(name="What goes", value=_lines(map(_held, overview.belongings)), inline=False)
    view = discord.ui.View(timeout=None)
    view.add_item(
        discord.ui.Button(
            label="Delete everything", style=discord.ButtonStyle.danger, custom_id=f"privacy:delete:{owner}"
        )
    )
    view.add_item(
        discord.ui.Button(label="Keep it", style=discord.ButtonStyle.secondary, custom_id=f"privacy:keep:{owner}")
    )
    return embed, view


def kept_text() -> str:
    return "Nothing was deleted. `/privacy pause` keeps everything and uses nothing."


def receipt_page(receipt: Receipt) -> discord.Embed:
    embed = discord.Embed(
        title="Everything about you is deleted",
        description="This message is your receipt: nothing here remembers that you were a member.",
        colour=COLOUR,
    )
    embed.add_field(name="Deleted now", value=_lines(map(_held, receipt.belongings)), inline=False)
    embed.add_field(name="The shared model", value=_models(receipt), inline=False)
    copies = (
        f"Copies that were made before an update of the bot are gone by {on_day(receipt.backups_by)}."
        if receipt.backups_by
        else "There are no copies of the database that I know of."
    )
    if not receipt.log_is_clean:
        copies += " The database's own log was in use; what was deleted leaves it within minutes."
    embed.add_field(name="Copies", value=copies, inline=False)
    if any(one.table == "account" and one.source == Source.SPOTIFY for one in receipt.belongings):
        value = f"To take the app's access away there too, remove it on [Spotify's page]({ACCESS_PAGE})."
        embed.add_field(name="At Spotify", value=value, inline=False)
    return embed


def _models(receipt: Receipt) -> str:
    if receipt.models_by is None:
        return "No version that is kept was trained with your data."
    lines = []
    if receipt.versions:
        versions = [one.version for one in receipt.versions]
        lines.append(f"Trained with your data: {_versions(versions)}.")
    if receipt.training:
        lines.append("A training that is under way may have read your data: its version goes too.")
    lines.append(
        f"A training without it starts by itself before; by {on_day(receipt.models_by)} they are gone, whatever "
        "becomes of that."
    )
    return "\n".join(lines)


def _training(training: Sequence[Allowance]) -> str:
    """What the host has decided, and what the member has."""
    host = [one for one in training if one.host]
    names = ", ".join(source_name(one.source) for one in host) or "nothing"
    spotify = any(one.source is Source.SPOTIFY for one in host)
    lines = [
        f"This host trains the shared model on: {names}.",
        "Spotify's terms forbid training on what its API returns; "
        + ("this host has decided to do it all the same." if spotify else "this host has decided not to."),
    ]
    refused = [source_name(one.source) for one in training if not one.member]
    lines.append(f"You have refused: {', '.join(refused)}." if refused else "You have refused nothing.")
    return "\n".join(lines)


def _held(one: Belonging) -> str:
    words = WORDS.get(one.table)
    what = f"{counted(one.rows, 'row')} of {one.table}" if words is None else counted(one.rows, *words)
    return f"{what}, since {on_day(one.since)}" if one.since else what


def _versions(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_VERSIONS])
    return f"{shown} and {len(names) - _VERSIONS} more" if len(names) > _VERSIONS else shown


def _lines(lines: Iterable[str]) -> str:
    """As many as a field takes."""
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(kept) + len(line) > _FIELD - 2:
            return "\n".join([*kept, "…"])
        kept.append(line)
    return "\n".join(kept)


def _megabytes(size: int) -> str:
    return f"{max(size, 100_000) / 1e6:,.1f} MB"
