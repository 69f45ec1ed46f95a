"""A small bot on discord.py, as any bot is written, that the sandbox's Discord is tried with."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import discord
import yarl
from discord import app_commands

from sandbox.discord_server import DiscordServer, Guild, User

Doing = Callable[[discord.Interaction[Any]], Awaitable[object]]
Bot = TypeVar("Bot", bound=discord.Client)


class Keep(discord.ui.View):
    """A persistent button."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Keep", custom_id="keep")
    async def keep(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.edit_message(content="kept")


class Panel(discord.ui.View):
    """Buttons, a menu and a form that lead to each other."""

    @discord.ui.button(label="Again", custom_id="again")
    async def again(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.edit_message(content=f"{interaction.message.content}!")

    @discord.ui.button(label="Form", custom_id="form")
    async def form(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.send_modal(Form())

    @discord.ui.button(label="Later", custom_id="later")
    async def later(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="later")

    @discord.ui.button(label="Off", custom_id="off", disabled=True)
    async def off(self, interaction: discord.Interaction, _: discord.ui.Button) -> None: ...

    @discord.ui.select(
        custom_id="pick", max_values=2, options=[discord.SelectOption(label=name) for name in ("red", "green", "blue")]
    )
    async def pick(self, interaction: discord.Interaction, menu: discord.ui.Select) -> None:
        await interaction.response.send_message(", ".join(menu.values), ephemeral=True)

    @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who")
    async def who(self, interaction: discord.Interaction, menu: discord.ui.UserSelect) -> None:
        await interaction.response.send_message(menu.values[0].name)


class Form(discord.ui.Modal, title="A form"):
    name: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Name", custom_id="name", min_length=2, max_length=20)
    why: discord.ui.Label[Any] = discord.ui.Label(
        text="Why", component=discord.ui.TextInput(custom_id="why", required=False)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        why = self.why.component
        assert isinstance(why, discord.ui.TextInput)
        await interaction.response.edit_message(content=f"{self.name.value}: {why.value}")


class Group(app_commands.Group):
    @app_commands.command(name="retrain", description="Subcommand")
    async def retrain(self, interaction: discord.Interaction, epochs: app_commands.Range[int, 1, 9] = 3) -> None:
        await interaction.response.send_message(f"{epochs} epochs")


class SmallBot(discord.AutoShardedClient):
    """Whatever a test asks a bot to do is a coroutine in `doing`, run by /do with the interaction."""

    def __init__(self, *, allowed_installs: bool = False, **options: Any) -> None:
        super().__init__(intents=options.pop("intents", discord.Intents(guilds=True)), **options)
        both = app_commands.AppInstallationType(guild=True, user=True) if allowed_installs else None
        self.tree = app_commands.CommandTree(self, allowed_installs=both or discord.utils.MISSING)
        self.doing: Doing | None = None
        self.outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.log: list[str] = []

    async def on_resumed(self) -> None:
        self.log.append("resumed")

    async def on_shard_resumed(self, shard: int) -> None:
        self.log.append("resumed")

    async def setup_hook(self) -> None:
        self.add_view(Keep())
        self.declare()
        await self.tree.sync()

    def declare(self) -> None:
        tree = self.tree

        @tree.command(name="echo", description="Says it again")
        async def echo(interaction: discord.Interaction, text: str, user: discord.User | None = None) -> None:
            await interaction.response.send_message(f"{text} {user.name if user else ''}".strip())

        @tree.command(name="secret", description="For one person")
        async def secret(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("psst", ephemeral=True)

        @tree.command(name="colour", description="With suggestions")
        async def colour(interaction: discord.Interaction, name: str) -> None:
            await interaction.response.send_message(name)

        @colour.autocomplete("name")
        async def names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
            every = ("red", "rose", "blue")
            return [app_commands.Choice(name=name, value=name) for name in every if name.startswith(typed)]

        @tree.command(name="panel", description="Buttons and menus")
        async def panel(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("panel", view=Panel())

        @tree.command(name="keep", description="A persistent button")
        async def keep(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("keep", view=Keep())

        @tree.command(name="file", description="Sends and reads a file")
        async def file(interaction: discord.Interaction, source: discord.Attachment) -> None:
            content = await source.read()
            embed = discord.Embed(title="A file").set_image(url="attachment://copy.png")
            copy = discord.File(io.BytesIO(content[::-1]), "copy.png", description="the other way round")
            await interaction.response.send_message(file=copy, embed=embed)

        @tree.command(name="do", description="What the test says")
        async def do(interaction: discord.Interaction) -> None:
            outcome = self.outcome
            try:
                outcome.set_result(await self.doing(interaction))
            except Exception as error:
                outcome.set_exception(error)

        @tree.command(name="admin", description="Hidden from most")
        @app_commands.default_permissions(manage_guild=True)
        @app_commands.guild_only()
        async def admin(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("yes")

        tree.add_command(Group(name="model", description="Group"))


@asynccontextmanager
async def running(server: DiscordServer, bot: Bot) -> AsyncIterator[Bot]:
    """`bot`, connected to `server` as far as interactions work; closed afterwards."""
    point_at(server)
    task = asyncio.create_task(bot.start(server.token))
    ready = asyncio.create_task(server.wait_ready())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        await ready
        yield bot
    finally:
        ready.cancel()
        await bot.close()
        await asyncio.gather(task, ready, return_exceptions=True)


def point_at(server: DiscordServer) -> None:
    """discord.py keeps its two addresses on classes, so they hold for this whole process."""
    discord.http.Route.BASE = server.api_url
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_url)


async def ask(server: DiscordServer, bot: SmallBot, user: User, doing: Doing, guild: Guild | None = None):
    """`user` types /do and the bot does `doing(interaction)`.

    Returns what the person has in hand and what `doing` returned, or the exception that it raised.
    """
    bot.doing, bot.outcome = doing, asyncio.get_running_loop().create_future()
    interaction = await server.command(user, "do", guild=guild)
    (outcome,) = await asyncio.gather(bot.outcome, return_exceptions=True)
    return interaction, outcome
