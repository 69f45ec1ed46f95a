"""The message that shows a training run: a run may outlive the fifteen minutes in which a command can be answered."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import discord

from bot.clock import Clock

log = logging.getLogger(__name__)

TOKEN_LIFE = timedelta(minutes=14)  # Discord's fifteen, less what an edit may wait


class RunMessage:
    """An ordinary message in the channel; where the bot may not write, the command's own reply while its token lives;
    and after that the result goes to the admin as a direct message."""

    def __init__(self, interaction: discord.Interaction[Any], clock: Clock) -> None:
        self._interaction = interaction
        self._clock = clock
        self._message: discord.Message | None = None

    async def post(self, text: str) -> discord.Message | None:
        """The channel's message, or None where the bot may not write."""
        place = self._interaction.client.get_partial_messageable(self._interaction.channel_id or 0)
        await self._try(lambda: self._send(place, text))
        return self._message

    async def show(self, text: str) -> None:
        """Progress: one that cannot be shown is followed by another."""
        if self._message is not None:
            await self._try(self._edit(text))
        elif self._token_lives():
            await self._try(lambda: self._interaction.edit_original_response(content=text))

    async def finish(self, text: str) -> None:
        """The result: by the first way that is open."""
        if self._message is not None and await self._try(self._edit(text)):
            return
        if self._token_lives() and await self._try(lambda: self._interaction.edit_original_response(content=text)):
            return
        await self._try(lambda: self._interaction.user.send(text))

    def _token_lives(self) -> bool:
        return self._clock() - self._interaction.created_at < TOKEN_LIFE

    async def _send(self, place: discord.PartialMessageable, text: str) -> None:
        self._message = await place.send(text)

    def _edit(self, text: str) -> Callable[[], Awaitable[object]]:
        message = self._message
        assert message is not None
        return lambda: message.edit(content=text)

    async def _try(self, call: Callable[[], Awaitable[object]]) -> bool:
        try:
            await call()
        except (discord.NotFound, discord.Forbidden) as error:  # deleted, or the right was taken: never again
            self._message = None
            log.info("a run cannot be shown there: %s", error.code)
            return False
        except (discord.HTTPException, OSError) as error:  # Discord is away
            log.warning("a run was not shown: %s", getattr(error, "code", type(error).__name__))
            return False
        return True
