"""What every button and menu of a list has in common: whose it is, and how it answers when something fails."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import discord
from discord.ext import commands

from bot.cogs.failure import answer_error
from bot.errors import BusyError, NotAllowedError

CogT = TypeVar("CogT", bound=commands.Cog)


async def press(interaction: discord.Interaction[Any], owner: str, answer: Callable[[], Awaitable[None]]) -> None:
    """Answer a press of the owner. Anybody else gets one sentence; the library would only log an exception."""
    try:
        if getattr(interaction.client, "closing", False):  # as the command tree does with commands
            raise BusyError("The bot is restarting. Please try again in a minute.")
        if str(interaction.user.id) != owner:
            raise NotAllowedError("This list belongs to somebody else. Type /recommend for your own.")
        await answer()
    except Exception as error:
        await answer_error(interaction, error)


def cog_of(interaction: discord.Interaction[Any], kind: type[CogT]) -> CogT:
    """The cog behind an item that the library made from its custom id."""
    cog = cast(commands.Bot, interaction.client).get_cog(kind.__cog_name__)
    if not isinstance(cog, kind):
        raise LookupError(f"{kind.__cog_name__} is not loaded")
    return cog


def message_of(interaction: discord.Interaction[Any]) -> discord.Message:
    """The message that was pressed; the library calls no item without one."""
    if interaction.message is None:
        raise LookupError("a press without a message")
    return interaction.message
