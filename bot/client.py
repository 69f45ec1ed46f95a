"""The Discord client: loads the cogs, sends the commands to Discord when they changed, turns errors into replies."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Protocol

import discord
import yarl
from discord import app_commands
from discord.ext import commands

from bot.cogs.failure import answer_error

log = logging.getLogger(__name__)


class Notes(Protocol):
    """Small facts that outlive a restart; storage/notes.py."""

    async def get(self, key: str) -> str | None: ...
    async def put(self, key: str, value: str) -> None: ...


def point_at(api_url: str, gateway_url: str) -> None:
    """Send discord.py to these addresses. The library keeps them on its classes, so this holds for the process."""
    discord.http.Route.BASE = api_url
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


class Tree(app_commands.CommandTree["Client"]):
    async def interaction_check(self, interaction: discord.Interaction[Client]) -> bool:
        if interaction.client.closing:
            if interaction.type is not discord.InteractionType.autocomplete:
                await interaction.response.send_message(
                    "The bot is restarting. Please try again in a minute.", ephemeral=True
                )
            return False
        return True

    async def on_error(self, interaction: discord.Interaction[Client], error: app_commands.AppCommandError) -> None:
        await answer_error(interaction, error)


class Client(commands.Bot):
    """`cogs` and `buttons` (dynamic items, which work after a restart too) are given; nothing is found by name."""

    def __init__(
        self,
        cogs: Sequence[commands.Cog],
        buttons: Sequence[type[discord.ui.DynamicItem[discord.ui.Item[discord.ui.View]]]],
        notes: Notes,
    ) -> None:
        intents = discord.Intents.none()
        intents.guilds = True  # slash commands and buttons need no more, and no privileged intent
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            tree_cls=Tree,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
        )
        self.closing = False
        self._given_cogs = cogs
        self._given_buttons = buttons
        self._notes = notes

    @property
    def is_connected(self) -> bool:
        """Whether Discord can reach it now; the library's own `is_ready` stays true while it tries to reconnect."""
        return self.is_ready() and self.ws.open

    async def setup_hook(self) -> None:
        for cog in self._given_cogs:
            await self.add_cog(cog)
        self.add_dynamic_items(*self._given_buttons)
        await self._sync_commands()

    async def _sync_commands(self) -> None:
        """Discord counts creations of commands per day, so an unchanged set is not sent again."""
        sent = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        digest = hashlib.sha256(json.dumps([str(self.application_id), sent], sort_keys=True).encode()).hexdigest()
        known = {command.name for command in await self.tree.fetch_commands()}
        if await self._notes.get("commands") == digest and known == {command["name"] for command in sent}:
            return
        await self.tree.sync()
        await self._notes.put("commands", digest)
        log.info("sent %d commands to Discord", len(sent))
