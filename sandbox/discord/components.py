"""Buttons, menus, layouts and modals: what Discord refuses in them, and what it adds before showing them."""

from typing import Any

from sandbox.discord.errors import Form, Path
from sandbox.discord.message import BUTTON, LINK, SELECTS, STRING_SELECT, walk
from sandbox.discord.snowflake import Snowflakes
from sandbox.discord.world import Json

ROW, TEXT_INPUT = 1, 4
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER, LABEL = 9, 10, 11, 12, 13, 14, 17, 18
MODAL_FIELDS = (TEXT_INPUT, *SELECTS, 19, 21, 22, 23)
"""inside a label: text input, menus, file upload, radio group, checkbox group, checkbox"""
PREMIUM = 6
MOST_ROWS, MOST_PER_ROW, MOST_IN_LAYOUT, MOST_TEXT = 5, 5, 40, 4000


def check_message_components(form: Form, components: object, layout: bool) -> list[Json]:
    """The components of a message body; `layout` when it carries the flag of Components V2."""
    pieces = form.items(("components",), components, MOST_IN_LAYOUT if layout else MOST_ROWS)
    top = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER) if layout else (ROW,)
    seen: set[str] = set()
    for at, piece in enumerate(pieces):
        _check(form, ("components", at), piece, top, seen)
    every = list(walk([piece for piece in pieces if isinstance(piece, dict)]))
    if len(every) > MOST_IN_LAYOUT:
        form.refuse(
            ("components",), "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The maximum number of components is 40"
        )
    if sum(len(str(piece.get("content", ""))) for piece in every if piece.get("type") == TEXT) > MOST_TEXT:
        message = "The total displayable text size exceeds maximum size of 4000"
        form.refuse(("components",), "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)
    return pieces


def check_modal(form: Form, data: Json) -> None:
    """The `data` of a modal callback: title, custom id, one to five labelled fields."""
    form.length(("data", "custom_id"), data.get("custom_id"), 100, 1)
    form.length(("data", "title"), data.get("title"), 45, 1)
    seen: set[str] = set()
    for at, piece in enumerate(form.items(("data", "components"), data.get("components"), 5, 1)):
        _check(form, ("data", "components", at), piece, (ROW, TEXT, LABEL), seen, modal=True)


def _check(
    form: Form, path: Path, piece: Any, allowed: tuple[int, ...], seen: set[str], *, modal: bool = False
) -> None:
    if not isinstance(piece, dict):
        form.refuse(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return
    kind = piece.get("type")
    if kind not in allowed:
        form.refuse((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of {allowed}.')
        return
    if "custom_id" in piece and piece["custom_id"] is not None:
        form.length((*path, "custom_id"), piece["custom_id"], 100, 1)
        if piece["custom_id"] in seen:
            message = "Component custom id cannot be duplicated"
            form.refuse((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message)
        seen.add(piece["custom_id"])
    if kind == ROW:
        _row(form, path, piece, seen, modal)
    elif kind == BUTTON:
        _button(form, path, piece)
    elif kind in SELECTS:
        _select(form, path, piece)
    elif kind == TEXT_INPUT:
        _text_input(form, path, piece, labelled=allowed == MODAL_FIELDS)
    elif kind == LABEL:
        form.length((*path, "label"), piece.get("label"), 45, 1)
        form.length((*path, "description"), piece.get("description"), 100)
        _check(form, (*path, "component"), piece.get("component"), MODAL_FIELDS, seen)
    elif kind == TEXT:
        form.length((*path, "content"), piece.get("content"), MOST_TEXT, 1)
    elif kind == SECTION:
        for at, inner in enumerate(form.items((*path, "components"), piece.get("components"), 3, 1)):
            _check(form, (*path, "components", at), inner, (TEXT,), seen)
        _check(form, (*path, "accessory"), piece.get("accessory"), (BUTTON, THUMBNAIL), seen)
    elif kind == GALLERY:
        for at, item in enumerate(form.items((*path, "items"), piece.get("items"), 10, 1)):
            _media(form, (*path, "items", at), item)
    elif kind == THUMBNAIL:
        _media(form, path, piece)
    elif kind == FILE:
        form.url((*path, "file", "url"), piece.get("file", {}).get("url"), schemes=("attachment",))
    elif kind == CONTAINER:
        inside = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR)
        for at, inner in enumerate(form.items((*path, "components"), piece.get("components"), MOST_IN_LAYOUT, 1)):
            _check(form, (*path, "components", at), inner, inside, seen)


def _row(form: Form, path: Path, row: Json, seen: set[str], modal: bool) -> None:
    pieces = form.items((*path, "components"), row.get("components"), 1 if modal else MOST_PER_ROW, 1)
    allowed = (TEXT_INPUT,) if modal else (BUTTON, *SELECTS)
    for at, piece in enumerate(pieces):
        _check(form, (*path, "components", at), piece, allowed, seen)
    menus = [piece for piece in pieces if isinstance(piece, dict) and piece.get("type") in SELECTS]
    if menus and len(pieces) > 1:
        message = "The specified component exceeds the maximum width"
        form.refuse((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)


def _button(form: Form, path: Path, button: Json) -> None:
    style = button.get("style")
    if not form.choice((*path, "style"), style, (1, 2, 3, 4, LINK, PREMIUM)):
        return
    form.length((*path, "label"), button.get("label"), 80)
    needed = "url" if style == LINK else "sku_id" if style == PREMIUM else "custom_id"
    if not button.get(needed):
        form.required((*path, needed))
    for other in {"url", "sku_id", "custom_id"} - {needed}:
        if button.get(other):
            message = f"A button of style {style} cannot have a {other}"
            form.refuse((*path, other), "BUTTON_COMPONENT_INVALID_FIELD", message)
    if style == LINK and button.get("url"):
        form.url((*path, "url"), button["url"], 512, ("http", "https", "discord"))
    if style != PREMIUM and not button.get("label") and not button.get("emoji"):
        form.required((*path, "label"))


def _select(form: Form, path: Path, menu: Json) -> None:
    form.length((*path, "custom_id"), menu.get("custom_id"), 100, 1)
    form.length((*path, "placeholder"), menu.get("placeholder"), 150)
    form.number((*path, "min_values"), menu.get("min_values"), 0, 25)
    form.number((*path, "max_values"), menu.get("max_values"), 1, 25)
    if menu["type"] != STRING_SELECT:
        return
    options = form.items((*path, "options"), menu.get("options"), 25, 1)
    values: set[str] = set()
    for at, option in enumerate(options):
        place = (*path, "options", at)
        form.length((*place, "label"), option.get("label"), 100, 1)
        form.length((*place, "value"), option.get("value"), 100, 1)
        form.length((*place, "description"), option.get("description"), 100)
        if option.get("value") in values:
            message = "The specified option value is already used"
            form.refuse((*place, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message)
        values.add(option.get("value"))
    most = menu.get("max_values")
    if isinstance(most, int) and most > len(options):
        form.refuse((*path, "max_values"), "SELECT_COMPONENT_MAX_VALUES", "Must not exceed the number of options")
    elif sum(bool(option.get("default")) for option in options) > (most or 1):
        form.refuse((*path, "options"), "SELECT_COMPONENT_DEFAULT_VALUES", "Too many default values")


def _text_input(form: Form, path: Path, field: Json, *, labelled: bool) -> None:
    form.length((*path, "custom_id"), field.get("custom_id"), 100, 1)
    form.choice((*path, "style"), field.get("style"), (1, 2))
    # Inside a label component the label says what the field is; the old form in a row carries its own.
    form.length((*path, "label"), field.get("label"), 45, 0 if labelled else 1)
    form.length((*path, "value"), field.get("value"), 4000)
    form.length((*path, "placeholder"), field.get("placeholder"), 100)
    form.number((*path, "min_length"), field.get("min_length"), 0, 4000)
    form.number((*path, "max_length"), field.get("max_length"), 1, 4000)


def _media(form: Form, path: Path, item: Json) -> None:
    form.url((*path, "media", "url"), item.get("media", {}).get("url"), schemes=("http", "https", "attachment"))
    form.length((*path, "description"), item.get("description"), 1024)


# What Discord puts where a body left something out, by component type.
_ADDED: dict[int, Json] = {
    BUTTON: {},
    **{kind: {"min_values": 1, "max_values": 1} for kind in SELECTS},
    THUMBNAIL: {"description": None, "spoiler": False},
    FILE: {"spoiler": False},
    SEPARATOR: {"spacing": 1, "divider": True},
    CONTAINER: {"accent_color": None, "spoiler": False},
}


def shown(components: list[Json], snowflakes: Snowflakes) -> list[Json]:
    """The components as Discord gives them back: numbered from 1, defaults filled in, empty keys left out."""
    number = 0

    def show(piece: Json) -> Json:
        nonlocal number
        number += 1
        result = {**_ADDED.get(piece["type"], {}), **_told(piece), "id": piece.get("id") or number}
        for key in ("media", "file"):
            if key in result:
                result[key] = _unfurled(result[key], snowflakes)
        if "items" in result:
            result["items"] = [
                {"description": None, "spoiler": False, **item, "media": _unfurled(item["media"], snowflakes)}
                for item in result["items"]
            ]
        if "options" in result:
            result["options"] = [_told(option) for option in result["options"]]
        if "components" in result:
            result["components"] = [show(inner) for inner in result["components"]]
        if "accessory" in result:
            result["accessory"] = show(result["accessory"])
        return result

    return [show(piece) for piece in components]


def _told(piece: Json) -> Json:
    told = {key: value for key, value in piece.items() if value is not None}
    return told | {"emoji": _told(told["emoji"])} if "emoji" in told else told


def _unfurled(media: Json, snowflakes: Snowflakes) -> Json:
    return {"id": snowflakes(), "url": media["url"], "proxy_url": media["url"]}
