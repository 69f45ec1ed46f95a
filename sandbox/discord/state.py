"""All that this Discord remembers."""

import mimetypes
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime

from sandbox.discord.bell import Bell
from sandbox.discord.body import Upload
from sandbox.discord.errors import ApiError
from sandbox.discord.interaction import Interaction
from sandbox.discord.message import Attachment, Message
from sandbox.discord.permissions import Permissions
from sandbox.discord.snowflake import Snowflakes
from sandbox.discord.world import Channel, Guild, Json, Member, Role, User

NONCE_SECONDS = 300.0


class State:
    """Users, guilds, channels, messages, commands and interactions, by id.

    :param clock: the time of messages, and of the fifteen minutes that an interaction's token lives.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.bell = Bell()
        self.snowflakes = Snowflakes()
        self.host = ""
        """the server's own address, for the files' addresses"""
        self.bot = User(self.snowflakes(), "SpecRec", bot=True)
        self.users: dict[str, User] = {self.bot.id: self.bot}
        self.owners: list[User] = []
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, Message] = {}
        self.attachments: dict[str, Attachment] = {}
        self.commands: dict[str | None, list[Json]] = {}
        """guild id (None: global) -> the synced commands"""
        self.command_creates: dict[str | None, list[datetime]] = {}
        self.syncs = 0
        self.interactions: dict[str, Interaction] = {}
        """token -> interaction"""

    @property
    def application_id(self) -> str:
        """The bot's user id, as for every application of recent years."""
        return self.bot.id

    def add_user(self, name: str, *, dms_open: bool) -> User:
        """A new person."""
        user = User(self.snowflakes(), name, dms_open=dms_open)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, owner: User, *, with_bot: bool, bot_permissions: Permissions) -> Guild:
        """A new server with #general, its owner and (or not) the bot as members."""
        guild = Guild(self.snowflakes(), name, owner)
        self.guilds[guild.id] = guild
        self.add_channel(guild, "general")
        self.add_member(guild, owner, Permissions.NONE)
        if with_bot:
            self.add_member(guild, self.bot, bot_permissions)
        return guild

    def add_channel(self, guild: Guild, name: str) -> Channel:
        """A new text channel."""
        channel = Channel(self.snowflakes(), name, guild)
        guild.channels.append(channel)
        self.channels[channel.id] = channel
        return channel

    def add_member(self, guild: Guild, user: User, permissions: Permissions) -> Member:
        """Lets `user` join; `permissions` beyond @everyone's come with a role of their own."""
        roles: list[Role] = []
        if permissions:
            roles.append(Role(self.snowflakes(), f"{user.name}'s role", permissions, len(guild.roles)))
            guild.roles += roles
        member = guild.members[user.id] = Member(user, roles, self.clock())
        return member

    def shared_guild(self, user: User) -> bool:
        """Whether the bot and `user` are members of one guild."""
        return any(guild.has(user) and guild.has(self.bot) for guild in self.guilds.values())

    def dm(self, user: User) -> Channel:
        """The direct messages of the bot and `user`, the same each time."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        channel = Channel(self.snowflakes(), "", recipient=user)
        self.channels[channel.id] = channel
        return channel

    def channel(self, id: str) -> Channel:
        """:raises ApiError: 10003."""
        if id not in self.channels:
            raise ApiError.known(10003)
        return self.channels[id]

    def message(self, channel: Channel, id: str) -> Message:
        """A message that can be had through its channel; ephemeral ones cannot.

        :raises ApiError: 10008.
        """
        message = self.messages.get(id)
        if message is None or message.deleted or message.ephemeral or message.channel is not channel:
            raise ApiError.known(10008)
        return message

    def add_message(self, message: Message) -> None:
        """A message appears in its channel."""
        self.messages[message.id] = message
        if not message.ephemeral:
            message.channel.last_message_id = message.id
        self.bell.ring()

    def history(self, channel: Channel) -> list[Message]:
        """What everybody in the channel sees, oldest first."""
        return [
            message
            for message in self.messages.values()
            if message.channel is channel and not message.ephemeral and not message.deleted
        ]

    def same_nonce(self, channel: Channel, nonce: object) -> Message | None:
        """The bot's message of the last minutes with this nonce."""
        now = self.clock()
        for message in reversed(self.history(channel)):
            if (now - message.timestamp).total_seconds() > NONCE_SECONDS:
                return None
            if message.author is self.bot and message.nonce == nonce:
                return message
        return None

    def store_files(self, channel: Channel, data: Json, uploads: dict[int, Upload]) -> list[Attachment]:
        """The uploaded files as attachments, with the names and descriptions that the body gives them."""
        described = {str(entry.get("id")): entry for entry in data.get("attachments") or []}
        return [
            self.store_file(
                channel,
                described.get(str(place), {}).get("filename") or upload.filename,
                upload.content,
                described.get(str(place), {}).get("description"),
            )
            for place, upload in uploads.items()
        ]

    def store_file(self, channel: Channel, filename: str, content: bytes, description: str | None = None) -> Attachment:
        """A file with an address on this server."""
        id = self.snowflakes()
        url = f"{self.host}/attachments/{channel.id}/{id}/{filename}"
        kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        attachment = Attachment(id, filename, content, kind, url, description)
        self.attachments[id] = attachment
        return attachment

    def new_token(self) -> str:
        """An interaction token: long and unguessable."""
        return secrets.token_urlsafe(96)

    def visible_commands(self, guild: Guild | None) -> Iterable[Json]:
        """Global commands and, in a guild, its own."""
        yield from self.commands.get(None, [])
        if guild is not None:
            yield from self.commands.get(guild.id, [])
