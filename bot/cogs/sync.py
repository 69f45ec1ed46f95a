"""/sync: collect now whatever a member linked or connected, told while it goes."""

import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import MemberError, NeedsReconnectError, NotLinkedError
from bot.replies.connect import listen_page
from bot.replies.link import NO_SPOTIFY
from bot.replies.sync import sync_page
from bot.services.connect import ConnectService, ListenRun
from bot.services.run import Run, follow
from bot.services.sync import SyncRun, SyncService

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]


class SyncCog(commands.Cog):
    """`service` is None on a host without Spotify."""

    def __init__(self, service: SyncService | None, connections: ConnectService) -> None:
        self._service = service
        self._connections = connections

    @app_commands.command(name="sync", description="Collect now what you listened to and saved")
    async def sync(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        spotify, others = await self._begin(str(interaction.user.id))
        runs: list[Run[Any]] = [*(run for run, _ in spotify), *(run for run, _ in others)]
        shown = None
        async for _ in follow(runs):
            pages = _pages(spotify, others)
            if pages != shown and await _show(
                interaction, pages
            ):  # an edit that changes nothing uses up the rate limit
                shown = pages
        if not all(run.is_over for run in runs):
            await _show(interaction, _pages(spotify, others, left_alone=True))

    async def _begin(self, discord_id: str) -> tuple[list[tuple[SyncRun, bool]], list[tuple[ListenRun, bool]]]:
        """Spotify's sync and those of other services, with whether each is new. What cannot be synced of Spotify's is
        told only to those who have nothing else."""
        others = await self._connections.start(discord_id)
        if self._service is None:
            if not others:
                raise MemberError(NO_SPOTIFY)
            return [], others
        try:
            return [await self._service.start(discord_id)], others
        except (NotLinkedError, NeedsReconnectError):
            if not others:
                raise
            return [], others


def _pages(
    spotify: list[tuple[SyncRun, bool]], others: list[tuple[ListenRun, bool]], *, left_alone: bool = False
) -> list[discord.Embed]:
    return [
        *(sync_page(run.progress, joined=not new, left_alone=left_alone and not run.is_over) for run, new in spotify),
        *(listen_page(run.progress, joined=not new, left_alone=left_alone and not run.is_over) for run, new in others),
    ]


async def _show(interaction: Interaction, pages: list[discord.Embed]) -> bool:
    """An edit that does not go out is followed by another; the sync goes on all the same."""
    try:
        await interaction.edit_original_response(embeds=pages)
    except (discord.HTTPException, OSError) as error:
        log.warning("a sync was not shown: %s", getattr(error, "code", type(error).__name__))
        return False
    return True
