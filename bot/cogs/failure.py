"""How a failed command or button answers: one handler for all of them."""

import logging
import secrets

import discord
from discord import app_commands

from bot.errors import SpecRecError

log = logging.getLogger(__name__)


async def answer_error(interaction: discord.Interaction, error: Exception) -> None:
    """One handler for commands and buttons: the member gets one sentence, the log the cause under the same code."""
    while isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, SpecRecError):
        told, expected = error.told, type(error).told.fget is not SpecRecError.told.fget  # type: ignore[attr-defined]
    elif isinstance(error, app_commands.AppCommandError):
        told, expected = "This command cannot be used here or by you.", True
    else:
        told, expected = SpecRecError().told, False
    if expected:
        log.info("refused %s: %s", _name(interaction), type(error).__name__)
    else:
        code = secrets.token_hex(3).upper()
        log.error("[%s] %s failed", code, _name(interaction), exc_info=error)
        told = f"{told} If it happens again, tell the host this code: `{code}`."
    try:
        if interaction.response.is_done():
            await interaction.followup.send(told, ephemeral=True)
        else:
            await interaction.response.send_message(told, ephemeral=True)
    except (discord.HTTPException, OSError) as failure:  # OSError: Discord is away
        log.warning("could not tell a member about an error: %s", getattr(failure, "code", type(failure).__name__))


def _name(interaction: discord.Interaction) -> str:
    if interaction.command is not None:
        return f"/{interaction.command.qualified_name}"
    return "a button"
