"""/connect: read what somebody listens to at ListenBrainz or Last.fm. /disconnect: gone, at once."""

import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.replies.connect import First, disconnected, listen_page
from bot.services.connect import LABELS, ConnectService
from bot.services.unlink import UnlinkService
from bot.sources import Source

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]
_SERVICES = [app_commands.Choice(name=label, value=source.value) for source, label in LABELS.items()]


class ConnectCog(commands.GroupCog, group_name="connect", group_description="Let me read what you listen to elsewhere"):
    def __init__(self, service: ConnectService) -> None:
        super().__init__()
        self._service = service

    @app_commands.command(name="listenbrainz", description="Read your listens and loves at ListenBrainz")
    @app_commands.describe(
        user="Your name there, or the address of your profile",
        token="Your user token proves that it is you; it is used once and not kept",
    )
    async def listenbrainz(self, interaction: Interaction, user: str, token: str | None = None) -> None:
        await self._connect(interaction, Source.LISTENBRAINZ, user, token)

    @app_commands.command(name="lastfm", description="Read your scrobbles and loved tracks at Last.fm")
    @app_commands.describe(user="Your name there, or the address of your profile")
    async def lastfm(self, interaction: Interaction, user: str) -> None:
        await self._connect(interaction, Source.LASTFM, user, None)

    async def _connect(self, interaction: Interaction, source: Source, user: str, token: str | None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        run = await self._service.connect(str(interaction.user.id), source, user, token)
        first = First(proven=token is not None, can_prove=source is Source.LISTENBRAINZ)
        shown = None
        async for progress in run.follow():
            page = listen_page(progress, first=first)
            if page != shown and await show(interaction, [page]):  # an edit that changes nothing uses up the rate limit
                shown = page
        if not run.is_over:
            await show(interaction, [listen_page(run.progress, first=first, left_alone=True)])


class DisconnectCog(commands.Cog):
    def __init__(self, unlink: UnlinkService, connections: ConnectService) -> None:
        self._unlink = unlink
        self._connections = connections

    @app_commands.command(
        name="disconnect", description="Delete everything that came from a service that you connected, at once"
    )
    @app_commands.describe(service="The service; Spotify itself goes with /unlink")
    @app_commands.choices(service=_SERVICES)
    async def disconnect(self, interaction: Interaction, service: app_commands.Choice[str]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        source = Source(service.value)
        await self._connections.forget(str(interaction.user.id), source)
        gone = await self._unlink.unlink(str(interaction.user.id), source)
        await interaction.followup.send(disconnected(gone, LABELS[source]), ephemeral=True)


async def show(interaction: Interaction, pages: list[discord.Embed]) -> bool:
    """An edit that does not go out is followed by another; what is shown goes on all the same."""
    try:
        await interaction.edit_original_response(embeds=pages)
    except (discord.HTTPException, OSError) as error:
        log.warning("progress was not shown: %s", getattr(error, "code", type(error).__name__))
        return False
    return True
