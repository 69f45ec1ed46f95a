"""/import: a member's own history from Spotify's privacy page, as files attached to the command."""

import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import MemberError
from bot.imports.base import Attached
from bot.replies.importing import import_page
from bot.services.importing import ImportRun, ImportService

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]
_FILE = "A ZIP or JSON file of your Spotify export"


class ImportCog(commands.Cog):
    def __init__(self, imports: ImportService) -> None:
        self._imports = imports

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
        if not attached:
            raise MemberError("Attach the ZIP or the JSON files of your Spotify export: `/import file:`.")
        await interaction.response.defer(ephemeral=True, thinking=True)
        run = self._imports.bring(str(interaction.user.id), attached, with_private=private)
        await _follow(interaction, run)


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
