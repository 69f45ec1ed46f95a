"""/status: what is linked and collected, and what to do next."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.replies.status import status_page
from bot.services.status import StatusService

Interaction = discord.Interaction[Any]


class StatusCog(commands.Cog):
    def __init__(self, service: StatusService) -> None:
        self._service = service

    @app_commands.command(name="status", description="What is linked and collected, and what to do next")
    async def status(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        status = await self._service.status(str(interaction.user.id))
        await interaction.edit_original_response(embed=status_page(status))
