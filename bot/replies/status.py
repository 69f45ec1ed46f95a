"""What /status shows."""

import discord

from bot.replies.connect import CREDIT
from bot.replies.help import COLOUR
from bot.replies.numbers import counted, when
from bot.replies.text import escaped
from bot.services.connect import Connected
from bot.services.status import Next, Status
from bot.sources import Source
from specrec.interactions import Kind

_KINDS: dict[str, str] = {
    Kind.PLAYLIST: "in playlists",
    Kind.SAVED: "saved",
    Kind.RECENTLY_PLAYED: "recently played",
    Kind.FOLLOWED_ARTIST: "by artists you follow",
    Kind.TOP: "among your top tracks",
    Kind.STREAMED: "streamed",
    Kind.LIKED: "liked",
    Kind.DISLIKED: "disliked",
    Kind.KNOWN: "marked as known",
}
_SOURCES: dict[str, str] = {
    Source.SPOTIFY: "From Spotify",
    Source.DISCORD: "From the buttons under your lists",
    Source.EXPORT: "From your Spotify export",
    Source.LISTENBRAINZ: "From ListenBrainz",
    Source.LASTFM: "From Last.fm",
}
_NEXT = {
    Next.LINK: "`/link` connects your Spotify account; without it, `/import` takes the history that Spotify sends you, "
    "and `/connect` reads what you listen to at ListenBrainz or Last.fm.",
    Next.IMPORT: "`/import` takes the listening history that Spotify sends you, `/connect` reads what you listen to at "
    "ListenBrainz or Last.fm; `/recommend` works without, too.",
    Next.RECONNECT: "`/link` connects Spotify again; everything collected so far is kept.",
    Next.WAIT: "Wait a little: your tracks are being collected.",
    Next.SYNC: "`/sync` collects your tracks now.",
    Next.LISTEN: "Play or save some music on Spotify, then type `/sync`.",
    Next.MATCH: "None of your tracks is known here yet: they count as soon as somebody brings them. `/recommend` and "
    "its buttons work meanwhile.",
    Next.RECOMMEND: "`/recommend` gives you ten tracks of your own; its buttons tell me what you like.",
}


def status_page(status: Status) -> discord.Embed:
    embed = discord.Embed(title="Where you stand", colour=COLOUR)
    embed.add_field(name="Spotify", value=_spotify(status), inline=False)
    for one in status.connected:
        embed.add_field(name=one.label, value=_connected(one), inline=False)
    for source in dict.fromkeys(holding.source for holding in status.holdings):
        held = [
            _held(holding.kind, holding.tracks, holding.listings)
            for holding in status.holdings
            if holding.source == source
        ]
        embed.add_field(name=_SOURCES.get(source, f"From {source}"), value="\n".join(held), inline=False)
    if status.tracks:
        share = status.with_features / status.tracks
        embed.add_field(
            name="Altogether",
            value=f"{counted(status.tracks, 'track', 'different tracks')}; "
            f"features known for {100 * share:.0f} % of your tracks.",
            inline=False,
        )
    else:
        embed.add_field(name="Altogether", value="No tracks yet.", inline=False)
    if status.waiting:
        embed.add_field(
            name="Waiting",
            value=f"{counted(status.waiting, 'play is', 'plays are')} of tracks not known here yet: they count from "
            "the day when somebody brings the track.",
            inline=False,
        )
    embed.add_field(name="Next", value=_NEXT[status.next], inline=False)
    return embed


def _spotify(status: Status) -> str:
    account = status.account
    if account is None:
        return "Not linked." if status.has_spotify else "This host has no Spotify connection."
    lines = [f"Linked since {discord.utils.format_dt(account.linked_at, 'D')}."]
    if status.consent_ends_at is not None:
        lines.append(f"Spotify ends the link {when(status.consent_ends_at)}; `/link` renews it.")
    if status.needs_reconnect:
        lines.append("Spotify no longer accepts the link: it needs to be connected again.")
    if status.under_way is not None:
        lines.append(f"A sync is under way: {status.under_way.stage}.")
    elif account.last_synced_at is not None:
        lines.append(f"Last synced {when(account.last_synced_at)}.")
    else:
        lines.append("Not synced to the end yet.")
    if status.under_way is None and account.note and not status.needs_reconnect:
        lines.append(account.note)
        if account.resumes_at is not None:
            lines.append(f"It goes on by itself {when(account.resumes_at)}.")
    return "\n".join(lines)


def _connected(one: Connected) -> str:
    account = one.account
    if one.is_over:
        return account.note or "Not connected any more."
    word = "your token proved that it is yours" if one.proven else "on your word"
    since = discord.utils.format_dt(account.linked_at, "D")
    lines = [f"Connected as {escaped(account.user_id, 80)} since {since}, {word}."]
    if one.under_way is not None:
        lines.append(f"It is being read: {one.under_way.stage}.")
    elif account.last_synced_at is not None:
        lines.append(f"Last read {when(account.last_synced_at)}.")
    else:
        lines.append("Not read to the end yet.")
    if one.under_way is None and account.note:
        lines.append(account.note)
        if account.resumes_at is not None:
            lines.append(f"It goes on by itself {when(account.resumes_at)}.")
    if one.source is Source.LASTFM:
        lines.append(CREDIT)
    return "\n".join(lines)


def _held(kind: str, tracks: int, listings: int) -> str:
    line = f"{counted(tracks, 'track')} {_KINDS.get(kind, kind)}"
    return f"{line} ({listings:,})" if kind == Kind.PLAYLIST and listings > 1 else line
