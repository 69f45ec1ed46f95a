"""What people do in this Discord, as its client lets them: type commands, press, choose, fill in, write."""

from collections.abc import Mapping, Sequence

from sandbox.discord.body import FILE_BYTES
from sandbox.discord.commands import CHAT, Refused, Typed, leaf, resolve, words
from sandbox.discord.gateway import Gateway
from sandbox.discord.interaction import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction, filled_form
from sandbox.discord.message import BUTTON, STRING_SELECT, Attachment, Message, walk
from sandbox.discord.permissions import Permissions
from sandbox.discord.state import State
from sandbox.discord.world import Channel, Guild, Json, User

_IN_GUILD, _IN_BOT_DM = 0, 1


class People:
    """Each thing done returns an `Interaction` to ask what came of it; `Refused` when the client would not allow it."""

    def __init__(self, state: State, gateway: Gateway) -> None:
        self._state = state
        self._gateway = gateway

    async def command(
        self,
        user: User,
        name: str,
        options: Mapping[str, object] | None = None,
        *,
        guild: Guild | None = None,
        channel: Channel | None = None,
    ) -> Interaction:
        """`user` sends a slash command: `"recommend"`, or with its subcommand `"model retrain"`.

        :param options: values by option name; users, roles, channels and files (`upload`) as the objects themselves.
        :param guild: where (`channel`: default #general); None: in the direct messages with the bot.
        :raises Refused: no such command or option, or the person may not use it there.
        """
        return await self._type(COMMAND, user, name, options or {}, guild, channel, focused=None)

    async def autocomplete(
        self,
        user: User,
        name: str,
        options: Mapping[str, object],
        focused: str,
        *,
        guild: Guild | None = None,
        channel: Channel | None = None,
    ) -> Interaction:
        """`user` is typing `options[focused]`; the suggestions come as the interaction's `choices`."""
        return await self._type(AUTOCOMPLETE, user, name, options, guild, channel, focused=focused)

    async def _type(
        self,
        kind: int,
        user: User,
        name: str,
        options: Mapping[str, object],
        guild: Guild | None,
        channel: Channel | None,
        focused: str | None,
    ) -> Interaction:
        place = channel or (self._state.dm(user) if guild is None else guild.general)
        first, *path = words(name)
        command = self._find_command(first, place.guild)
        self._may_use(user, command, place)
        typed = Typed()
        typed.fill(leaf(command, path), options, place.guild, focused=focused)
        inner = typed.options
        for depth, word in enumerate(reversed(path)):
            inner = [{"name": word, "type": 1 if depth == 0 else 2, "options": inner}]
        data: Json = {"id": command["id"], "name": first, "type": CHAT, "options": inner}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        if typed.resolved:
            data["resolved"] = typed.resolved
        return await self._dispatch(kind, user, place, data, command["integration_types"])

    def _find_command(self, name: str, guild: Guild | None) -> Json:
        for command in self._state.visible_commands(guild):
            if command["type"] == CHAT and command["name"] == name:
                return command
        known = ", ".join(sorted(command["name"] for command in self._state.visible_commands(guild)))
        raise Refused(f"There is no command /{name}; synced are: {known or 'none'}.")

    def _may_use(self, user: User, command: Json, place: Channel) -> None:
        name, guild = command["name"], place.guild
        context = _IN_BOT_DM if guild is None else _IN_GUILD
        contexts = command["contexts"]
        if context not in (contexts or (_IN_GUILD, _IN_BOT_DM)) or (guild is None and not command["dm_permission"]):
            raise Refused(f"/{name} cannot be used {'in direct messages' if guild is None else 'in a server'}.")
        if guild is None:
            return
        granted = place.permissions(user)
        if not granted & Permissions.VIEW_CHANNEL or not granted & Permissions.USE_APPLICATION_COMMANDS:
            raise Refused(f"{user.name} cannot use commands in this channel.")
        needed = command["default_member_permissions"]
        if needed is not None and not granted & Permissions.ADMINISTRATOR:
            bits = int(needed)
            if not bits or granted & bits != bits:
                raise Refused(f"Discord does not offer /{name} to {user.name}, who lacks the permissions for it.")

    async def click(self, user: User, message: Message, button: str) -> Interaction:
        """`user` presses a button, named by its custom id or its label."""
        for piece in walk(self._visible(user, message)):
            if piece["type"] == BUTTON and button in (piece.get("custom_id"), piece.get("label")):
                if piece.get("disabled"):
                    raise Refused(f"The button {button!r} is disabled.")
                if "custom_id" not in piece:
                    raise Refused(f"The button {button!r} opens {piece.get('url')}; it sends nothing to the bot.")
                data: Json = {"custom_id": piece["custom_id"], "component_type": BUTTON, "id": piece["id"]}
                return await self._dispatch(COMPONENT, user, message.channel, data, message=message)
        known = ", ".join(repr(known.label or known.custom_id) for known in message.buttons)
        raise Refused(f"The message has no button {button!r}; it has {known or 'none'}.")

    async def select(self, user: User, message: Message, custom_id: str, values: Sequence[object]) -> Interaction:
        """`user` chooses in a menu: texts in a string menu, else users, roles or channels."""
        self._visible(user, message)
        menus = [piece for piece in message.selects if piece["custom_id"] == custom_id]
        if not menus:
            known = ", ".join(piece["custom_id"] for piece in message.selects)
            raise Refused(f"The message has no menu {custom_id!r}; it has {known or 'none'}.")
        menu = menus[0]
        if menu.get("disabled"):
            raise Refused(f"The menu {custom_id!r} is disabled.")
        if not menu["min_values"] <= len(values) <= menu["max_values"]:
            raise Refused(f"The menu takes {menu['min_values']} to {menu['max_values']} values.")
        data: Json = {"custom_id": custom_id, "component_type": menu["type"], "id": menu["id"]}
        if menu["type"] == STRING_SELECT:
            offered = [option["value"] for option in menu["options"]]
            strange = [value for value in values if value not in offered]
            if strange:
                raise Refused(f"The menu does not offer {strange}; it has {offered}.")
            data["values"] = list(values)
        else:
            resolved: dict[str, Json] = {}
            # A menu's types 5 to 8 are user, role, mentionable, channel: other numbers than the options'.
            kind = {5: 6, 6: 8, 7: 9, 8: 7}[menu["type"]]
            data["values"] = [resolve(resolved, kind, value, message.channel.guild) for value in values]
            data["resolved"] = resolved
        return await self._dispatch(COMPONENT, user, message.channel, data, message=message)

    def _visible(self, user: User, message: Message) -> list[Json]:
        if message.deleted:
            raise Refused("The message was deleted.")
        if not self._sees(user, message):
            raise Refused(f"{user.name} does not see this message.")
        return message.components

    def _sees(self, user: User, message: Message) -> bool:
        guild = message.channel.guild
        mine = message.channel.recipient in (None, user) if guild is None else guild.has(user)
        return mine and (not message.ephemeral or message.seen_by is user)

    async def submit_modal(self, user: User, interaction: Interaction, values: Mapping[str, object]) -> Interaction:
        """`user` fills in the form that `interaction` opened; fields are named by custom id or label."""
        if interaction.modal is None or interaction.user is not user:
            raise Refused(f"No form is open for {user.name}.")
        if interaction.submitted:
            raise Refused("The form was submitted already.")
        data: Json = {
            "custom_id": interaction.modal["custom_id"],
            "components": filled_form(interaction.modal, values),
        }
        interaction.submitted = True
        return await self._dispatch(
            MODAL_SUBMIT, user, interaction.channel, data, message=interaction.message, opened_by=interaction
        )

    async def say(self, user: User, content: str, *, channel: Channel | None = None) -> Message:
        """`user` writes a message: in a channel, or (None) to the bot."""
        state = self._state
        message = Message(state.snowflakes(), channel or state.dm(user), user, state.clock(), content=content)
        message.mentions = [known for known in state.users.values() if f"<@{known.id}>" in content]
        state.add_message(message)
        await self._gateway.announce("MESSAGE_CREATE", message)
        return message

    def visible(self, user: User) -> list[Message]:
        """Everything that `user` can see, oldest first: channels, direct messages, replies for their eyes only."""
        return [
            message for message in self._state.messages.values() if not message.deleted and self._sees(user, message)
        ]

    def upload(self, user: User, filename: str, content: bytes) -> Attachment:
        """A file for an attachment option of a command."""
        if len(content) > FILE_BYTES:
            raise Refused("The file is larger than 10 MiB.")
        return self._state.store_file(self._state.dm(user), filename, content)

    async def _dispatch(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: Json,
        integration_types: Sequence[int] = (0, 1),
        *,
        message: Message | None = None,
        opened_by: Interaction | None = None,
    ) -> Interaction:
        state = self._state
        guild = channel.guild
        owners = self._owners(user, guild, integration_types)
        if not owners:
            raise Refused("The application is not installed here.")
        interaction = Interaction(
            state.bell,
            id=state.snowflakes(),
            token=state.new_token(),
            type=kind,
            user=user,
            channel=channel,
            data=data,
            created=state.clock(),
            owners=owners,
            message=message,
            opened_by=opened_by,
        )
        state.interactions[interaction.token] = interaction
        interaction.start_deadline()
        await self._gateway.dispatch("INTERACTION_CREATE", self._wire(interaction), guild)
        return interaction

    def _owners(self, user: User, guild: Guild | None, integration_types: Sequence[int]) -> dict[str, str]:
        """authorizing_integration_owners: "0" the guild that installed the application ("0" in DMs), "1" the user."""
        owners: dict[str, str] = {}
        if 0 in integration_types and (guild is None or guild.has(self._state.bot)):
            owners["0"] = "0" if guild is None else guild.id
        if 1 in integration_types and user.installed_app:
            owners["1"] = user.id
        return owners

    def _wire(self, interaction: Interaction) -> Json:
        guild, user, channel = interaction.guild, interaction.user, interaction.channel
        body: Json = {
            "id": interaction.id,
            "application_id": self._state.application_id,
            "type": interaction.type,
            "token": interaction.token,
            "version": 1,
            "attachment_size_limit": FILE_BYTES,
            "channel_id": channel.id,
            "channel": channel.wire(),
            "locale": "en-US",
            "app_permissions": str(int(channel.permissions(self._state.bot))),
            "entitlements": [],
            "authorizing_integration_owners": interaction.owners,
            "context": _IN_BOT_DM if guild is None else _IN_GUILD,
            "data": interaction.data,
        }
        if interaction.message is not None:
            body["message"] = interaction.message.wire()
        if guild is None:
            return body | {"user": user.wire()}
        member = guild.members[user.id].wire() | {"permissions": str(int(channel.permissions(user)))}
        return body | {
            "guild_id": guild.id,
            "guild": {"id": guild.id, "features": [], "locale": "en-US"},
            "guild_locale": "en-US",
            "member": member,
        }
