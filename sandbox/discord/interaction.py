"""What a person did and what became of it: commands, presses, choices and submitted forms."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from sandbox.discord.bell import PATIENCE_SECONDS, Bell
from sandbox.discord.commands import Refused
from sandbox.discord.components import LABEL, TEXT_INPUT
from sandbox.discord.message import SELECTS, Message, walk
from sandbox.discord.world import Channel, Guild, Json, User

T = TypeVar("T")

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9

ANSWER_SECONDS = 3.0
TOKEN_LIFETIME = timedelta(minutes=15)
NO_ANSWER = "The application did not respond"


class InteractionFailed(Exception):  # noqa: N818 - Discord's own words, seen by the person
    """What the person saw instead of an answer."""


class Interaction:
    """One interaction, from its dispatch on. Times ending in `_at` are `time.monotonic()` seconds, None until then.

    `original` is the first reply (for a press that updates: the message that was pressed), `follow_ups` what came
    after it; `modal` the form that the bot opened; `choices` what it suggested; `failed` what the person saw instead.
    """

    def __init__(
        self,
        bell: Bell,
        *,
        id: str,
        token: str,
        type: int,
        user: User,
        channel: Channel,
        data: Json,
        created: datetime,
        owners: dict[str, str],
        message: Message | None = None,
        opened_by: "Interaction | None" = None,
    ) -> None:
        self._bell = bell
        self.id = id
        self.token = token
        self.type = type
        self.user = user
        self.channel = channel
        self.data = data
        self.created = created
        self.owners = owners
        self.message = message
        self.opened_by = opened_by
        self.dispatched_at = time.monotonic()
        self.answered_at: float | None = None
        self.completed_at: float | None = None
        self.answer: int | None = None
        self.deferred_ephemeral = False
        self.original: Message | None = None
        self.follow_ups: list[Message] = []
        self.modal: Json | None = None
        self.choices: list[Json] = []
        self.failed: str | None = None
        self.submitted = False
        self._deadline: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Interaction {self.id} type {self.type} by {self.user.name}: answer {self.answer}, {self.failed}>"

    @property
    def guild(self) -> Guild | None:
        """The server it happened in; None in direct messages."""
        return self.channel.guild

    @property
    def messages(self) -> list[Message]:
        """The first reply, then the follow-ups."""
        return ([] if self.original is None else [self.original]) + self.follow_ups

    @property
    def ephemeral(self) -> bool:
        """Whether the first reply is seen by this person only."""
        return self.original is not None and self.original.ephemeral

    @property
    def user_install_only(self) -> bool:
        """The application is not a member here; the person brought it."""
        return "0" not in self.owners

    # what the server does with it

    def start_deadline(self) -> None:
        """From now the bot has three seconds."""
        self._deadline = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.answer is None:
            self.failed = NO_ANSWER
            self.completed_at = time.monotonic()
            self._bell.ring()

    def answered(self, answer: int) -> None:
        """The bot's first callback arrived in time."""
        self.answer = answer
        self.answered_at = time.monotonic()
        self.forget_deadline()
        self._bell.ring()

    def completed(self) -> None:
        """Its final content is there."""
        if self.completed_at is None:
            self.completed_at = time.monotonic()
        self._bell.ring()

    def forget_deadline(self) -> None:
        """Answered, or the server stops."""
        if self._deadline is not None:
            self._deadline.cancel()

    def expired(self, now: datetime) -> bool:
        """Its token is older than fifteen minutes."""
        return now - self.created >= TOKEN_LIFETIME

    def metadata(self) -> Json:
        """interaction_metadata of the messages that answer it."""
        body: Json = {
            "id": self.id,
            "type": self.type,
            "user": self.user.wire(),
            "authorizing_integration_owners": self.owners,
        }
        if self.type == COMPONENT and self.message is not None:
            body["interacted_message_id"] = self.message.id
        if self.type == MODAL_SUBMIT and self.opened_by is not None:
            body["triggering_interaction_metadata"] = self.opened_by.metadata()
        return body

    # what a test asks

    async def wait_until(self, predicate: Callable[["Interaction"], T | None], timeout: float = PATIENCE_SECONDS) -> T:
        """The first true value of `predicate(interaction)`.

        :raises TimeoutError: after `timeout` seconds.
        """
        return await self._bell.wait_until(lambda: predicate(self), timeout, f"{self!r}")

    async def reply(self, timeout: float = PATIENCE_SECONDS) -> Message:
        """The final content: the first reply, or what a deferred one became, or the updated message.

        :raises InteractionFailed: when the bot did not answer within three seconds, or opened a form instead.
        :raises TimeoutError: when it deferred and did not fill the reply in `timeout` seconds.
        """
        await self.wait_until(lambda it: it.completed_at, timeout)
        if self.failed is not None:
            raise InteractionFailed(self.failed)
        if self.original is None:
            raise InteractionFailed("The application opened a form." if self.modal else "There is no message.")
        return self.original

    async def form(self, timeout: float = PATIENCE_SECONDS) -> Json:
        """The modal that the bot opened: `custom_id, title, components`.

        :raises InteractionFailed: when it answered something else, or nothing.
        """
        await self.wait_until(lambda it: it.completed_at or it.answer, timeout)
        if self.modal is None:
            raise InteractionFailed(self.failed or "The application did not open a form.")
        return self.modal


def filled_form(modal: Json, values: Mapping[str, object]) -> list[Json]:
    """What Discord sends when `values` (custom id or label -> text, or list for a menu) are typed into `modal`.

    :raises Refused: for an unknown field, a missing one, or a text of the wrong length.
    """
    left = dict(values)

    def fill(field: Json, label: str | None) -> Json:
        names = [name for name in (field["custom_id"], label, field.get("label")) if name in left]
        empty: object = field.get("value") or "" if field["type"] == TEXT_INPUT else []
        value = left.pop(names[0]) if names else empty
        if field.get("required") is not False and not value:
            raise Refused(f"The field {label or field.get('label') or field['custom_id']!r} is required.")
        base = {"type": field["type"], "id": field.get("id", 0), "custom_id": field["custom_id"]}
        if field["type"] in SELECTS:
            return base | {"values": value}
        if field["type"] == TEXT_INPUT:
            low, high = field.get("min_length") or 0, field.get("max_length") or 4000
            if value and not low <= len(str(value)) <= high:
                raise Refused(f"The field {field['custom_id']!r} takes {low} to {high} characters.")
        return base | {"value": value}

    filled: list[Json] = []
    for piece in modal["components"]:
        if piece["type"] == LABEL:
            inner = fill(piece["component"], piece["label"])
            filled.append({"type": LABEL, "id": piece.get("id", 0), "component": inner})
        elif "components" in piece:
            inner = fill(piece["components"][0], None)
            filled.append({"type": piece["type"], "id": piece.get("id", 0), "components": [inner]})
        else:
            filled.append({"type": piece["type"], "id": piece.get("id", 0)})
    if left:
        known = [field["custom_id"] for field in walk(modal["components"]) if "custom_id" in field]
        raise Refused(f"The form has no field {', '.join(left)}; it has {', '.join(known)}.")
    return filled
