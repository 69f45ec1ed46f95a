"""/model retrain, status, cancel, promote, rollback: the one model that answers everybody."""

import asyncio
import io
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.charts import model_picture
from bot.clock import Clock
from bot.cogs.run_message import RunMessage
from bot.errors import NotAllowedError
from bot.replies.model import (
    bars,
    interrupted_text,
    now_text,
    progress_text,
    result_text,
    started,
    status_embed,
    version_label,
)
from bot.services.model import Asker, ModelService
from bot.services.training import Training

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]

EDIT_SECONDS = 2.0  # between two edits of a message; Discord slows down whoever edits more
PICTURE = "model.png"
CHOICES = 25  # as many as Discord takes
GOODBYE_SECONDS = 5.0  # for the last words about a run when the bot is stopped


@app_commands.default_permissions(manage_guild=True)
class ModelCog(commands.GroupCog, group_name="model", group_description="The shared model: for the bot's admins"):
    """`client` gives the client that this cog is loaded into."""

    def __init__(self, service: ModelService, client: Callable[[], commands.Bot], clock: Clock) -> None:
        super().__init__()
        self._service = service
        self._client = client
        self._clock = clock
        self._shown: set[asyncio.Task[None]] = set()

    async def cog_load(self) -> None:
        """An earlier process may have died in the middle of a run: its message says so now."""
        self._keep(self._tell_interrupted())

    async def cog_unload(self) -> None:
        """The client closes: end the run, and let its message say so while there is a connection."""
        await self._service.close()
        if self._shown:
            await asyncio.wait(self._shown, timeout=GOODBYE_SECONDS)
        for task in self._shown:
            task.cancel()

    @app_commands.command(name="retrain", description="Train the shared model anew on what members listen to")
    async def retrain(self, interaction: Interaction) -> None:
        await self._admit(interaction)
        training = await self._service.retrain(str(interaction.user.id))
        self._keep(self._show(training, RunMessage(interaction, self._clock), interaction))

    @app_commands.command(name="status", description="What is live, since when, how good it is, and the last training")
    async def status(self, interaction: Interaction) -> None:
        await self._admit(interaction)
        status = await self._service.status()
        shown = bars(status)
        if not shown:
            await interaction.edit_original_response(embed=status_embed(status))
            return
        picture = await asyncio.to_thread(model_picture, shown, status.thresholds)
        await interaction.edit_original_response(
            embed=status_embed(status, PICTURE), attachments=[discord.File(io.BytesIO(picture), PICTURE)]
        )

    @app_commands.command(name="cancel", description="Stop the training run that is under way")
    async def cancel(self, interaction: Interaction) -> None:
        await self._admit(interaction)
        await self._service.cancel()
        await interaction.edit_original_response(content="The training is being stopped. What was live stays live.")

    @app_commands.command(name="promote", description="Make another version live: a refused or an earlier one")
    @app_commands.describe(version="Its name, as /model status shows it")
    async def promote(self, interaction: Interaction, version: str) -> None:
        await self._admit(interaction)
        now = await self._service.promote(version, str(interaction.user.id))
        await interaction.edit_original_response(content=now_text(now, back=False))

    @promote.autocomplete("version")
    async def _versions(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        try:
            await self._check(interaction)
        except NotAllowedError:
            return []
        offered = [(version_label(one), one.version) for one in await self._service.choices()]
        return [
            app_commands.Choice(name=label, value=version)
            for label, version in offered
            if typed.strip().lower() in label.lower()
        ][:CHOICES]

    @app_commands.command(name="rollback", description="Make the version live again that was live before")
    async def rollback(self, interaction: Interaction) -> None:
        await self._admit(interaction)
        now = await self._service.roll_back(str(interaction.user.id))
        await interaction.edit_original_response(content=now_text(now, back=True))

    async def _admit(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._check(interaction)

    async def _check(self, interaction: Interaction) -> None:
        """Discord hides the commands from others, but a server's admins can change that: so it is checked here too."""
        client = self._client()
        asker = Asker(
            await client.is_owner(interaction.user),
            None if interaction.guild_id is None else str(interaction.guild_id),
            interaction.permissions.manage_guild,
        )
        self._service.check(asker, [str(guild.id) for guild in client.guilds])

    async def _show(self, training: Training, message: RunMessage, interaction: Interaction) -> None:
        shown = training.progress
        posted = await message.post(progress_text(shown.stage, shown.fraction))
        try:
            await interaction.edit_original_response(content=started(shown_elsewhere=posted is not None))
        except (discord.HTTPException, OSError) as error:  # the run goes on all the same
            log.warning("a reply did not go out: %s", getattr(error, "code", type(error).__name__))
        if posted is not None:
            await self._service.shown_in(training.run_id, str(posted.channel.id), str(posted.id))
        while not await training.wait(EDIT_SECONDS):
            if training.progress != shown:
                shown = training.progress
                await message.show(progress_text(shown.stage, shown.fraction))
        await message.finish(result_text(await training.outcome()))

    async def _tell_interrupted(self) -> None:
        for run in self._service.take_interrupted():
            if run.channel_id is None or run.message_id is None:
                continue
            place = self._client().get_partial_messageable(int(run.channel_id))
            try:
                await place.get_partial_message(int(run.message_id)).edit(content=interrupted_text())
            except (discord.HTTPException, OSError) as error:  # deleted, or Discord is away
                log.info(
                    "an interrupted run's message was not edited: %s", getattr(error, "code", type(error).__name__)
                )

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._shown.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._shown.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("showing a training run failed", exc_info=error)
