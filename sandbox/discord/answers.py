"""The calls that answer an interaction: the callback, and the webhook that its token opens for fifteen minutes."""

from typing import Any

from aiohttp import web

from sandbox.discord.body import Upload, apply, check_body
from sandbox.discord.commands import check_choices
from sandbox.discord.components import check_modal
from sandbox.discord.errors import ApiError, Form
from sandbox.discord.front import API, answer, no_content, object_of
from sandbox.discord.gateway import Gateway
from sandbox.discord.interaction import (
    AUTOCOMPLETE,
    CHOICES,
    COMMAND,
    COMPONENT,
    DEFER,
    DEFER_UPDATE,
    MODAL,
    MODAL_SUBMIT,
    REPLY,
    UPDATE,
    Interaction,
)
from sandbox.discord.message import COMPONENTS_V2, EPHEMERAL, LOADING, Message
from sandbox.discord.state import State
from sandbox.discord.world import Json

COMMAND_REPLY, ANSWER = 20, 19
"""message types: the reply to a command, and a message that refers to another"""
MOST_USER_INSTALL_FOLLOWUPS = 5


class Answers:
    """Handlers on one state."""

    def __init__(self, state: State, gateway: Gateway) -> None:
        self._state = state
        self._gateway = gateway

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        webhook = API + "/webhooks/{application}/{token}"
        return [
            web.post(API + "/interactions/{interaction}/{token}/callback", self.callback),
            web.post(webhook, self.follow_up),
            web.get(webhook + "/messages/{message}", self.get_message),
            web.patch(webhook + "/messages/{message}", self.edit_message),
            web.delete(webhook + "/messages/{message}", self.delete_message),
        ]

    async def callback(self, request: web.Request) -> web.Response:
        """The first answer, within three seconds and once."""
        interaction = self._state.interactions.get(request.match_info["token"])
        if interaction is None or interaction.id != request.match_info["interaction"]:
            raise ApiError.known(10062)
        body, uploads = await object_of(request)
        # Looked at after the body was read: two answers at once are still one too many.
        if interaction.answer is not None:
            raise ApiError.known(40060)
        if interaction.failed is not None:
            raise ApiError.known(10062)
        kind = self._kind(interaction, body.get("type"))
        message = await self._answer(interaction, kind, body.get("data") or {}, uploads)
        result: Json = {"id": interaction.id, "type": interaction.type}
        if interaction.original is not None and kind in (REPLY, DEFER, UPDATE):
            result |= {
                "response_message_id": interaction.original.id,
                "response_message_loading": interaction.original.loading,
                "response_message_ephemeral": interaction.original.ephemeral,
            }
        resource = {} if message is None else {"resource": {"type": kind, "message": message.wire()}}
        if request.query.get("with_response", "0") in ("1", "true", "True"):
            return answer({"interaction": result, **resource})
        return no_content()

    def _kind(self, interaction: Interaction, kind: Any) -> int:
        allowed = [CHOICES] if interaction.type == AUTOCOMPLETE else [REPLY, DEFER]
        if interaction.type in (COMMAND, COMPONENT):
            allowed.append(MODAL)
        if interaction.message is not None and interaction.type in (COMPONENT, MODAL_SUBMIT):
            allowed += [DEFER_UPDATE, UPDATE]
        form = Form()
        form.choice(("type",), kind, tuple(sorted(allowed)))
        form.close()
        return int(kind)

    async def _answer(
        self, interaction: Interaction, kind: int, data: Json, uploads: dict[int, Upload]
    ) -> Message | None:
        if kind == CHOICES:
            interaction.choices = check_choices(data)
            interaction.answered(kind)
            interaction.completed()
        elif kind == MODAL:
            form = Form()
            check_modal(form, data)
            form.close()
            interaction.modal = data
            interaction.answered(kind)
            interaction.completed()
        elif kind == DEFER:
            message = self._new_message(interaction, data.get("flags") or 0)
            message.flags = (message.flags & EPHEMERAL) | LOADING
            interaction.original = message
            interaction.answered(kind)
            await self._show(message)
        elif kind == DEFER_UPDATE:
            interaction.original = interaction.message
            interaction.answered(kind)
        elif kind == UPDATE:
            assert interaction.message is not None
            interaction.original = interaction.message
            self._write(interaction.message, data, uploads, prefix=("data",))
            interaction.message.edited_timestamp = self._state.clock()
            interaction.answered(kind)
            interaction.completed()
            await self._gateway.announce("MESSAGE_UPDATE", interaction.message)
            return interaction.message
        else:
            message = self._new_message(interaction, data.get("flags") or 0)
            self._write(message, data, uploads, prefix=("data",))
            interaction.original = message
            interaction.answered(kind)
            await self._show(message)
            interaction.completed()
            return message
        return None

    def _new_message(self, interaction: Interaction, flags: int) -> Message:
        state = self._state
        message = Message(
            state.snowflakes(),
            interaction.channel,
            state.bot,
            state.clock(),
            type=COMMAND_REPLY if interaction.type == COMMAND else 0,
            flags=flags & EPHEMERAL,
            interaction=interaction.metadata(),
            application_id=state.application_id,
        )
        if message.ephemeral:
            message.seen_by = interaction.user
        pressed = interaction.original or interaction.message
        if pressed is not None:
            message.type = ANSWER
            message.reference = {"type": 0, "channel_id": message.channel.id, "message_id": pressed.id}
        return message

    def _write(self, message: Message, data: Json, uploads: dict[int, Upload], prefix: tuple[str, ...] = ()) -> None:
        """Checks and writes a body; what the message is already (ephemeral, layout) it stays."""
        check_body(data, uploads, prefix=prefix, layout=bool(message.flags & COMPONENTS_V2))
        files = self._state.store_files(message.channel, data, uploads)
        flags = (data.get("flags") or 0) & ~(EPHEMERAL | LOADING)
        apply(message, data | {"flags": flags}, files, self._state.snowflakes, self._state.users)

    async def _show(self, message: Message) -> None:
        self._state.add_message(message)
        await self._gateway.announce("MESSAGE_CREATE", message)

    # the webhook

    def _interaction(self, request: web.Request) -> Interaction:
        interaction = self._state.interactions.get(request.match_info["token"])
        if interaction is None or request.match_info["application"] != self._state.application_id:
            raise ApiError.known(10015)
        if interaction.expired(self._state.clock()):
            raise ApiError.known(50027)
        if interaction.answer is None:
            raise ApiError.known(10015)
        return interaction

    def _message(self, request: web.Request) -> tuple[Interaction, Message]:
        interaction = self._interaction(request)
        wanted = request.match_info["message"]
        for message in interaction.messages:
            named = message is interaction.original if wanted == "@original" else message.id == wanted
            if named and not message.deleted:
                return interaction, message
        raise ApiError.known(10008)

    async def follow_up(self, request: web.Request) -> web.Response:
        """A further message; the first one after a deferred reply becomes that reply."""
        data, uploads = await object_of(request)
        interaction = self._interaction(request)
        original = interaction.original
        if interaction.answer == DEFER and original is not None and original.loading and not original.deleted:
            await self._fill(interaction, original, data, uploads)
            return answer(original.wire())
        if interaction.user_install_only and len(interaction.follow_ups) >= MOST_USER_INSTALL_FOLLOWUPS:
            raise ApiError.known(40094)
        message = self._new_message(interaction, data.get("flags") or 0)
        self._write(message, data, uploads)
        interaction.follow_ups.append(message)
        await self._show(message)
        if interaction.answer in (DEFER_UPDATE, MODAL):
            interaction.completed()
        return answer(message.wire())

    async def _fill(self, interaction: Interaction, message: Message, data: Json, uploads: dict[int, Upload]) -> None:
        waiting = message.loading
        self._write(message, data, uploads)
        message.flags &= ~LOADING
        if not waiting:
            message.edited_timestamp = self._state.clock()
        interaction.completed()
        self._state.bell.ring()
        await self._gateway.announce("MESSAGE_UPDATE", message)

    async def get_message(self, request: web.Request) -> web.Response:
        """The first reply (`@original`) or a follow-up."""
        return answer(self._message(request)[1].wire())

    async def edit_message(self, request: web.Request) -> web.Response:
        """Edits one; an edit of a deferred reply is its content."""
        data, uploads = await object_of(request)
        interaction, message = self._message(request)
        await self._fill(interaction, message, data, uploads)
        return answer(message.wire())

    async def delete_message(self, request: web.Request) -> web.Response:
        """Deletes one; an ephemeral message can be deleted only here."""
        interaction, message = self._message(request)
        message.deleted = True
        interaction.completed()
        await self._gateway.announce("MESSAGE_DELETE", message)
        return no_content()
