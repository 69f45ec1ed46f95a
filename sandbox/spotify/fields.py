"""The `fields` parameter of playlists: `total,items(added_at,item(id,artists.name))`, `items.item(!album)`."""

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.spotify.errors import ApiError

_TOKEN = re.compile(r"[A-Za-z_]+|[!.,()]")


@dataclass
class Selection:
    """What to keep of an object; with no names at all, everything that is not in `without`."""

    names: dict[str, "Selection"] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)

    def of(self, value: Any) -> Any:
        """The selected part; lists are gone through, null stays null."""
        if isinstance(value, list):
            return [self.of(one) for one in value]
        if not isinstance(value, dict):
            return value
        if self.names:
            return {name: below.of(value[name]) for name, below in self.names.items() if name in value}
        return {name: one for name, one in value.items() if name not in self.without}


def parse_fields(text: str) -> Selection:
    """
    :raises ApiError: 400 when the text cannot be read.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise ApiError(400, "Invalid fields")
    selection = _names(tokens)
    if tokens:
        raise ApiError(400, "Invalid fields")
    return selection


def _names(tokens: list[str]) -> Selection:
    """Names with commas between, up to the end or a closing bracket; eats its tokens."""
    selection = Selection()
    while True:
        excluded = tokens[:1] == ["!"]
        if excluded:
            tokens.pop(0)
        if not tokens or not tokens[0][0].isidentifier():
            raise ApiError(400, "Invalid fields")
        name = tokens.pop(0)
        if excluded:
            selection.without.add(name)
        else:
            selection.names[name] = _below(tokens)
        if tokens[:1] != [","]:
            return selection
        tokens.pop(0)


def _below(tokens: list[str]) -> Selection:
    """What follows a name: `.name`, `(names)` or nothing, which keeps all of it."""
    if tokens[:1] == ["."]:
        tokens.pop(0)
        if not tokens or not tokens[0][0].isidentifier():
            raise ApiError(400, "Invalid fields")
        return Selection({tokens.pop(0): _below(tokens)})
    if tokens[:1] == ["("]:
        tokens.pop(0)
        selection = _names(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise ApiError(400, "Invalid fields")
        return selection
    return Selection()
