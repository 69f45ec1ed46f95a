"""The body of a message: what Discord refuses in content, embeds and files, and how it applies the rest."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.discord.components import check_message_components, shown
from sandbox.discord.errors import ApiError, Form, Path
from sandbox.discord.message import COMPONENTS_V2, Attachment, Message
from sandbox.discord.snowflake import Snowflakes
from sandbox.discord.world import Json, User

MOST_CONTENT, MOST_EMBEDS, MOST_EMBED_TEXT, MOST_FIELDS, MOST_FILES = 2000, 10, 6000, 25, 10
FILE_BYTES, REQUEST_BYTES = 10 * 1024 * 1024, 25 * 1024 * 1024
_MENTION = re.compile(r"<@!?(\d+)>")


class Upload(NamedTuple):
    """A file of a multipart request."""

    filename: str
    content: bytes


def check_body(
    data: Json, uploads: Mapping[int, Upload], *, prefix: tuple[str, ...] = (), layout: bool = False
) -> None:
    """Refuses a message body that Discord would refuse; `layout`: the edited message has Components V2 already.

    :raises ApiError: 413 for files too large, else 50035 with every fault, below `prefix` (callbacks: `data`).
    """
    if any(len(upload.content) > FILE_BYTES for upload in uploads.values()):
        raise ApiError.known(40005)
    form = Form()
    form.length(("content",), data.get("content"), MOST_CONTENT)
    _embeds(form, data)
    flags = data.get("flags") or 0
    layout = layout or bool(isinstance(flags, int) and flags & COMPONENTS_V2)
    check_message_components(form, data.get("components"), layout)
    if layout:
        for key in ("content", "embeds", "poll", "sticker_ids"):
            if data.get(key):
                message = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                form.refuse((key,), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    form.length(("nonce",), str(data.get("nonce") or ""), 25)
    attachments = form.items(("attachments",), data.get("attachments"), MOST_FILES)
    for at, attachment in enumerate(attachments):
        form.length(("attachments", at, "filename"), attachment.get("filename"), 1024)
        form.length(("attachments", at, "description"), attachment.get("description"), 1024)
    if len(uploads) > MOST_FILES:
        form.refuse(("files",), "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_FILES} or fewer in length.")
    _close(form, prefix)


def _close(form: Form, prefix: tuple[str, ...]) -> None:
    try:
        form.close()
    except ApiError as error:
        for step in reversed(prefix):
            error.errors = {step: error.errors}
        raise


def _embeds(form: Form, data: Json) -> None:
    total = 0
    for at, embed in enumerate(form.items(("embeds",), data.get("embeds"), MOST_EMBEDS)):
        here = ("embeds", at)
        footer, author = embed.get("footer") or {}, embed.get("author") or {}
        fields = form.items((*here, "fields"), embed.get("fields"), MOST_FIELDS)
        texts: list[tuple[Path, Any, int, int]] = [
            (("title",), embed.get("title"), 256, 0),
            (("description",), embed.get("description"), 4096, 0),
            (("footer", "text"), footer.get("text"), 2048, 0),
            (("author", "name"), author.get("name"), 256, 0),
        ]
        for number, field in enumerate(fields):
            texts.append((("fields", number, "name"), field.get("name"), 256, 1))
            texts.append((("fields", number, "value"), field.get("value"), 1024, 1))
        for place, text, longest, shortest in texts:
            text = text.strip() if isinstance(text, str) else text
            form.length((*here, *place), text, longest, shortest)
            total += len(text) if isinstance(text, str) else 0
        form.url((*here, "url"), embed.get("url"))
        for key in ("image", "thumbnail"):
            picture = embed.get(key) or {}
            form.url((*here, key, "url"), picture.get("url"), schemes=("http", "https", "attachment"))
        form.number((*here, "color"), embed.get("color"), 0, 0xFFFFFF)
        if not fields and not any(
            embed.get(key) for key in ("title", "description", "footer", "author", "image", "thumbnail")
        ):
            form.required((*here, "description"))
    if total > MOST_EMBED_TEXT:
        message = f"Embed size exceeds maximum size of {MOST_EMBED_TEXT}"
        form.refuse(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", message)


def apply(
    message: Message,
    data: Json,
    files: Sequence[Attachment],
    snowflakes: Snowflakes,
    users: Mapping[str, User],
    *,
    may_embed: bool = True,
) -> None:
    """Writes a checked body into `message`; a key that is not in `data` leaves that part as it is.

    :raises ApiError: 50006 when the message would be left with nothing to show.
    """
    content = data["content"] or "" if "content" in data else message.content
    embeds = _shown_embeds(data["embeds"] or []) if "embeds" in data and may_embed else message.embeds
    components = shown(data["components"] or [], snowflakes) if "components" in data else message.components
    attachments = list(message.attachments)
    if data.get("attachments") is not None:
        # An edit names the files it keeps by their ids; the new ones have their place in the form as id.
        kept = {str(entry.get("id")) for entry in data["attachments"]}
        attachments = [attachment for attachment in attachments if attachment.id in kept]
    attachments += files
    flags = (message.flags | (data.get("flags") or 0)) & (1 << 2 | 1 << 6 | 1 << 7 | 1 << 12 | COMPONENTS_V2)
    if not content.strip() and not embeds and not attachments and not components:
        raise ApiError.known(50006)
    addresses = {f"attachment://{attachment.filename}": attachment.url for attachment in attachments}
    for picture in (embed[key] for embed in embeds for key in ("image", "thumbnail") if key in embed):
        picture["url"] = addresses.get(picture["url"], picture["url"])
    message.content, message.embeds, message.components = content.strip(), embeds, components
    message.attachments, message.flags = attachments, flags
    _mention(message, data.get("allowed_mentions"), users)


def _shown_embeds(embeds: list[Json]) -> list[Json]:
    result: list[Json] = []
    for embed in embeds:
        kept: dict[str, Any] = {key: value for key, value in embed.items() if value is not None}
        for key in ("title", "description"):
            if key in kept:
                kept[key] = kept[key].strip()
        if "fields" in kept:
            kept["fields"] = [
                {"name": field["name"].strip(), "value": field["value"].strip(), "inline": bool(field.get("inline"))}
                for field in kept["fields"]
            ]
        result.append(kept | {"type": "rich"})
    return result


def _mention(message: Message, allowed: Json | None, users: Mapping[str, User]) -> None:
    named = [users[user] for user in dict.fromkeys(_MENTION.findall(message.content)) if user in users]
    everyone = "@everyone" in message.content or "@here" in message.content
    if allowed is not None:
        kinds = allowed.get("parse") or []
        listed = {str(user) for user in allowed.get("users") or []}
        named = [user for user in named if "users" in kinds or user.id in listed]
        everyone = everyone and "everyone" in kinds
    message.mentions, message.mention_everyone = named, everyone
