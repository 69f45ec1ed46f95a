"""/import: a member's own history from Spotify's privacy page, through an upload page or attached to the command."""

import asyncio
import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.link import name_of, place_of
from bot.imports.base import Attached
from bot.replies.importing import import_page, upload_invitation
from bot.services.importing import ImportRun, ImportService
from bot.services.upload import Offer, UploadService

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]
FOLLOWED_SECONDS = 14 * 60.0  # less than the 15 minutes in which a command's reply can be edited
_FILE = "A ZIP or JSON file of your Spotify export"


class ImportCog(commands.Cog):
    def __init__(self, imports: ImportService, uploads: UploadService) -> None:
        self._imports = imports
        self._uploads = uploads

    @app_commands.command(name="import", description="Bring your listening history from Spotify's privacy page")
    @app_commands.describe(
        file=_FILE,
        file2=_FILE,
        file3=_FILE,
        file4=_FILE,
        file5=_FILE,
        private="Count plays of private sessions too (they are left out otherwise)",
    )
    async def import_(
        self,
        interaction: Interaction,
        file: discord.Attachment | None = None,
        file2: discord.Attachment | None = None,
        file3: discord.Attachment | None = None,
        file4: discord.Attachment | None = None,
        file5: discord.Attachment | None = None,
        private: bool = False,
    ) -> None:
        attached = [
            Attached(one.filename, one.url, one.size) for one in (file, file2, file3, file4, file5) if one is not None
        ]
        await interaction.response.defer(ephemeral=True, thinking=True)
        discord_id = str(interaction.user.id)
        if attached:
            await _follow(interaction, self._imports.bring(discord_id, attached, with_private=private))
            return
        place = place_of(interaction)
        offer = await self._uploads.start(discord_id, name_of(interaction.user), place, with_private=private)
        await interaction.edit_original_response(content=upload_invitation(offer))
        await self._watch(interaction, offer)

    async def _watch(self, interaction: Interaction, offer: Offer) -> None:
        """Shows under the link what comes through the page, as long as the reply can be edited."""
        loop, shown = asyncio.get_running_loop(), None
        until = loop.time() + FOLLOWED_SECONDS
        while loop.time() < until and not interaction.client.is_closed():
            progress = self._uploads.progress(offer.request_id)
            page = None if progress is None else import_page(progress)
            if page is not None and page != shown and await _show(interaction, page):
                shown = page
            await asyncio.sleep(2.0)


async def _follow(interaction: Interaction, run: ImportRun) -> None:
    """Edits the reply as things go, and once more at the end."""
    shown = None
    async for progress in run.follow():
        page = import_page(progress)
        if page != shown and await _show(interaction, page):  # an edit that changes nothing uses up the rate limit
            shown = page
    if not run.is_over:
        await _show(interaction, import_page(run.progress, left_alone=True))


async def _show(interaction: Interaction, page: discord.Embed) -> bool:
    """An edit that does not go out is followed by another; the import goes on all the same."""
    try:
        await interaction.edit_original_response(embed=page)
    except (discord.HTTPException, OSError) as error:
        log.warning("an import was not shown: %s", getattr(error, "code", type(error).__name__))
        return False
    return True
