"""What somebody types at the demo's prompt, understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sandbox.discord.commands import BOOLEAN, GROUP, INTEGER, NUMBER, STRING, SUBCOMMAND

Json = dict[str, Any]

FEEDBACK_WORDS = {"like": "liked", "dislike": "disliked", "know": "known"}
_OPTION = re.compile(r"(?:^|\s)(?P<name>[\w-]+):")
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")


class NotUnderstoodError(Exception):
    """One sentence about what was typed and what to type instead."""


@dataclass(frozen=True)
class Become:
    name: str


@dataclass(frozen=True)
class Who:
    pass


@dataclass(frozen=True)
class Help:
    pass


@dataclass(frozen=True)
class Quit:
    pass


@dataclass(frozen=True)
class Command:
    """A slash command; `options` are values as Discord's client would send them."""

    name: str
    options: dict[str, object]


@dataclass(frozen=True)
class Feedback:
    """`kind` is liked, disliked or known; `number` counts from 1."""

    kind: str
    number: int


@dataclass(frozen=True)
class Press:
    label: str


@dataclass(frozen=True)
class Choose:
    """The `option`th option of the `menu`th menu; both count from 1."""

    menu: int
    option: int


Action = Become | Who | Help | Quit | Command | Feedback | Press | Choose


def understand(line: str, commands: Sequence[Json]) -> Action | None:
    """What a line asks for; None for an empty one. `commands` are the synced ones, as Discord gives them back.

    :raises NotUnderstoodError: when it is nothing that can be done.
    """
    line = line.strip()
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    match word.lower():
        case "":
            return None
        case "/?":
            return Help()
        case "/quit" | "/exit":
            return Quit()
        case "/who":
            return Who()
        case "/as":
            if not rest:
                raise NotUnderstoodError("Type whose place you take, such as /as Ada; /who lists everybody.")
            return Become(rest)
        case "like" | "dislike" | "know" as verb:
            if not rest.isdecimal():
                raise NotUnderstoodError(f"Type the number of a track in the last list, such as {verb} 3.")
            return Feedback(FEEDBACK_WORDS[verb], int(rest))
        case "undo" | "share":
            return Press(word.capitalize())
        case "press":
            if not rest:
                raise NotUnderstoodError("Type the label of a button of the last reply, such as press Share.")
            return Press(rest)
        case "choose":
            if not re.fullmatch(r"\d+\s+\d+", rest):
                raise NotUnderstoodError("Type the number of a menu and of an option in it, such as choose 1 3.")
            menu, option = rest.split()
            return Choose(int(menu), int(option))
    if word.startswith("/"):
        return _command(line, commands)
    raise NotUnderstoodError(f"“{word}” is nothing that can be typed here; /? lists what can.")


def _command(line: str, commands: Sequence[Json]) -> Command:
    found = _OPTION.search(line)
    head, tail = (line, "") if found is None else (line[: found.start()], line[found.start() :])
    name, *path = head.lstrip("/").split() or [""]
    leaf = next((command for command in commands if command["name"] == name), None)
    if leaf is None:
        known = ", ".join(f"/{command['name']}" for command in commands)
        raise NotUnderstoodError(f"There is no command /{name}; there are {known or 'none yet'}.")
    said = f"/{name}"
    for word in path:
        inner = _inner(leaf)
        if word not in inner:
            raise NotUnderstoodError(
                f"{said} has no {word!r}; type {' or '.join(f'{said} {one}' for one in inner)}."
                if inner
                else f"{said} takes no {word!r}" + (f"; type {said} {_usage(leaf)}." if _usage(leaf) else ".")
            )
        leaf, said = inner[word], f"{said} {word}"
    if _inner(leaf):
        raise NotUnderstoodError("Type more of it: " + ", ".join(f"{head.strip()} {one}" for one in _inner(leaf)) + ".")
    return Command(" ".join([name, *path]), _options(leaf, tail))


def _inner(command: Json) -> dict[str, Json]:
    return {option["name"]: option for option in command.get("options", []) if option["type"] in (SUBCOMMAND, GROUP)}


def _usage(leaf: Json) -> str:
    return " ".join(f"{option['name']}:…" for option in leaf.get("options", []))


def _options(leaf: Json, text: str) -> dict[str, object]:
    """`kind:new share:true`: a value goes as far as the next option."""
    known = {option["name"]: option for option in leaf.get("options", [])}
    starts = list(_OPTION.finditer(text))
    values: dict[str, object] = {}
    for found, following in zip_longest(starts, starts[1:]):
        name = found["name"]
        if name not in known:
            raise NotUnderstoodError(f"There is no option {name!r} here; there is {_usage(leaf) or 'none'}.")
        values[name] = _value(known[name], text[found.end() : following.start() if following else None].strip())
    return values


def _value(option: Json, text: str) -> object:
    name, kind = option["name"], option["type"]
    choices = {choice["name"].lower(): choice["value"] for choice in option.get("choices", [])}
    choices |= {str(choice["value"]).lower(): choice["value"] for choice in option.get("choices", [])}
    if choices:
        if text.lower() not in choices:
            allowed = ", ".join(f"{name}:{choice['value']}" for choice in option["choices"])
            raise NotUnderstoodError(f"Type one of {allowed}.")
        return choices[text.lower()]
    if kind == BOOLEAN:
        if text.lower() not in (*_YES, *_NO):
            raise NotUnderstoodError(f"Type {name}:true or {name}:false.")
        return text.lower() in _YES
    try:
        if kind == INTEGER:
            return int(text)
        if kind == NUMBER:
            return float(text)
    except ValueError:
        raise NotUnderstoodError(f"Type a number, such as {name}:5.") from None
    if kind == STRING and text:
        return text
    raise NotUnderstoodError(f"Option {name!r} cannot be typed here." if text else f"Type a value behind {name}:.")
