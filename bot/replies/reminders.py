"""What the reminders of an ending or broken consent say."""

from datetime import datetime

import discord

from bot.replies.numbers import when

STOP_ID = r"reminders:stop:(?P<owner>[0-9]{1,20})"


def reminder(ends_at: datetime) -> str:
    return (
        f"**Your Spotify link ends {when(ends_at)}** ({discord.utils.format_dt(ends_at, 'D')}). Spotify lets every "
        "consent end six months after it was given.\n`/link` renews it in a minute, and everything collected so far is "
        "kept. Without it I still know your music, but learn nothing new from Spotify."
    )


def lost() -> str:
    return (
        "**Spotify takes your link no more**, though its six months are not over; perhaps you ended it on Spotify's "
        "own pages.\n`/link` connects it again, and everything collected so far is kept. If you meant it to end, "
        "`/unlink` deletes what came from Spotify."
    )


def stop_button(discord_id: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(
        discord.ui.Button(
            label="No more reminders",
            style=discord.ButtonStyle.secondary,
            custom_id=f"reminders:stop:{discord_id}",
        )
    )
    return view


def stopped(text: str) -> str:
    """What the message says after the button."""
    return f"{text}\n\nNo more reminders, as you wish. The next `/link` asks you again."
