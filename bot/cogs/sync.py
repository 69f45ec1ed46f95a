"""/sync: collect from Spotify now, told while it goes."""

import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import MemberError
from bot.replies.link import NO_SPOTIFY
from bot.replies.sync import sync_page
from bot.services.sync import SyncService

log = logging.getLogger(__name__)

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
            if page != shown and await _show(interaction, page):  # an edit that changes nothing uses up the rate limit
                shown = page
        if not run.is_over:
            await _show(interaction, sync_page(run.progress, joined=not is_new, left_alone=True))


async def _show(interaction: Interaction, page: discord.Embed) -> bool:
    """An edit that does not go out is followed by another; the sync goes on all the same."""
    try:
        await interaction.edit_original_response(embed=page)
    except (discord.HTTPException, OSError) as error:
        log.warning("a sync was not shown: %s", getattr(error, "code", type(error).__name__))
        return False
    return True
