"""The menus under a list, and their Undo button. They work after a restart: the custom id says all that is needed."""

import re
from collections.abc import Awaitable
from typing import Any, Self

import discord
from discord.ext import commands

from bot.cogs.press import cog_of, message_of, press
from bot.replies.recommend import MENU_ID, UNDO_ID, Shown, after_change, after_undo, choices_of, given_before
from bot.services.feedback import FeedbackService, Given

Interaction = discord.Interaction[Any]


class FeedbackCog(commands.Cog):
    def __init__(self, service: FeedbackService) -> None:
        self._service = service

    async def choose(self, interaction: Interaction, kind: str, track_id: str) -> None:
        """Something was chosen in one of the three menus."""
        await interaction.response.defer()
        owner, message = str(interaction.user.id), message_of(interaction)
        change = await self._service.toggle(owner, track_id, kind)
        await _show(interaction, after_change(message, owner, change, await self._given(owner, message)))

    async def undo(self, interaction: Interaction, track_id: str, before: Given) -> None:
        await interaction.response.defer()
        owner, message = str(interaction.user.id), message_of(interaction)
        change = await self._service.restore(owner, track_id, before)
        await _show(interaction, after_undo(message, owner, change, await self._given(owner, message)))

    async def _given(self, owner: str, message: discord.Message) -> dict[str, Given]:
        return await self._service.given(owner, [choice.track_id for choice in choices_of(message)])


async def _show(interaction: Interaction, shown: Shown) -> None:
    await interaction.edit_original_response(embed=shown.embed, view=shown.view)


class FeedbackMenu(discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template=MENU_ID):
    def __init__(self, item: discord.ui.Select[discord.ui.View], owner: str, kind: str) -> None:
        super().__init__(item)
        self._owner = owner
        self._kind = kind

    @classmethod
    async def from_custom_id(
        cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        assert isinstance(item, discord.ui.Select)
        return cls(item, match["owner"], match["kind"])

    async def callback(self, interaction: Interaction) -> None:
        def answer() -> Awaitable[None]:
            return cog_of(interaction, FeedbackCog).choose(interaction, self._kind, self.item.values[0])

        await press(interaction, self._owner, answer)


class UndoButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=UNDO_ID):
    def __init__(self, item: discord.ui.Button[discord.ui.View], owner: str, track_id: str, before: Given) -> None:
        super().__init__(item)
        self._owner = owner
        self._track_id = track_id
        self._before = before

    @classmethod
    async def from_custom_id(
        cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        assert isinstance(item, discord.ui.Button)
        return cls(item, match["owner"], match["track"], given_before(match["before"]))

    async def callback(self, interaction: Interaction) -> None:
        def answer() -> Awaitable[None]:
            return cog_of(interaction, FeedbackCog).undo(interaction, self._track_id, self._before)

        await press(interaction, self._owner, answer)
