"""A list of tracks: the embed, and the menus and buttons under it.

Everything that a press needs stands in the message itself (the owner in the custom ids, the tracks in the menus'
options, the lines in the embed), so that it works after a restart and nothing has to be remembered.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import discord

from bot.replies.help import COLOUR
from bot.replies.text import escaped, plain
from bot.services.feedback import FEEDBACK_KINDS, Change, Given
from bot.services.recommend import TOP, Basis, Line, TrackList
from bot.services.status import Next
from specrec.interactions import Kind

MENU_ID = r"feedback:(?P<kind>liked|disliked|known):(?P<owner>\d+)"
UNDO_ID = r"feedback:undo:(?P<owner>\d+):(?P<track>\d+):(?P<before>[ldk]*)"
SHARE_ID = r"recommend:share:(?P<owner>\d+)"

TITLE, ARTIST, REASON = 100, 60, 120  # most characters of each as they are sent: ten lines stay below 4,096
_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{1,32}")
_LETTERS = {Kind.LIKED: "l", Kind.DISLIKED: "d", Kind.KNOWN: "k"}

_TITLES = {"mix": "Recommended tracks", "new": "Recommended new tracks", "familiar": "Recommended familiar tracks"}
_MENUS = {Kind.LIKED: ("👍", "I like …"), Kind.DISLIKED: ("👎", "Not for me: …"), Kind.KNOWN: ("✅", "I know …")}
_GIVEN = {Kind.LIKED: "You like", Kind.DISLIKED: "Not for you:", Kind.KNOWN: "You know"}
_MARKS = {Kind.LIKED: "liked", Kind.DISLIKED: "not for you", Kind.KNOWN: "known"}

_NEXT = {
    Next.LINK: "I know nothing of your taste yet. Type `/link` to connect your Spotify account, `/import` to bring "
    "your history, or `/connect` for ListenBrainz and Last.fm.",
    Next.IMPORT: "I know nothing of your taste yet. Type `/import` to bring your listening history, or `/connect` for "
    "ListenBrainz and Last.fm.",
    Next.MATCH: "None of the tracks you listened to is known here yet: they count as soon as somebody brings them.",
    Next.WAIT: "I am still reading what you listen to. Type `/recommend` again in a minute; `/status` shows how far "
    "I am.",
    Next.RECONNECT: "I have no tracks of yours, and Spotify no longer accepts your link. `/link` connects it again.",
    Next.SYNC: "I have no tracks of yours yet. `/sync` collects them now; `/status` says whether the last time stopped "
    "early.",
    Next.LISTEN: "Your Spotify account is linked, but I found no tracks there. Save some or make a playlist, then type "
    "`/sync`.",
    Next.RECOMMEND: "I know nothing of your taste yet.",
}
_FEW = {
    "mix": "There are no more tracks to choose from yet (at most two by one artist).",
    "new": "No more tracks are new to you yet: there will be when other members link or you sync again.",
    "familiar": "These are all the tracks you know that I can rank (at most two by one artist).",
}
_NONE = {
    "mix": "There is no track to choose from yet.",
    "new": "No track is new to you yet: there will be when other members link or you sync again.",
    "familiar": "I cannot rank any track that you know yet. `kind:new` shows what you do not know.",
}

ShareState = Literal["offered", "done", "no"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One track as the menus offer it."""

    track_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Shown:
    embed: discord.Embed
    view: discord.ui.View


def list_reply(tracks: TrackList, owner: str, *, shared: bool = False) -> Shown:
    """The ten lines, or why there are fewer; the menus and the Share button where there are lines."""
    opening = _opening(tracks)
    embed = discord.Embed(
        title="A first list" if tracks.basis is Basis.START else _TITLES[tracks.kind],
        description="\n".join([*([opening, ""] if opening else []), *map(_line, tracks.lines)]),
        colour=COLOUR,
    )
    embed.set_footer(text=_footer(tracks))
    choices = [
        Choice(line.track_id, plain(f"{line.rank}. {' – '.join([line.title, *line.artists[:1]])}", 100))
        for line in tracks.lines
    ]
    _show_given(embed, choices, tracks.given)
    share: ShareState = "no" if tracks.basis is Basis.START else "done" if shared else "offered"
    return Shown(embed, _view(choices, tracks.given, owner, None, share))


def after_change(message: discord.Message, owner: str, change: Change, given: Mapping[str, Given]) -> Shown:
    """The list after its owner said something about a track, or took it back; the last change can be undone."""
    embed, choices = message.embeds[0].copy().clear_fields(), choices_of(message)
    _show_given(embed, choices, given)
    embed.add_field(name="Noted", value=_noted(change), inline=False)
    letters = "".join(_LETTERS[kind] for kind in FEEDBACK_KINDS if kind in change.before)
    undo = f"feedback:undo:{owner}:{change.track_id}:{letters}"
    return Shown(embed, _view(choices, given, owner, undo, _share_state(message)))


def after_undo(message: discord.Message, owner: str, change: Change, given: Mapping[str, Given]) -> Shown:
    embed, choices = message.embeds[0].copy().clear_fields(), choices_of(message)
    _show_given(embed, choices, given)
    embed.add_field(name="Noted", value=f"Undone: {_noted(change, again=True)}", inline=False)
    return Shown(embed, _view(choices, given, owner, None, _share_state(message)))


def after_share(message: discord.Message, owner: str, given: Mapping[str, Given]) -> discord.ui.View:
    """The owner's own list once it was shared: it cannot be shared again."""
    undo = _button(message, UNDO_ID)
    return _view(choices_of(message), given, owner, undo.custom_id if undo else None, "done")


def shared_list(embed: discord.Embed, owner_name: str) -> discord.Embed:
    """What everybody sees of a list: the lines, and nothing that its owner said about them."""
    return embed.copy().clear_fields().set_author(name=plain(f"{owner_name}'s list", 100))


def choices_of(message: discord.Message) -> list[Choice]:
    """The tracks of a list, first to last, as its menus hold them."""
    menu = next((child for child in _pressable(message) if isinstance(child, discord.SelectMenu)), None)
    return [Choice(option.value, option.label) for option in menu.options] if menu else []


def given_before(letters: str) -> Given:
    """What an Undo button says stood before."""
    return frozenset(kind for kind, letter in _LETTERS.items() if letter in letters)


def _view(
    choices: Sequence[Choice], given: Mapping[str, Given], owner: str, undo: str | None, share: ShareState
) -> discord.ui.View:
    """Menus of one choice each: open, choose, done."""
    view = discord.ui.View(timeout=None)
    for kind in FEEDBACK_KINDS if choices else ():
        emoji, words = _MENUS[kind]
        options = [
            discord.SelectOption(
                label=choice.label,
                value=choice.track_id,
                emoji=emoji if kind in given.get(choice.track_id, ()) else None,
                description="Choose again to take it back" if kind in given.get(choice.track_id, ()) else None,
            )
            for choice in choices
        ]
        view.add_item(
            discord.ui.Select(custom_id=f"feedback:{kind}:{owner}", placeholder=f"{emoji} {words}", options=options)
        )
    if undo is not None:
        view.add_item(discord.ui.Button(label="Undo", emoji="↩️", custom_id=undo))
    if choices and share != "no":
        view.add_item(
            discord.ui.Button(
                label="Share" if share == "offered" else "Shared",
                emoji="📣",
                disabled=share == "done",
                custom_id=f"recommend:share:{owner}",
            )
        )
    view.stop()  # presses are answered by their custom ids: the library need not remember one view a list for ever
    return view


def _share_state(message: discord.Message) -> ShareState:
    share = _button(message, SHARE_ID)
    return "no" if share is None else "done" if share.disabled else "offered"


def _button(message: discord.Message, pattern: str) -> discord.Button | None:
    buttons = (child for child in _pressable(message) if isinstance(child, discord.Button))
    return next((button for button in buttons if re.fullmatch(pattern, button.custom_id or "")), None)


def _pressable(message: discord.Message) -> Iterator[object]:
    for row in message.components:
        if isinstance(row, discord.ActionRow):
            yield from row.children


def _line(line: Line) -> str:
    title = escaped(line.title, TITLE) or "Untitled"
    if line.spotify_id is not None and _SPOTIFY_ID.fullmatch(line.spotify_id):
        title = f"[{title}](https://open.spotify.com/track/{line.spotify_id})"
    first = " · ".join(part for part in (title, escaped(", ".join(line.artists), ARTIST)) if part)
    match = None if line.match is None else f"{round(100 * line.match)} % match"
    mark = "known" if line.known else "new to everybody here" if line.unheard else None
    parts = (match, mark, escaped(line.reason, REASON))
    second = " · ".join(part for part in parts if part)
    return f"**{line.rank}.** {first}" + (f"\n{second}" if second else "")


def _opening(tracks: TrackList) -> str:
    if tracks.next is not None:
        if not tracks.lines:
            return _NEXT[tracks.next]
        return f"{_NEXT[tracks.next]} You can also tell me below which of these tracks you like, and ask again."
    if len(tracks.lines) >= TOP:
        return ""
    if not tracks.lines and tracks.basis is Basis.TASTE and not tracks.heard:
        return (
            f"Tracks of yours that I have: {tracks.history}. I do not know yet how they sound, so I cannot choose by "
            "them. Type `/recommend` again in a few minutes; `/status` shows how far I am."
        )
    return _FEW[tracks.kind] if tracks.lines else _NONE[tracks.kind]


def _footer(tracks: TrackList) -> str:
    parts = []
    if tracks.basis is Basis.TASTE:
        parts.append("No trained model is live yet, so this comes from your taste profile alone: match is how near a")
        parts.append("track's sound is to it.")
    elif tracks.lines and tracks.basis is Basis.MODEL:
        parts.append("Match is how sure the model is that a track is one for you; a guess would be at 10 %.")
    if any(line.spotify_id for line in tracks.lines):
        parts.append("Tracks from Spotify.")
    return " ".join(parts)


def _show_given(embed: discord.Embed, choices: Sequence[Choice], given: Mapping[str, Given]) -> None:
    parts = []
    for kind in FEEDBACK_KINDS:
        ranks = [str(rank) for rank, choice in enumerate(choices, 1) if kind in given.get(choice.track_id, ())]
        if ranks:
            parts.append(f"{_MENUS[kind][0]} {', '.join(ranks)}")
    if parts:
        embed.add_field(name="Your feedback", value=" · ".join(parts), inline=False)


def _noted(change: Change, *, again: bool = False) -> str:
    """`again`: what was added stood there before."""
    title = f"**{escaped(change.title, TITLE)}**"
    added = [kind for kind in FEEDBACK_KINDS if kind in change.now - change.before]
    removed = [kind for kind in FEEDBACK_KINDS if kind in change.before - change.now]
    if added and again:
        return f"{title} is marked as {_marks(added)} again. The next `/recommend` heeds it."
    if added:
        return f"{' and '.join(_GIVEN[kind] for kind in added)} {title}. The next `/recommend` heeds it."
    if removed:
        return f"{title} is no longer marked as {_marks(removed)}. The next `/recommend` heeds it."
    return f"Nothing had changed about {title}."


def _marks(kinds: Sequence[Kind]) -> str:
    return " and ".join(_MARKS[kind] for kind in kinds)
