"""Numbers and times as people read them."""

from datetime import datetime

import discord


def counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def when(moment: datetime) -> str:
    """A time as each reader's own Discord shows it: "in 3 hours"."""
    return discord.utils.format_dt(moment, "R")


def on_day(moment: datetime) -> str:
    """A date and time as each reader's own Discord shows it: "24 November 2026 13:05"."""
    return discord.utils.format_dt(moment, "f")
