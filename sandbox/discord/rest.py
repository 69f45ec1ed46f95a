"""The calls that a bot makes with its token: itself, users, guilds, channels, messages, commands."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from sandbox.discord.body import apply, check_body
from sandbox.discord.commands import MOST, MOST_CREATES_A_DAY, check_commands, registered
from sandbox.discord.errors import ApiError, Form
from sandbox.discord.front import API, answer, body_of, no_content, object_of
from sandbox.discord.gateway import IDENTIFIES_A_DAY, Gateway
from sandbox.discord.message import COMPONENTS_V2, EPHEMERAL, LOADING, Message
from sandbox.discord.permissions import Permissions
from sandbox.discord.state import State
from sandbox.discord.world import Channel, Guild, Json, User

# Application.flags: privileged intents that small applications have switched on
_GATEWAY_FLAGS = 1 << 13 | 1 << 15 | 1 << 19


class Rest:
    """Handlers on one state; `gateway_url` is where the bot finds the websocket."""

    def __init__(self, state: State, gateway: Gateway, gateway_url: Callable[[], str], shards: int) -> None:
        self._state = state
        self._gateway = gateway
        self._gateway_url = gateway_url
        self._shards = shards

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        application = API + "/applications/{application}"
        message = API + "/channels/{channel}/messages/{message}"
        routes = [
            web.get(API + "/users/@me", self.me),
            web.get(API + "/users/{user}", self.user),
            web.post(API + "/users/@me/channels", self.open_dm),
            web.get(API + "/oauth2/applications/@me", self.application),
            web.get(API + "/applications/@me", self.application),
            web.get(API + "/gateway", self.gateway),
            web.get(API + "/gateway/bot", self.gateway),
            web.get(API + "/guilds/{guild}", self.guild),
            web.get(API + "/guilds/{guild}/members/{user}", self.member),
            web.get(API + "/channels/{channel}", self.channel),
            web.post(API + "/channels/{channel}/typing", self.typing),
            web.get(API + "/channels/{channel}/messages", self.history),
            web.post(API + "/channels/{channel}/messages", self.post_message),
            web.get(message, self.get_message),
            web.patch(message, self.edit_message),
            web.delete(message, self.delete_message),
        ]
        for base in (application + "/commands", application + "/guilds/{guild}/commands"):
            routes += [
                web.get(base, self.list_commands),
                web.put(base, self.sync_commands),
                web.delete(base + "/{command}", self.delete_command),
            ]
        return routes

    # who

    async def me(self, request: web.Request) -> web.Response:
        """The bot itself."""
        return answer(
            {**self._state.bot.wire(), "mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}
        )

    async def user(self, request: web.Request) -> web.Response:
        """Any user."""
        return answer(self._user(request.match_info["user"]).wire())

    def _user(self, id: str) -> User:
        if id not in self._state.users:
            raise ApiError.known(10013)
        return self._state.users[id]

    async def application(self, request: web.Request) -> web.Response:
        """The bot's application; with several owners they are a team."""
        state = self._state
        nothing = ("icon", "type", "interactions_endpoint_url", "role_connections_verification_url")
        owner = state.owners[0] if state.owners else state.bot
        body: dict[str, Any] = {
            "id": state.application_id,
            "name": state.bot.name,
            "description": "",
            "bot": state.bot.wire(),
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": _GATEWAY_FLAGS,
            "flags_new": str(_GATEWAY_FLAGS),
            "redirect_uris": [],
            "owner": owner.wire(),
            "team": None,
            "approximate_guild_count": sum(guild.has(state.bot) for guild in state.guilds.values()),
            "approximate_user_install_count": sum(user.installed_app for user in state.users.values()),
            "approximate_user_authorization_count": 0,
            "explicit_content_filter": 0,
            "eligible_oauth2_scopes": [],
            **dict.fromkeys(nothing),
        }
        if len(state.owners) > 1:
            accepted = {"team_id": state.application_id, "membership_state": 2, "role": "admin", "permissions": ["*"]}
            members = [{"user": user.wire(), **accepted} for user in state.owners]
            body["team"] = {
                "id": state.application_id,
                "icon": None,
                "name": f"{state.bot.name}'s team",
                "owner_user_id": owner.id,
                "members": members,
            }
        return answer(body)

    async def gateway(self, request: web.Request) -> web.Response:
        """Where the websocket is; for bots also how many shards and how many sessions are left."""
        if request.path.endswith("/gateway"):
            return answer({"url": self._gateway_url()})
        used = len(self._gateway.identifies)
        limit = {
            "total": IDENTIFIES_A_DAY,
            "remaining": max(IDENTIFIES_A_DAY - used, 0),
            "reset_after": 86_400_000,
            "max_concurrency": self._gateway.max_concurrency,
        }
        return answer({"url": self._gateway_url(), "shards": self._shards, "session_start_limit": limit})

    # guilds and channels

    def _guild(self, request: web.Request) -> Guild:
        guild = self._state.guilds.get(request.match_info["guild"])
        if guild is None:
            raise ApiError.known(10004)
        if not guild.has(self._state.bot):
            raise ApiError.known(50001)
        return guild

    async def guild(self, request: web.Request) -> web.Response:
        """A guild of the bot."""
        guild = self._guild(request)
        body = guild.wire()
        if request.query.get("with_counts", "0") in ("1", "true", "True"):
            body |= {"approximate_member_count": len(guild.members), "approximate_presence_count": len(guild.members)}
        return answer(body)

    async def member(self, request: web.Request) -> web.Response:
        """A member of a guild of the bot."""
        guild = self._guild(request)
        user = self._user(request.match_info["user"])
        if not guild.has(user):
            raise ApiError.known(10007)
        return answer(guild.members[user.id].wire())

    def _channel(self, request: web.Request, needs: Permissions = Permissions.NONE) -> Channel:
        channel = self._state.channel(request.match_info["channel"])
        granted = channel.permissions(self._state.bot)
        if not granted & Permissions.VIEW_CHANNEL:
            raise ApiError.known(50001)
        if granted & needs != needs:
            raise ApiError.known(50013)
        return channel

    async def channel(self, request: web.Request) -> web.Response:
        """A channel that the bot can see."""
        return answer(self._channel(request).wire())

    async def typing(self, request: web.Request) -> web.Response:
        """ "… is typing"."""
        self._channel(request, Permissions.SEND_MESSAGES)
        return no_content()

    async def open_dm(self, request: web.Request) -> web.Response:
        """The direct messages with a user. Opening always succeeds; whether they may be written to shows later."""
        data, _ = await object_of(request)
        user = self._state.users.get(str(data.get("recipient_id")))
        if user is None or user.bot:
            raise ApiError.known(50033)
        return answer(self._state.dm(user).wire())

    # messages

    async def history(self, request: web.Request) -> web.Response:
        """The newest messages first; `before`, `after` and `limit` (1 to 100, default 50)."""
        channel = self._channel(
            request, Permissions.READ_MESSAGE_HISTORY if self._in_guild(request) else Permissions.NONE
        )
        limit = request.query.get("limit", "50")
        form = Form()
        form.number(("limit",), int(limit) if limit.isdigit() else limit, 1, 100)
        form.close()
        before = int(request.query.get("before", 2**63))
        after = int(request.query.get("after", 0))
        found = [message for message in self._state.history(channel) if after < int(message.id) < before]
        oldest_first = "after" in request.query
        chosen = found[: int(limit)] if oldest_first else found[-int(limit) :]
        return answer([message.wire() for message in reversed(chosen)])

    def _in_guild(self, request: web.Request) -> bool:
        return self._state.channel(request.match_info["channel"]).guild is not None

    async def get_message(self, request: web.Request) -> web.Response:
        """One message; ephemeral ones are unknown here."""
        return answer(self._state.message(self._channel(request), request.match_info["message"]).wire())

    async def post_message(self, request: web.Request) -> web.Response:
        """A message of the bot: in a channel with the right to write there, or to a user who lets it."""
        state = self._state
        data, uploads = await object_of(request)
        channel = self._channel(request)
        self._may_write(channel, bool(uploads))
        check_body(data, uploads)
        nonce = data.get("nonce")
        if nonce is not None and data.get("enforce_nonce"):
            earlier = state.same_nonce(channel, nonce)
            if earlier is not None:
                return answer(earlier.wire())
        message = Message(state.snowflakes(), channel, state.bot, state.clock(), nonce=nonce)
        message.reference = self._reference(channel, data.get("message_reference"))
        data["flags"] = (data.get("flags") or 0) & ~(EPHEMERAL | LOADING)
        may_embed = bool(channel.permissions(state.bot) & Permissions.EMBED_LINKS)
        apply(
            message, data, state.store_files(channel, data, uploads), state.snowflakes, state.users, may_embed=may_embed
        )
        state.add_message(message)
        await self._gateway.announce("MESSAGE_CREATE", message)
        return answer(message.wire())

    def _may_write(self, channel: Channel, files: bool) -> None:
        state = self._state
        granted = channel.permissions(state.bot)
        if channel.recipient is not None:
            if not channel.recipient.installed_app:
                if not state.shared_guild(channel.recipient):
                    raise ApiError.known(50278)
                if not channel.recipient.dms_open:
                    raise ApiError.known(50007)
        elif not granted & Permissions.SEND_MESSAGES or (files and not granted & Permissions.ATTACH_FILES):
            raise ApiError.known(50013)

    def _reference(self, channel: Channel, reference: Json | None) -> Json | None:
        if reference is None:
            return None
        target = self._state.messages.get(str(reference.get("message_id")))
        if target is None or target.deleted or target.channel is not channel:
            if reference.get("fail_if_not_exists", True):
                form = Form()
                form.refuse(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
                form.close()
            return None
        place = {} if channel.guild is None else {"guild_id": channel.guild.id}
        return {"type": 0, "channel_id": channel.id, "message_id": target.id, **place}

    async def edit_message(self, request: web.Request) -> web.Response:
        """Edits a message of the bot."""
        state = self._state
        data, uploads = await object_of(request)
        channel = self._channel(request)
        message = state.message(channel, request.match_info["message"])
        if message.author is not state.bot:
            raise ApiError.known(50005)
        check_body(data, uploads, layout=bool(message.flags & COMPONENTS_V2))
        apply(message, data, state.store_files(channel, data, uploads), state.snowflakes, state.users)
        message.edited_timestamp = state.clock()
        state.bell.ring()
        await self._gateway.announce("MESSAGE_UPDATE", message)
        return answer(message.wire())

    async def delete_message(self, request: web.Request) -> web.Response:
        """Deletes the bot's own message, or another's with the right to manage messages."""
        state = self._state
        channel = self._channel(request)
        message = state.message(channel, request.match_info["message"])
        if message.author is not state.bot and not channel.permissions(state.bot) & Permissions.MANAGE_MESSAGES:
            raise ApiError.known(50013)
        message.deleted = True
        state.bell.ring()
        await self._gateway.announce("MESSAGE_DELETE", message)
        return no_content()

    # commands

    def _scope(self, request: web.Request) -> Guild | None:
        if request.match_info["application"] != self._state.application_id:
            raise ApiError.known(20012)
        return self._guild(request) if "guild" in request.match_info else None

    async def list_commands(self, request: web.Request) -> web.Response:
        """The synced commands, global or of a guild."""
        guild = self._scope(request)
        return answer(self._state.commands.get(_id(guild), []))

    async def sync_commands(self, request: web.Request) -> web.Response:
        """Replaces all commands of the scope; new names count to the day's creates."""
        state = self._state
        guild = self._scope(request)
        data, _ = await body_of(request)
        commands = data if isinstance(data, list) else []
        if len(commands) > sum(MOST.values()):
            raise ApiError.known(30032)
        check_commands(commands)
        scope = _id(guild)
        old = {(command["type"], command["name"]): command for command in state.commands.get(scope, [])}
        new = sum((command.get("type") or 1, command["name"]) not in old for command in commands)
        now = state.clock()
        creates = [at for at in state.command_creates.get(scope, []) if (now - at).total_seconds() < 86_400]
        if len(creates) + new > MOST_CREATES_A_DAY:
            raise ApiError.known(30034)
        state.command_creates[scope] = creates + [now] * new
        state.commands[scope] = [
            registered(
                command,
                state.application_id,
                state.snowflakes,
                guild,
                old.get((command.get("type") or 1, command["name"])),
            )
            for command in commands
        ]
        state.syncs += 1
        state.bell.ring()
        return answer(state.commands[scope])

    async def delete_command(self, request: web.Request) -> web.Response:
        """Takes one command away."""
        guild = self._scope(request)
        commands = self._state.commands.get(_id(guild), [])
        found = [command for command in commands if command["id"] == request.match_info["command"]]
        if not found:
            raise ApiError.known(10063)
        commands.remove(found[0])
        return no_content()


def _id(guild: Guild | None) -> str | None:
    return None if guild is None else guild.id
