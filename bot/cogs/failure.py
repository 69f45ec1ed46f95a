"""How a failed command or button answers: one handler for all of them."""

import logging

import discord
from discord import app_commands

from bot.errors import SpecRecError, UnforeseenError

log = logging.getLogger(__name__)


async def answer_error(interaction: discord.Interaction, error: Exception) -> None:
    """One handler for commands and buttons: the member gets one sentence, the log the cause under the same code."""
    while isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    told = _told(error)
    if told is not None:
        log.info("refused %s: %s", _name(interaction), type(error).__name__)
    else:
        unforeseen = UnforeseenError()
        log.error("%s %s failed", unforeseen, _name(interaction), exc_info=error)
        told = unforeseen.told
    try:
        if interaction.response.is_done():
            await interaction.followup.send(told, ephemeral=True)
        else:
            await interaction.response.send_message(told, ephemeral=True)
    except (discord.HTTPException, OSError) as failure:  # OSError: Discord is away
        log.warning("could not tell a member about an error: %s", getattr(failure, "code", type(failure).__name__))


def _told(error: Exception) -> str | None:
    """What the member reads of an error that was foreseen; None for all others."""
    if isinstance(error, app_commands.AppCommandError):
        return "This command cannot be used here or by you."
    if isinstance(error, SpecRecError) and error.told != SpecRecError().told:
        return error.told
    return None


def _name(interaction: discord.Interaction) -> str:
    if interaction.command is not None:
        return f"/{interaction.command.qualified_name}"
    return "a button"
