"""Application commands: what a sync may contain, and what a person's typing becomes."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.discord.errors import ApiError, Form, Path
from sandbox.discord.message import Attachment
from sandbox.discord.snowflake import Snowflakes
from sandbox.discord.world import Channel, Guild, Json, Role, User

CHAT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN = 1, 2, 3, 4, 5
A_USER, A_CHANNEL, A_ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 6, 7, 8, 9, 10, 11
MOST = {CHAT: 100, USER_MENU: 15, MESSAGE_MENU: 15}
MOST_CREATES_A_DAY = 200
MOST_CHARACTERS = 8000


class Refused(Exception):  # noqa: N818 - not a fault of the program: what Discord's client does not let a person do
    """Discord's client would not let the person do this; the message says why. The bot never hears of it."""


def check_commands(commands: Sequence[Json]) -> None:
    """Refuses a list of commands that Discord would refuse.

    :raises ApiError: 50035 keyed by the commands' positions, or 30032 when there are too many.
    """
    for kind, most in MOST.items():
        if sum(command.get("type", CHAT) == kind for command in commands) > most:
            raise ApiError.known(30032)
    form = Form()
    seen: set[tuple[int, str]] = set()
    for at, command in enumerate(commands):
        check_command(form, (at,), command)
        key = (command.get("type", CHAT), str(command.get("name")))
        if key in seen:
            message = "Application command names must be unique"
            form.refuse((at, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
        seen.add(key)
    form.close()


def check_command(form: Form, path: Path, command: Json) -> None:
    """Notes in `form` what is wrong with one command."""
    kind = command.get("type") or CHAT
    form.choice((*path, "type"), kind, (CHAT, USER_MENU, MESSAGE_MENU))
    if kind == CHAT:
        _name(form, (*path, "name"), command.get("name"))
        form.length((*path, "description"), command.get("description"), 100, 1)
        _options(form, path, command.get("options"), depth=0)
    else:
        form.length((*path, "name"), command.get("name"), 32, 1)
        if command.get("description"):
            message = "Context menu commands cannot have description"
            form.refuse((*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_NOT_ALLOWED", message)
    for contexts, allowed in (("contexts", (0, 1, 2)), ("integration_types", (0, 1))):
        for at, value in enumerate(command.get(contexts) or []):
            form.choice((*path, contexts, at), value, allowed)
    if _characters(command) > MOST_CHARACTERS:
        message = f"Command exceeds maximum size ({MOST_CHARACTERS})"
        form.refuse(path, "APPLICATION_COMMAND_TOO_LARGE", message)


def _name(form: Form, path: Path, name: object) -> None:
    form.length(path, name, 32, 1)
    if isinstance(name, str) and name and (not all(map(_allowed_letter, name)) or name != name.lower()):
        message = "Command name is invalid"
        form.refuse(path, "APPLICATION_COMMAND_INVALID_NAME", message)


def _allowed_letter(letter: str) -> bool:
    # Discord's pattern: ^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$
    scripts = "\u0900" <= letter <= "\u097f" or "\ua8e0" <= letter <= "\ua8ff" or "\u0e01" <= letter <= "\u0e5b"
    return letter in "-_'" or unicodedata.category(letter)[0] in "LN" or scripts


def _options(form: Form, path: Path, options: object, depth: int) -> None:
    names: set[str] = set()
    optional_seen = False
    for at, option in enumerate(form.items((*path, "options"), options, 25)):
        here = (*path, "options", at)
        _name(form, (*here, "name"), option.get("name"))
        form.length((*here, "description"), option.get("description"), 100, 1)
        kinds = tuple(range(1, 12)) if depth == 0 else (1, *range(3, 12)) if depth == 1 else tuple(range(3, 12))
        if not form.choice((*here, "type"), option.get("type"), kinds):
            continue
        if option["name"] in names:
            message = "Option names must be unique"
            form.refuse((*here, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", message)
        names.add(option["name"])
        if option["type"] in (SUBCOMMAND, GROUP):
            _options(form, here, option.get("options"), depth=2 if option["type"] == SUBCOMMAND else 1)
            continue
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            form.refuse(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not option.get("required")
        choices = form.items((*here, "choices"), option.get("choices"), 25)
        _choices(form, (*here, "choices"), choices)
        if choices and option.get("autocomplete"):
            message = "Options cannot have both choices and autocomplete"
            form.refuse((*here, "autocomplete"), "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES", message)
        form.number((*here, "min_length"), option.get("min_length"), 0, 6000)
        form.number((*here, "max_length"), option.get("max_length"), 1, 6000)


def _choices(form: Form, path: Path, choices: Sequence[Any], longest: int = 100) -> None:
    for at, choice in enumerate(choices):
        form.length((*path, at, "name"), choice.get("name"), 100, 1)
        if isinstance(choice.get("value"), str):
            form.length((*path, at, "value"), choice["value"], longest, 1)
        elif not isinstance(choice.get("value"), int | float):
            form.required((*path, at, "value"))


def check_choices(data: Json) -> list[Json]:
    """The choices of an autocomplete answer: at most 25, names and text values of 1 to 100 characters.

    :raises ApiError: 50035 otherwise.
    """
    form = Form()
    choices = form.items(("data", "choices"), data.get("choices"), 25)
    _choices(form, ("data", "choices"), choices)
    form.close()
    return choices


def _characters(command: Json) -> int:
    total = len(str(command.get("name") or "")) + len(str(command.get("description") or ""))
    for choice in command.get("choices") or []:
        total += len(str(choice.get("name") or "")) + len(str(choice.get("value") or ""))
    return total + sum(_characters(option) for option in command.get("options") or [])


def registered(
    command: Json, application_id: str, snowflakes: Snowflakes, guild: Guild | None, old: Json | None
) -> Json:
    """A checked command as Discord gives it back (ApplicationCommandResponse); `old` keeps its id."""
    permissions = command.get("default_member_permissions")
    contexts = command.get("contexts")
    body = {
        "id": snowflakes() if old is None else old["id"],
        "application_id": application_id,
        "version": snowflakes(),
        "type": command.get("type") or CHAT,
        "name": command["name"],
        "description": command.get("description") or "",
        "options": [_registered_option(option) for option in command.get("options") or []],
        "default_member_permissions": None if permissions is None else str(permissions),
        "dm_permission": command.get("dm_permission") is not False,
        "contexts": contexts,
        "integration_types": command.get("integration_types") or [0],
        "nsfw": bool(command.get("nsfw")),
    }
    return body if guild is None else body | {"guild_id": guild.id}


def _registered_option(option: Json) -> Json:
    kept = {key: value for key, value in option.items() if value is not None}
    if kept.get("options"):
        kept["options"] = [_registered_option(inner) for inner in kept["options"]]
    if not kept.get("choices"):
        kept.pop("choices", None)
    return kept


def leaf(command: Json, path: Sequence[str]) -> Json:
    """The command or subcommand that `path` (the words after the command's name) leads to."""
    for word in path:
        inner = [option for option in command["options"] if option["type"] in (SUBCOMMAND, GROUP)]
        found = [option for option in inner if option["name"] == word]
        if not found:
            raise Refused(f"/{command['name']} has no subcommand {word!r}.")
        command = found[0] | {"options": found[0].get("options", [])}
    if any(option["type"] in (SUBCOMMAND, GROUP) for option in command["options"]):
        raise Refused(f"{command['name']!r} needs one of its subcommands.")
    return command


class Typed:
    """The values that a person typed for a command's options, as interaction data."""

    def __init__(self) -> None:
        self.options: list[Json] = []
        self.resolved: dict[str, Json] = {}

    def fill(
        self, command: Json, values: Mapping[str, object], guild: Guild | None, *, focused: str | None = None
    ) -> None:
        """Checks and writes down `values`; while `focused` is being typed, nothing else is required yet.

        :raises Refused: for an unknown or missing option, or a value that the client would not accept.
        """
        known = {option["name"]: option for option in command["options"]}
        for name in values:
            if name not in known:
                raise Refused(f"The command has no option {name!r}; it has {', '.join(known) or 'none'}.")
        for name, option in known.items():
            if name in values:
                entry = {"name": name, "type": option["type"]}
                if name == focused:
                    if not option.get("autocomplete"):
                        raise Refused(f"Option {name!r} has no autocomplete.")
                    self.options.append(entry | {"value": values[name], "focused": True})
                else:
                    self.options.append(entry | {"value": self._value(option, values[name], guild)})
            elif option.get("required") and focused is None:
                raise Refused(f"Option {name!r} is required.")

    def _value(self, option: Json, value: object, guild: Guild | None) -> object:
        kind, name = option["type"], option["name"]
        choices = [choice["value"] for choice in option.get("choices", [])]
        if choices and value not in choices:
            raise Refused(f"Option {name!r} takes one of {choices}, not {value!r}.")
        if kind == STRING and isinstance(value, str):
            low, high = option.get("min_length", 0), option.get("max_length", 6000)
            if not low <= len(value) <= high:
                raise Refused(f"Option {name!r} takes {low} to {high} characters.")
            return value
        numeric = int if kind == INTEGER else int | float
        if kind in (INTEGER, NUMBER) and isinstance(value, numeric) and not isinstance(value, bool):
            low, high = option.get("min_value", -(2**53)), option.get("max_value", 2**53)
            if not low <= value <= high:
                raise Refused(f"Option {name!r} takes {low} to {high}.")
            return value
        if kind == BOOLEAN and isinstance(value, bool):
            return value
        if isinstance(value, User | Role | Channel | Attachment) and kind in (
            A_USER,
            A_CHANNEL,
            A_ROLE,
            MENTIONABLE,
            ATTACHMENT,
        ):
            return resolve(self.resolved, kind, value, guild)
        raise Refused(f"Option {name!r} does not take {value!r}.")


def resolve(resolved: dict[str, Json], kind: int, value: object, guild: Guild | None) -> str:
    """Adds what `value` is to `resolved` and returns its id; `kind` is the option's type (menus: the same numbers)."""
    if isinstance(value, User) and kind in (A_USER, MENTIONABLE):
        resolved.setdefault("users", {})[value.id] = value.wire()
        if guild is not None and guild.has(value):
            member = guild.members[value.id].wire() | {"permissions": str(int(guild.permissions(value)))}
            del member["user"]
            resolved.setdefault("members", {})[value.id] = member
        return value.id
    if isinstance(value, Role) and kind in (A_ROLE, MENTIONABLE):
        resolved.setdefault("roles", {})[value.id] = value.wire()
        return value.id
    if isinstance(value, Channel) and kind == A_CHANNEL:
        resolved.setdefault("channels", {})[value.id] = value.wire() | {"permissions": "0"}
        return value.id
    if isinstance(value, Attachment) and kind == ATTACHMENT:
        resolved.setdefault("attachments", {})[value.id] = value.wire()
        return value.id
    raise Refused(f"{value!r} does not fit here.")


def words(name: str) -> list[str]:
    """A command as typed, `"model retrain"` or `"/model retrain"`, in its words."""
    return re.split(r"\s+", name.strip().lstrip("/"))
