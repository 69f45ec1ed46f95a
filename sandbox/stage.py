"""All that the demo needs at once: the far ends, the community, a Discord server with its members, the real bot."""

import secrets
import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from cryptography.fernet import Fernet

from bot.sources import Source
from sandbox.bot_process import BotFailed, BotProcess
from sandbox.community import Community, Door, Member, make_community
from sandbox.discord_server import DiscordServer, Guild, Interaction, Message, User
from sandbox.lastfm_server import LastFmServer
from sandbox.listenbrainz_server import ListenBrainzLabsServer, ListenBrainzServer
from sandbox.reccobeats_server import ReccoBeatsServer
from sandbox.recording import Recorder
from sandbox.spotify_server import SpotifyServer

BOT_TOKEN = "sandbox-bot-token"
GUILD_NAME = "Listening Room"
HOST = "127.0.0.1"
OTHERS: tuple[Door, ...] = ("listenbrainz", "listenbrainz", "lastfm", "lastfm", "export", "export")
"""The doors of those who come beside the members who link Spotify."""


@dataclass
class Sent:
    """A command that somebody sent, such as "model retrain"."""

    name: str
    interaction: Interaction
    final_at: float | None = None
    """`time.monotonic()` of the final content, where the first content was not the final one."""

    @property
    def seconds(self) -> float | None:
        """From dispatch to the final content; None while there is none."""
        end = self.final_at or self.interaction.completed_at
        return None if end is None or self.interaction.failed else end - self.interaction.dispatched_at


class Stage:
    """`async with Stage(...) as stage:` starts all of it and ends all of it.

    The first member of the community owns the Discord server and the application, so they are its admin.

    :param record: a file that every exchange with the far ends is written to.
    """

    def __init__(self, *, seed: int, members: int = 12, record: Path | None = None) -> None:
        self.seed = seed
        self.community: Community = make_community(seed, members, others=OTHERS)
        self.sent: list[Sent] = []
        self.users: dict[str, User] = {}
        """By name."""
        self.failed = False
        """Set it when something went wrong: then the bot's log is kept."""
        self.kept_log: Path | None = None
        self._record = record
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="specrec-sandbox-")))
        port = free_port()
        self.public_url = f"http://{HOST}:{port}"
        middlewares = []
        if self._record is not None:
            recorder = Recorder.to(self._record, self.public_url)
            stack.callback(recorder.close)
            middlewares.append(recorder.middleware)
        client_id, client_secret = "sandbox-client", secrets.token_hex(16)
        self.discord = await stack.enter_async_context(DiscordServer(token=BOT_TOKEN, middlewares=middlewares))
        self.spotify = await stack.enter_async_context(
            SpotifyServer(
                client_id=client_id,
                client_secret=client_secret,
                redirect_uris=[f"{self.public_url}/spotify/callback"],
                middlewares=middlewares,
            )
        )
        self.reccobeats = await stack.enter_async_context(ReccoBeatsServer(middlewares=middlewares))
        self.listenbrainz = await stack.enter_async_context(ListenBrainzServer(middlewares=middlewares))
        self.labs = await stack.enter_async_context(ListenBrainzLabsServer(middlewares=middlewares))
        self.lastfm = await stack.enter_async_context(LastFmServer(secrets.token_hex(16), middlewares=middlewares))
        self.community.load_into(self.spotify, self.reccobeats)
        self.community.load_listens(self.listenbrainz, self.labs, self.lastfm)
        self.guild = self._people()
        self.bot = BotProcess(
            self.folder,
            {
                "DISCORD_TOKEN": BOT_TOKEN,
                "PUBLIC_URL": self.public_url,
                "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
                "TRAINING_SOURCES": ",".join(Source),
                "SPOTIFY_CLIENT_ID": client_id,
                "SPOTIFY_CLIENT_SECRET": client_secret,
                "DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'specrec.db'}",
                "MODEL_DIR": str(self.folder / "models"),
                "WEB_HOST": HOST,
                "WEB_PORT": str(port),
                "TRAINING_COOLDOWN_MINUTES": "0",
                "DISCORD_API_URL": self.discord.api_url,
                "DISCORD_GATEWAY_URL": self.discord.gateway_url,
                "SPOTIFY_API_URL": self.spotify.api_url,
                "SPOTIFY_ACCOUNTS_URL": self.spotify.accounts_url,
                "RECCOBEATS_URL": self.reccobeats.url,
                "LISTENBRAINZ_URL": self.listenbrainz.url,
                "LISTENBRAINZ_LABS_URL": self.labs.url,
                "LASTFM_URL": self.lastfm.url,
                "LASTFM_API_KEY": self.lastfm.key,
            },
            self.public_url,
        )
        stack.callback(self._keep_log)
        stack.push_async_callback(self._stop_bot)
        try:
            await self.bot.start()
            await self.bot.wait_ready()
            await self.discord.wait_commands()
        except Exception:
            self.failed = True
            raise

    def _people(self) -> Guild:
        for member in self.community.members:
            self.users[member.name] = self.discord.add_user(member.name, dms_open=not member.dms_closed)
        owner, *others = self.users.values()
        self.discord.add_application_owner(owner)
        guild = self.discord.add_guild(GUILD_NAME, owner)
        for user in others:
            self.discord.add_member(guild, user)
        return guild

    async def stop_bot(self) -> None:
        """
        :raises BotFailed: when it did not end as it should.
        """
        await self.bot.stop()

    async def _stop_bot(self) -> None:
        try:
            await self.bot.stop()
        except BotFailed:
            self.failed = True

    def _keep_log(self) -> None:
        if self.failed and self.bot.log.exists():
            self.kept_log = Path(tempfile.gettempdir()) / f"{self.folder.name}.log"
            shutil.copyfile(self.bot.log, self.kept_log)

    @property
    def admin(self) -> User:
        return next(iter(self.users.values()))

    def member(self, user: User) -> Member:
        """Who somebody on Discord is in the community."""
        return self.community.member(user.name)

    def rng(self, name: str) -> np.random.Generator:
        """Chance for what somebody does on the way; the same for the same seed."""
        return np.random.default_rng([self.seed, *name.encode()])

    def name_of(self, user_id: str) -> str:
        """A user's name; an unknown id as it is."""
        known = {user.id: user.name for user in (*self.users.values(), self.discord.bot)}
        return known.get(user_id, user_id)

    async def command(self, user: User, name: str, options: Mapping[str, object] | None = None) -> Sent:
        """Somebody types a command in #general.

        :raises Refused: when Discord's client does not let them.
        """
        sent = Sent(name, await self.discord.command(user, name, options, guild=self.guild))
        self.sent.append(sent)
        return sent

    def link_in(self, message: Message, page: str = "link") -> str | None:
        """The one-time link to the bot's pages in a message, in its text or on a button."""
        places = [*message.text.split(), *(button.url or "" for button in message.buttons)]
        for place in places:
            start = place.find(f"{self.public_url}/{page}/")
            if start >= 0:
                return place[start:].rstrip(").>,")
        return None


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])
