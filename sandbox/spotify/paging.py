"""Parts of a listing: limits, offsets and the page object with its absolute `next`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from aiohttp import web

from sandbox.spotify.errors import ApiError

T = TypeVar("T")


def whole_number(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    """A number from the query.

    :raises ApiError: 400 `Invalid limit` (or whatever `name` is) when it is no number from `low` to `high`.
    """
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ApiError(400, f"Invalid {name}")
    return int(text)


def page(
    request: web.Request,
    base: str,
    path: str,
    things: Sequence[T],
    shape: Callable[[T], Any],
    *,
    default: int = 20,
    most: int = 50,
    furthest: int = 100_000,
    repeat: bool = False,
) -> dict[str, Any]:
    """The page of `things` that the query's `limit` and `offset` ask for; `total` counts every one, null or not.

    With `repeat` it names itself as the next one, as broken listings have done.
    """
    limit = whole_number(request, "limit", default, 1, most)
    offset = whole_number(request, "offset", 0, 0, furthest)
    others = {name: text for name, text in request.query.items() if name not in ("limit", "offset")}

    def address(start: int) -> str:
        return f"{base}{path}?{urlencode({**others, 'offset': start, 'limit': limit})}"

    following = offset if repeat else offset + limit
    return {
        "href": address(offset),
        "items": [shape(thing) for thing in things[offset : offset + limit]],
        "limit": limit,
        "next": address(following) if repeat or offset + limit < len(things) else None,
        "offset": offset,
        "previous": address(max(0, offset - limit)) if offset > 0 else None,
        "total": len(things),
    }
