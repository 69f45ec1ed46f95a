"""A message as everybody sees it, and the pieces that people look at or press."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sandbox.discord.world import Channel, Json, User

EPHEMERAL = 1 << 6
LOADING = 1 << 7
COMPONENTS_V2 = 1 << 15

BUTTON = 2
STRING_SELECT = 3
SELECTS = (3, 5, 6, 7, 8)
LINK = 5


class Button(NamedTuple):
    """A button of a message; a link button has `url` and no `custom_id`."""

    label: str
    custom_id: str | None
    style: int
    disabled: bool
    url: str | None
    emoji: str | None


@dataclass(eq=False)
class Attachment:
    """A file of a message; `content` is what was uploaded."""

    id: str
    filename: str
    content: bytes
    content_type: str
    url: str
    description: str | None = None

    def wire(self) -> Json:
        """Description: MessageAttachmentResponse."""
        described = {} if self.description is None else {"description": self.description}
        return {
            "id": self.id,
            "filename": self.filename,
            "size": len(self.content),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": self.content_type,
            **described,
        }


@dataclass(eq=False)
class Message:
    """One message. `embeds` and `components` are Discord's JSON, with what Discord adds; it changes with each edit."""

    id: str
    channel: Channel
    author: User
    timestamp: datetime
    type: int = 0
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    edited_timestamp: datetime | None = None
    nonce: str | int | None = None
    mentions: list[User] = field(default_factory=list)
    mention_everyone: bool = False
    reference: Json | None = None
    interaction: Json | None = None
    """interaction_metadata: of what person's doing this is the answer"""
    application_id: str | None = None
    seen_by: User | None = None
    """who alone sees an ephemeral message"""
    deleted: bool = False

    @property
    def ephemeral(self) -> bool:
        """Only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """A deferred reply ("… is thinking") that has no content yet."""
        return bool(self.flags & LOADING)

    @property
    def buttons(self) -> list[Button]:
        """All buttons, from the first row to the last."""
        return [
            Button(
                label=piece.get("label", ""),
                custom_id=piece.get("custom_id"),
                style=piece["style"],
                disabled=bool(piece.get("disabled")),
                url=piece.get("url"),
                emoji=piece.get("emoji", {}).get("name"),
            )
            for piece in walk(self.components)
            if piece["type"] == BUTTON
        ]

    @property
    def selects(self) -> list[Json]:
        """All select menus, as Discord's JSON."""
        return [piece for piece in walk(self.components) if piece["type"] in SELECTS]

    @property
    def text(self) -> str:
        """All that can be read in it, line by line: content, then the embeds' (and components') texts."""
        lines = [self.content]
        for embed in self.embeds:
            lines += [embed.get("author", {}).get("name", ""), embed.get("title", ""), embed.get("description", "")]
            for entry in embed.get("fields", []):
                lines += [entry["name"], entry["value"]]
            lines.append(embed.get("footer", {}).get("text", ""))
        lines += [piece["content"] for piece in walk(self.components) if piece["type"] == 10]
        return "\n".join(line for line in lines if line)

    def wire(self) -> Json:
        """Description: MessageResponse."""
        body: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "channel_id": self.channel.id,
            "author": self.author.wire(),
            "content": self.content,
            "timestamp": self.timestamp.isoformat(),
            "edited_timestamp": None if self.edited_timestamp is None else self.edited_timestamp.isoformat(),
            "embeds": self.embeds,
            "components": self.components,
            "attachments": [attachment.wire() for attachment in self.attachments],
            "flags": self.flags,
            "mentions": [user.wire() for user in self.mentions],
            "mention_roles": [],
            "mention_everyone": self.mention_everyone,
            "pinned": False,
            "tts": False,
        }
        optional = {
            "nonce": self.nonce,
            "message_reference": self.reference,
            "interaction_metadata": self.interaction,
            "application_id": self.application_id,
            "webhook_id": self.application_id,
        }
        return body | {key: value for key, value in optional.items() if value is not None}


def walk(components: list[Json]) -> Iterator[Json]:
    """Every component, each before those inside it."""
    for piece in components:
        yield piece
        yield from walk(piece.get("components", []))
        for single in ("accessory", "component"):
            if single in piece:
                yield from walk([piece[single]])
