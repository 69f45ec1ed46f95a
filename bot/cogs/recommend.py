"""/recommend, and the Share button under a list."""

from collections import deque
from typing import Any, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.press import message_of, owners_button
from bot.replies.recommend import SHARE_ID, after_share, choices_of, list_reply, shared_list
from bot.services.feedback import FeedbackService
from bot.services.recommend import Basis, RecommendService

Interaction = discord.Interaction[Any]


class RecommendCog(commands.Cog):
    def __init__(self, service: RecommendService, feedback: FeedbackService) -> None:
        self._service = service
        self._feedback = feedback
        self._shared: deque[int] = deque(maxlen=1000)  # messages; two presses may come before the button is off

    @app_commands.command(name="recommend", description="Ten tracks of your own, with a reason each")
    @app_commands.describe(
        kind="mix: known and new ones (default); new: only new ones; familiar: what you know",
        share="Show the list to everybody here (default: only you see it)",
    )
    async def recommend(
        self, interaction: Interaction, kind: Literal["mix", "new", "familiar"] = "mix", share: bool = False
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = str(interaction.user.id)
        tracks = await self._service.recommend(owner, kind)
        share = share and bool(tracks.lines) and tracks.basis is not Basis.START
        shown = list_reply(tracks, owner, shared=share)
        # The owner's own list is private also when it is shared: the menus are theirs, and so is what they choose.
        await interaction.edit_original_response(embed=shown.embed, view=shown.view)
        if share:
            await _post(interaction, shown.embed)

    async def share(self, interaction: Interaction) -> None:
        """The Share button: once per list, also for two presses at the same moment."""
        await interaction.response.defer()
        owner, message = str(interaction.user.id), message_of(interaction)
        if message.id in self._shared:
            return
        self._shared.append(message.id)
        try:
            await _post(interaction, message.embeds[0])
        except discord.HTTPException:
            self._shared.remove(message.id)
            raise
        given = await self._feedback.given(owner, [choice.track_id for choice in choices_of(message)])
        await interaction.edit_original_response(view=after_share(message, owner, given))


async def _post(interaction: Interaction, embed: discord.Embed) -> None:
    await interaction.followup.send(
        embed=shared_list(embed, interaction.user.display_name),
        ephemeral=False,
        allowed_mentions=discord.AllowedMentions.none(),
    )


ShareButton = owners_button(SHARE_ID, RecommendCog, RecommendCog.share)
