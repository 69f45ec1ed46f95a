"""/link: a one-time link in a direct message. /unlink: gone, at once."""

import logging
from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import MemberError
from bot.replies.link import NO_SPOTIFY, after_linking, closed_messages, invitation, look_there, unlinked
from bot.services.link import LinkService
from bot.services.link_message import LinkNews
from bot.services.unlink import UnlinkService

log = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]


class LinkCog(commands.Cog):
    """`link` is None on a host without Spotify."""

    def __init__(self, link: LinkService | None, unlink: UnlinkService) -> None:
        self._link = link
        self._unlink = unlink

    @app_commands.command(name="link", description="Connect your Spotify account, through a direct message")
    async def link(self, interaction: Interaction) -> None:
        if self._link is None:
            raise MemberError(NO_SPOTIFY)
        await interaction.response.defer(ephemeral=True, thinking=True)
        user, place = interaction.user, place_of(interaction)
        offer = await self._link.start(str(user.id), name_of(user), place)
        try:
            message = await user.send(invitation(offer, place), suppress_embeds=True)
        except (discord.HTTPException, OSError) as error:  # mostly 50007: closed direct messages
            log.info("a direct message did not go out: %s", getattr(error, "code", type(error).__name__))
            await interaction.followup.send(closed_messages(offer, place), ephemeral=True, suppress_embeds=True)
            return
        await self._link.sent(offer.request_id, str(message.channel.id), str(message.id))
        await interaction.followup.send(look_there(offer, message.jump_url), ephemeral=True)

    @app_commands.command(name="unlink", description="Delete your Spotify tokens and everything that came from Spotify")
    async def unlink(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        erased = await self._unlink.unlink(str(interaction.user.id))
        await interaction.followup.send(unlinked(erased), ephemeral=True, suppress_embeds=True)


class LinkMessageEditor:
    """Edits the direct messages that held links, known by their ids alone: it works after a restart too."""

    def __init__(self, client: Callable[[], discord.Client]) -> None:
        self._client = client

    async def show(self, channel_id: str, message_id: str, news: LinkNews) -> None:
        client = self._client()
        if client.user is None or client.is_closed():  # not logged in yet, or not any more
            return
        message = client.get_partial_messageable(int(channel_id)).get_partial_message(int(message_id))
        try:
            await message.edit(content=after_linking(news))
        except (discord.HTTPException, OSError) as error:  # deleted, or Discord is away
            log.info("a linking message was not edited: %s", getattr(error, "code", type(error).__name__))


def name_of(user: discord.User | discord.Member) -> str:
    """As friends know them, and as nobody else can be called."""
    return user.name if user.display_name == user.name else f"{user.display_name} (@{user.name})"


def place_of(interaction: Interaction) -> str | None:
    """The server's name; None in direct messages."""
    if interaction.guild_id is None:
        return None
    return (interaction.guild.name if interaction.guild else "") or "a server"
