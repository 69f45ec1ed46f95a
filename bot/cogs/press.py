"""What every button and menu under a message has in common: whose it is, and how it answers when something fails."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar, cast

import discord
from discord.ext import commands

from bot.cogs.failure import answer_error
from bot.errors import BusyError, NotAllowedError

Button = discord.ui.Button[discord.ui.View]
CogT = TypeVar("CogT", bound=commands.Cog)


async def press(interaction: discord.Interaction[Any], owner: str, answer: Callable[[], Awaitable[None]]) -> None:
    """Answer a press of the owner. Anybody else gets one sentence; the library would only log an exception."""
    try:
        if getattr(interaction.client, "closing", False):  # as the command tree does with commands
            raise BusyError("The bot is restarting. Please try again in a minute.")
        if str(interaction.user.id) != owner:
            raise NotAllowedError(
                "This message belongs to somebody else. Type the command yourself to get one of your own."
            )
        await answer()
    except Exception as error:
        await answer_error(interaction, error)


def cog_of(interaction: discord.Interaction[Any], kind: type[CogT]) -> CogT:
    """The cog behind an item that the library made from its custom id."""
    cog = cast(commands.Bot, interaction.client).get_cog(kind.__cog_name__)
    if not isinstance(cog, kind):
        raise LookupError(f"{kind.__cog_name__} is not loaded")
    return cog


def message_of(interaction: discord.Interaction[Any]) -> discord.Message:
    """The message that was pressed; the library calls no item without one."""
    if interaction.message is None:
        raise LookupError("a press without a message")
    return interaction.message


def owners_button(
    custom_id: str, kind: type[CogT], answer: Callable[[CogT, discord.Interaction[Any]], Awaitable[None]]
) -> type[discord.ui.DynamicItem[Button]]:
    """The class of a button that asks nothing but whose it is; it works after a restart too. `custom_id` is a pattern
    with a group `owner`; `answer` is the method of the cog `kind` that a press of the owner calls."""

    class OwnersButton(discord.ui.DynamicItem[Button], template=custom_id):
        def __init__(self, item: Button, owner: str) -> None:
            super().__init__(item)
            self._owner = owner

        @classmethod
        async def from_custom_id(
            cls, _interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
        ) -> Self:
            assert isinstance(item, discord.ui.Button)
            return cls(item, match["owner"])

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            await press(interaction, self._owner, lambda: answer(cog_of(interaction, kind), interaction))

    return OwnersButton
