"""/help: what one can do here, by task."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.replies.help import help_page


class HelpCog(commands.Cog):
    def __init__(self, has_spotify: bool, has_lastfm: bool) -> None:
        self._has_spotify = has_spotify
        self._has_lastfm = has_lastfm

    @app_commands.command(name="help", description="What this bot does, and what you can type")
    async def help(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(embed=help_page(self._has_spotify, self._has_lastfm), ephemeral=True)
