"""/privacy: what is held about a member, and what they may do about it."""

import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.press import owners_button
from bot.errors import MemberError
from bot.replies.privacy import (
    DELETE_ID,
    KEEP_ID,
    delete_question,
    export_link_text,
    export_text,
    kept_text,
    overview_page,
    paused_text,
    receipt_page,
    resumed_text,
    training_page,
)
from bot.replies.sources import source_name
from bot.services.deletion import NOTHING, DeletionService
from bot.services.export import Export, ExportService
from bot.services.privacy import PrivacyService
from bot.sources import Source

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

EVERY = "all"
FILE_NAME = "specrec-data.zip"


class PrivacyCog(commands.GroupCog, group_name="privacy", group_description="Your data: see, export, pause, delete it"):
    def __init__(self, privacy: PrivacyService, exports: ExportService, deletion: DeletionService) -> None:
        super().__init__()
        self._privacy = privacy
        self._exports = exports
        self._deletion = deletion

    @app_commands.command(name="show", description="What is held about you, where it came from, and since when")
    async def show(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        overview = await self._privacy.overview(str(interaction.user.id))
        await interaction.edit_original_response(embed=overview_page(overview))

    @app_commands.command(name="export", description="Everything that is held about you, as one ZIP of JSON and CSV")
    async def export(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        export = await self._exports.make(str(interaction.user.id), interaction.user.display_name)
        if export.size <= interaction.filesize_limit and await _attach(interaction, export):
            return
        url = self._exports.offer(export)
        await interaction.edit_original_response(content=export_link_text(export.size, url), attachments=[])

    @app_commands.command(name="pause", description="Keep everything, but collect, train on and show nothing of yours")
    async def pause(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._privacy.pause(str(interaction.user.id))
        await interaction.edit_original_response(content=paused_text())

    @app_commands.command(name="resume", description="Go on after a pause")
    async def resume(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._privacy.resume(str(interaction.user.id))
        await interaction.edit_original_response(content=resumed_text())

    @app_commands.command(name="training", description="What the shared model may learn from, of yours and altogether")
    @app_commands.describe(source="Where it came from", allow="Whether it may be trained on, where the host allows it")
    @app_commands.choices(
        source=[
            app_commands.Choice(name="everything", value=EVERY),
            *(app_commands.Choice(name=source_name(source), value=source.value) for source in Source),
        ]
    )
    async def training(self, interaction: Interaction, source: str | None = None, allow: bool | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = str(interaction.user.id)
        if (source is None) != (allow is None):
            raise MemberError("Give both `source` and `allow` to change something, or neither to see how it stands.")
        if source is None or allow is None:
            training = await self._privacy.training(owner)
        else:
            chosen = list(Source) if source == EVERY else [Source(source)]
            training = await self._privacy.set_training(owner, chosen, allowed=allow)
        await interaction.edit_original_response(embed=training_page(training, changed=source is not None))

    @app_commands.command(name="delete", description="Delete everything about you, at once and for good")
    async def delete(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = str(interaction.user.id)
        overview = await self._privacy.overview(owner)
        if not overview.belongings:
            raise MemberError(NOTHING)
        embed, view = delete_question(overview, owner)
        await interaction.edit_original_response(embed=embed, view=view)

    async def deleted(self, interaction: Interaction) -> None:
        """Yes was pressed."""
        await interaction.response.defer()
        receipt = await self._deletion.delete(str(interaction.user.id))
        await interaction.edit_original_response(embed=receipt_page(receipt), view=None)

    async def kept(self, interaction: Interaction) -> None:
        await interaction.response.edit_message(content=kept_text(), embed=None, view=None)


async def _attach(interaction: Interaction, export: Export) -> bool:
    """Where Discord refuses the file all the same (a server may not let the bot attach any), it waits on a page."""
    try:
        file = discord.File(export.file, filename=FILE_NAME)
        await interaction.edit_original_response(content=export_text(export.size), attachments=[file])
    except discord.HTTPException as error:
        log.info("an export could not be attached: %s", error.code)
        return False
    export.file.close()
    return True


DeleteButton = owners_button(DELETE_ID, PrivacyCog, PrivacyCog.deleted)
KeepButton = owners_button(KEEP_ID, PrivacyCog, PrivacyCog.kept)
