"""/sync: collect from Spotify now, told while it goes."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import MemberError
from bot.replies.link import NO_SPOTIFY
from bot.replies.sync import sync_page
from bot.services.sync import SyncService

Interaction = discord.Interaction[Any]


class SyncCog(commands.Cog):
    """`service` is None on a host without Spotify."""

    def __init__(self, service: SyncService | None) -> None:
        self._service = service

    @app_commands.command(name="sync", description="Collect your tracks from Spotify now")
    async def sync(self, interaction: Interaction) -> None:
        if self._service is None:
            raise MemberError(NO_SPOTIFY)
        await interaction.response.defer(ephemeral=True, thinking=True)
        run, is_new = await self._service.start(str(interaction.user.id))
        shown = None
        async for progress in run.follow():
            page = sync_page(progress, joined=not is_new)
            if page != shown:  # an edit that changes nothing would only use up the rate limit
                shown = page
                await interaction.edit_original_response(embed=page)
        if not run.is_over:
            page = sync_page(run.progress, joined=not is_new, left_alone=True)
            await interaction.edit_original_response(embed=page)
