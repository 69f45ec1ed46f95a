"""Who and what there is: users, guilds, members, channels. Ids are text; `wire` methods give Discord's JSON."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.discord.permissions import ALL, EVERYONE, IN_A_DM, Permissions

Json = dict[str, Any]

GUILD_TEXT = 0
DM = 1


@dataclass(eq=False)
class User:
    """A person or the bot. `dms_open` False: blocks direct messages from members of shared guilds."""

    id: str
    name: str
    bot: bool = False
    dms_open: bool = True
    installed_app: bool = False

    def wire(self) -> Json:
        """Description: UserResponse."""
        return {
            "id": self.id,
            "username": self.name.lower().replace(" ", "_"),
            "global_name": None if self.bot else self.name,
            "discriminator": "0",
            "avatar": None,
            "banner": None,
            "accent_color": None,
            "avatar_decoration_data": None,
            "collectibles": None,
            "primary_guild": None,
            "public_flags": 0,
            "flags": 0,
            "bot": self.bot,
        }


@dataclass(eq=False)
class Role:
    """A role and its permission bits."""

    id: str
    name: str
    permissions: Permissions
    position: int

    def wire(self) -> Json:
        """Description: GuildRoleResponse."""
        return {
            "id": self.id,
            "name": self.name,
            "permissions": str(int(self.permissions)),
            "position": self.position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
        }


@dataclass(eq=False)
class Member:
    """A user in a guild."""

    user: User
    roles: list[Role]
    joined_at: datetime

    def wire(self) -> Json:
        """Description: GuildMemberResponse."""
        return {
            "user": self.user.wire(),
            "roles": [role.id for role in self.roles],
            "joined_at": self.joined_at.isoformat(),
            "nick": None,
            "avatar": None,
            "banner": None,
            "communication_disabled_until": None,
            "premium_since": None,
            "pending": False,
            "mute": False,
            "deaf": False,
            "flags": 0,
        }


@dataclass(eq=False)
class Channel:
    """A guild's text channel, or (`guild` None) the direct messages between the bot and `recipient`."""

    id: str
    name: str
    guild: "Guild | None" = field(default=None, repr=False)
    recipient: User | None = None
    last_message_id: str | None = None
    overwrites: dict[str, tuple[Permissions, Permissions]] = field(default_factory=dict)
    """user id -> (allowed, denied) in this channel"""

    def wire(self) -> Json:
        """Description: GuildChannelResponse or PrivateChannelResponse."""
        if self.guild is None:
            assert self.recipient is not None
            return {
                "id": self.id,
                "type": DM,
                "flags": 0,
                "last_message_id": self.last_message_id,
                "recipients": [self.recipient.wire()],
            }
        return {
            "id": self.id,
            "type": GUILD_TEXT,
            "flags": 0,
            "guild_id": self.guild.id,
            "name": self.name,
            "position": self.guild.channels.index(self),
            "parent_id": None,
            "topic": None,
            "nsfw": False,
            "rate_limit_per_user": 0,
            "last_message_id": self.last_message_id,
            "permission_overwrites": [
                {"id": user, "type": 1, "allow": str(int(allow)), "deny": str(int(deny))}
                for user, (allow, deny) in self.overwrites.items()
            ],
        }

    def permissions(self, user: User) -> Permissions:
        """What `user` may do here: guild roles first, then this channel's overwrites; owners and admins may all."""
        if self.guild is None:
            return IN_A_DM | Permissions.VIEW_CHANNEL | Permissions.SEND_MESSAGES | Permissions.USE_APPLICATION_COMMANDS
        granted = self.guild.permissions(user)
        if granted & Permissions.ADMINISTRATOR:
            return granted
        allow, deny = self.overwrites.get(user.id, (Permissions.NONE, Permissions.NONE))
        return granted & ~deny | allow


@dataclass(eq=False)
class Guild:
    """A server with its roles, channels and members; the first role is @everyone."""

    id: str
    name: str
    owner: User
    roles: list[Role] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roles.append(Role(self.id, "@everyone", EVERYONE, 0))

    @property
    def general(self) -> Channel:
        """The first text channel."""
        return self.channels[0]

    def has(self, user: User) -> bool:
        """Whether `user` is a member."""
        return user.id in self.members

    def permissions(self, user: User) -> Permissions:
        """What the member's roles grant; nothing to a stranger."""
        if user is self.owner:
            return ALL
        if not self.has(user):
            return Permissions.NONE
        granted = self.roles[0].permissions
        for role in self.members[user.id].roles:
            granted |= role.permissions
        return ALL if granted & Permissions.ADMINISTRATOR else granted

    def shard(self, shards: int) -> int:
        """Which of `shards` gateway connections hears of this guild."""
        return (int(self.id) >> 22) % shards

    def wire(self) -> Json:
        """Description: GuildWithCountsResponse."""
        empty_lists = ("features", "emojis", "stickers")
        nothing = (
            "icon description home_header splash discovery_splash banner application_id afk_channel_id "
            "system_channel_id widget_channel_id max_presences vanity_url_code rules_channel_id "
            "safety_alerts_channel_id public_updates_channel_id incidents_data"
        )
        zeroes = (
            "system_channel_flags verification_level default_message_notifications mfa_level explicit_content_filter "
            "premium_tier premium_subscription_count nsfw_level"
        )
        return {
            "id": self.id,
            "name": self.name,
            "owner_id": self.owner.id,
            "roles": [role.wire() for role in self.roles],
            "region": "deprecated",
            "afk_timeout": 300,
            "widget_enabled": False,
            "max_members": 25_000_000,
            "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25,
            "preferred_locale": "en-US",
            "premium_progress_bar_enabled": False,
            "nsfw": False,
            **dict.fromkeys(nothing.split()),
            **dict.fromkeys(zeroes.split(), 0),
            **{key: [] for key in empty_lists},
        }

    def created(self, seen: Iterable[Member], joined_at: datetime) -> Json:
        """The GUILD_CREATE event, with the members in `seen`; `joined_at` is the bot's."""
        later = ("threads", "voice_states", "presences", "stage_instances", "guild_scheduled_events")
        return {
            **self.wire(),
            "joined_at": joined_at.isoformat(),
            "large": False,
            "unavailable": False,
            "member_count": len(self.members),
            "members": [member.wire() for member in seen],
            "channels": [channel.wire() for channel in self.channels],
            **{key: [] for key in later},
        }
