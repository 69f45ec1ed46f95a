"""A local Discord: discord.py connects to it over real HTTP and a real websocket, and it refuses what Discord refuses.

Point the bot at `api_url` and `gateway_url`, let people do things (`command`, `click`, `select`, `submit_modal`, `say`)
and look at what they see. Not kept: voice, threads, reactions, polls, stickers, webhooks of one's own.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.discord.answers import Answers
from sandbox.discord.bell import PATIENCE_SECONDS
from sandbox.discord.body import REQUEST_BYTES
from sandbox.discord.commands import Refused
from sandbox.discord.errors import ApiError
from sandbox.discord.front import API, Front, answer
from sandbox.discord.gateway import GUILDS, INVALID_SESSION, RECONNECT, Gateway, Session
from sandbox.discord.interaction import Interaction, InteractionFailed
from sandbox.discord.limits import Fault, Faults, RateLimits
from sandbox.discord.message import Attachment, Button, Message
from sandbox.discord.people import People
from sandbox.discord.permissions import Permissions
from sandbox.discord.rest import Rest
from sandbox.discord.state import State
from sandbox.discord.world import Channel, Guild, Json, Member, Role, User
from sandbox.site import BASE_PATH, SERVER

__all__ = [
    "Attachment",
    "Button",
    "Channel",
    "DiscordServer",
    "Guild",
    "Interaction",
    "InteractionFailed",
    "Member",
    "Message",
    "Permissions",
    "Refused",
    "Role",
    "User",
]

T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


class DiscordServer(People):
    """The server and the world that lives on it.

    :param token: what the bot has to log in with.
    :param middlewares: around every HTTP exchange, outermost first, so that a recorder sees all questions and answers.
        They may read bodies with `await request.read()`, but a multipart one with `await request.post()`: it is kept.
    :param clock: UTC; the time of messages and of the fifteen minutes of an interaction's token. The three seconds of
        a first answer, rate limits and ids always follow the machine's clock, as discord.py's own do.
    :param privileged_intents: bits of privileged intents that are switched on for the application.
    :param max_concurrency: identifies per five seconds. Discord gives small bots 1; the default spares tests that
        restart a bot discord.py's wait of five seconds.
    """

    def __init__(
        self,
        *,
        token: str = "sandbox-bot-token",
        middlewares: Sequence[Middleware] = (),
        clock: Callable[[], datetime] = _now,
        privileged_intents: int = 0,
        max_concurrency: int = 16,
        heartbeat_ms: int = 41_250,
        shards: int = 1,
    ) -> None:
        state = State(clock)
        gateway = Gateway(
            state.bell,
            token=token,
            bot=state.bot,
            greet=self._greet,
            allowed_privileged=privileged_intents,
            max_concurrency=max_concurrency,
            heartbeat_ms=heartbeat_ms,
        )
        super().__init__(state, gateway)
        self.token = token
        self._middlewares = middlewares
        self._shards = shards
        self._faults = Faults()
        self._runner: web.AppRunner | None = None

    # the server

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listens; port 0 takes a free one."""
        front = Front(self.token, RateLimits(), self._faults)
        app = web.Application(middlewares=[*self._middlewares, front.admit], client_max_size=2 * REQUEST_BYTES)
        app[SERVER], app[BASE_PATH] = "discord", API
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        rest = Rest(self._state, self._gateway, lambda: self.gateway_url, self._shards)
        app.add_routes([*rest.routes(), *Answers(self._state, self._gateway).routes()])
        app.router.add_get("/gateway/", self._gateway.handle)
        app.router.add_get("/attachments/{channel}/{attachment}/{filename}", self._file)
        app.router.add_route("*", r"/api/v{version:\d+}/{rest:.*}", self._other_version)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        address = self._runner.addresses[0]
        self._state.host = f"http://{address[0]}:{address[1]}"

    async def stop(self) -> None:
        """Closes every connection and stops listening."""
        for interaction in self._state.interactions.values():
            interaction.forget_deadline()
        await self._gateway.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def api_url(self) -> str:
        """What to set as DISCORD_API_URL."""
        return self._state.host + API

    @property
    def gateway_url(self) -> str:
        """What to set as DISCORD_GATEWAY_URL."""
        return self._state.host.replace("http", "ws", 1) + "/gateway/"

    async def _file(self, request: web.Request) -> web.Response:
        attachment = self._state.attachments.get(request.match_info["attachment"])
        if attachment is None:
            raise web.HTTPNotFound
        return web.Response(body=attachment.content, content_type=attachment.content_type)

    async def _other_version(self, request: web.Request) -> web.Response:
        if request.match_info["version"] == "10":
            return answer({"message": "404: Not Found", "code": 0}, 404)
        raise ApiError.known(50041)

    def _greet(self, session: Session) -> tuple[Json, list[Guild]]:
        state = self._state
        number, count = session.shard
        guilds = [guild for guild in state.guilds.values() if guild.has(state.bot) and guild.shard(count) == number]
        ready = {
            "v": 10,
            "user": {**state.bot.wire(), "verified": True, "mfa_enabled": False},
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.gateway_url,
            "shard": [number, count],
            "application": {"id": state.application_id, "flags": 0},
        }
        return ready, guilds

    # the world

    @property
    def bot(self) -> User:
        """The bot's own user; its id is also the application's."""
        return self._state.bot

    def add_user(self, name: str, *, dms_open: bool = True) -> User:
        """A person; with `dms_open` False they take no direct messages from members of shared servers."""
        return self._state.add_user(name, dms_open=dms_open)

    def add_application_owner(self, user: User) -> None:
        """`user` owns the application; from the second one on the owners are a team."""
        self._state.owners.append(user)

    def install_for(self, user: User) -> None:
        """`user` installs the application for themself: commands that allow it work wherever they are."""
        user.installed_app = True

    def add_guild(
        self, name: str, owner: User, *, with_bot: bool = True, bot_permissions: Permissions = Permissions.NONE
    ) -> Guild:
        """A server with @everyone, #general, its owner and the bot (`bot_permissions` beyond @everyone's).

        A bot that is connected already hears of it through `invite_bot` only.
        """
        return self._state.add_guild(name, owner, with_bot=with_bot, bot_permissions=bot_permissions)

    def add_channel(self, guild: Guild, name: str) -> Channel:
        """A further text channel, before the bot connects."""
        return self._state.add_channel(guild, name)

    def add_member(self, guild: Guild, user: User, permissions: Permissions = Permissions.NONE) -> Member:
        """`user` joins, with a role of these permissions beside @everyone's."""
        return self._state.add_member(guild, user, permissions)

    async def invite_bot(self, guild: Guild, permissions: Permissions = Permissions.NONE) -> None:
        """The bot joins a server while it runs."""
        mine = self._state.add_member(guild, self.bot, permissions)
        await self._gateway.dispatch("GUILD_CREATE", guild.created([mine], mine.joined_at), guild, GUILDS)

    async def set_permissions(
        self,
        channel: Channel,
        user: User,
        *,
        allow: Permissions = Permissions.NONE,
        deny: Permissions = Permissions.NONE,
    ) -> None:
        """Overwrites what `user` (often the bot) may do in one channel, and tells the bot."""
        channel.overwrites[user.id] = (allow, deny)
        await self._gateway.dispatch("CHANNEL_UPDATE", channel.wire(), channel.guild, GUILDS)

    # what is to be seen

    def dms(self, user: User) -> list[Message]:
        """The direct messages of `user` and the bot, both sides, oldest first."""
        return self._state.history(self._state.dm(user))

    def messages(self, channel: Channel) -> list[Message]:
        """What everybody in the channel sees, oldest first."""
        return self._state.history(channel)

    def dm_channel(self, user: User) -> Channel:
        """Where `user` and the bot write to each other."""
        return self._state.dm(user)

    def commands(self, guild: Guild | None = None) -> list[Json]:
        """The synced commands: global ones, and those of `guild`."""
        return list(self._state.visible_commands(guild))

    async def wait_for_message(
        self, where: Channel | User, predicate: Callable[[Message], object] = bool, timeout: float = PATIENCE_SECONDS
    ) -> Message:
        """The first message in a channel or in a user's direct messages that `predicate` holds for, edits included.

        :raises TimeoutError: after `timeout` seconds.
        """
        channel = self._state.dm(where) if isinstance(where, User) else where
        return await self.wait_until(
            lambda: next((message for message in self.messages(channel) if predicate(message)), None),
            timeout,
            f"a message in {channel.name or 'the direct messages'}",
        )

    async def wait_until(
        self, look: Callable[[], T | None], timeout: float = PATIENCE_SECONDS, what: str = "a change"
    ) -> T:
        """The first true value of `look`, which is asked after each change here."""
        return await self._state.bell.wait_until(look, timeout, what)

    async def wait_ready(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Until a bot is connected and knows its guilds; discord.py's own `on_ready` comes two seconds later."""
        await self.wait_until(lambda: self._gateway.ready, timeout, "the bot to connect")

    async def wait_gone(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Until no bot is connected."""
        await self.wait_until(lambda: not self._gateway.ready, timeout, "the bot to disconnect")

    async def wait_commands(self, timeout: float = PATIENCE_SECONDS) -> None:
        """Until commands were synced."""
        await self.wait_until(lambda: self._state.syncs > 0, timeout, "the bot to sync its commands")

    @property
    def connected(self) -> bool:
        """Whether a bot is connected and knows its guilds."""
        return self._gateway.ready

    @property
    def resumes(self) -> int:
        """How often a session was resumed."""
        return self._gateway.resumes

    @property
    def identifies(self) -> int:
        """How often a session was begun in the last day."""
        return len(self._gateway.identifies)

    # what goes wrong

    async def request_reconnect(self) -> None:
        """Opcode 7: the client is to reconnect and resume."""
        await self._gateway.broadcast(RECONNECT, None)

    async def invalidate_session(self, resumable: bool = False) -> None:
        """Opcode 9; unless `resumable` the sessions are gone."""
        await self._gateway.broadcast(INVALID_SESSION, resumable)
        if not resumable:
            self._gateway.sessions.clear()

    async def disconnect(self, code: int | None = None) -> None:
        """Closes the websockets with a close code; None cuts the connections as a network failure does."""
        await self._gateway.drop(code)

    def fail_next(
        self, method: str, path_pattern: str, status: int = 500, times: int = 1, *, applied: bool = False
    ) -> None:
        """Answers the next `times` requests with `status`.

        :param path_pattern: of the path below the API's base; `*` matches anything, e.g. `/channels/*/messages`.
        :param applied: the request still does its work: only its answer is lost.
        """
        self._faults.plan(Fault(method, path_pattern, status, times, applied=applied))

    def rate_limit_next(
        self,
        path_pattern: str,
        retry_after: float,
        via: bool = True,
        *,
        times: int = 1,
        method: str = "*",
        is_global: bool = False,
    ) -> None:
        """Answers the next requests with 429; without `via` as the network in front of Discord does."""
        self._faults.plan(
            Fault(method, path_pattern, 429, times, retry_after=retry_after, via=via, is_global=is_global)
        )
