"""Direct messages about consents that end or broke, and the button that stops them, after a restart too."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import discord
from discord.ext import commands

from bot.cogs.press import message_of, owners_button
from bot.replies.reminders import STOP_ID, lost, reminder, stop_button, stopped
from bot.services.reminders import Delivery, ReminderService

log = logging.getLogger(__name__)

LOGIN_LOOKS, LOGIN_LOOK_S = 60, 0.5

Interaction = discord.Interaction[Any]


class ReminderSender:
    """The service's way to Discord."""

    def __init__(self, client: Callable[[], discord.Client]) -> None:
        self._client = client

    async def remind(self, discord_id: str, ends_at: datetime) -> Delivery:
        return await self._send(discord_id, reminder(ends_at))

    async def lost(self, discord_id: str) -> Delivery:
        return await self._send(discord_id, lost())

    async def _send(self, discord_id: str, text: str) -> Delivery:
        client = self._client()
        for _ in range(LOGIN_LOOKS):  # at the start the bot looks before it is logged in
            if client.user is not None or client.is_closed():
                break
            await asyncio.sleep(LOGIN_LOOK_S)
        if client.user is None or client.is_closed():
            return Delivery.AWAY
        try:
            user = await client.fetch_user(int(discord_id))
            await user.send(text, view=stop_button(discord_id))
        except (discord.Forbidden, discord.NotFound) as error:
            log.info("a reminder did not go out: %s", error.code)
            return Delivery.CLOSED
        except (discord.HTTPException, OSError) as error:
            log.info("a reminder has to wait: %s", getattr(error, "code", type(error).__name__))
            return Delivery.AWAY
        return Delivery.SENT


class RemindersCog(commands.Cog):
    def __init__(self, service: ReminderService) -> None:
        self._service = service

    async def stop(self, interaction: Interaction) -> None:
        await interaction.response.defer()
        await self._service.stop(str(interaction.user.id))
        text = stopped(message_of(interaction).content)
        await interaction.edit_original_response(content=text, view=None)


StopRemindersButton = owners_button(STOP_ID, RemindersCog, RemindersCog.stop)
