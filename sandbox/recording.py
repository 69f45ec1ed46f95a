"""Every HTTP exchange with the far ends as one JSON line each, without tokens: for looking at, and for holding against
the services' own descriptions.

A line: `server` (discord, spotify, accounts, reccobeats, listenbrainz, labs, lastfm), `method`, `path` (below the API's
base, without the query), `query` (object), `request` (JSON body; a form as an object; of a multipart body its
`payload_json`; else null), `status`, `response` (JSON, or null).
"""

import json
import re
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.site import BASE_PATH, SERVER

BLANK = "blanked"
"""What stands in a token's place: a token is text, so the shapes stay as they were."""
SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "refresh_token",
        "code",
        "code_verifier",
        "code_challenge",
        "client_secret",
        "state",
        "token",
    }
)
"""Blanked where they hold text. Discord's error codes are numbers and stay."""


class Recorder:
    """Give `middleware` to the far ends; it stands outside everything, so that refusals are recorded as well.

    :param public_url: the bot's own pages: the one-time links to them, which go through direct messages, are blanked.
    """

    def __init__(self, file: TextIO, public_url: str) -> None:
        self._file = file
        self._one_time = re.compile(rf"({re.escape(public_url)}/[\w/.-]*?)[\w-]{{16,}}")

    @classmethod
    def to(cls, path: Path, public_url: str) -> "Recorder":
        """
        :raises OSError: when the file cannot be written.
        """
        return cls(path.open("w", encoding="utf-8"), public_url)

    def close(self) -> None:
        self._file.close()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        base = request.app[BASE_PATH]
        if request.path.startswith(f"{base}/") and not isinstance(response, web.WebSocketResponse):
            self._write(request, base, await _body(request), response)
        return response

    def _write(self, request: web.Request, base: str, body: object, response: web.StreamResponse) -> None:
        path = request.path.removeprefix(base)
        token = request.match_info.get("token")
        exchange = {
            "server": request.app[SERVER],
            "method": request.method,
            "path": path.replace(token, BLANK) if token else path,
            "query": self.blanked(dict(request.query)),
            "request": self.blanked(body),
            "status": response.status,
            "response": self.blanked(_json(response)),
        }
        self._file.write(json.dumps(exchange, ensure_ascii=False) + "\n")

    def blanked(self, value: Any) -> Any:
        """`value` (JSON) with tokens and one-time links replaced, everything else and every type as it was."""
        match value:
            case {"_errors": faults, **rest}:  # of a refused form: their codes are names
                return {**self.blanked(rest), "_errors": faults}
            case dict():
                return {
                    key: BLANK if key in SECRET_KEYS and isinstance(inner, str) else self.blanked(inner)
                    for key, inner in value.items()
                }
            case list():
                return [self.blanked(inner) for inner in value]
            case str():
                return self._one_time.sub(rf"\1{BLANK}", value)
            case _:
                return value


async def _body(request: web.Request) -> object:
    """After the handler: aiohttp keeps what it has read, so reading once more takes nothing from anybody."""
    if request.content_type == "multipart/form-data":
        payload = (await request.post()).get("payload_json")
        return _parsed(payload.decode() if isinstance(payload, bytes | bytearray) else str(payload))
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: str(value) for name, value in (await request.post()).items()}
    return _parsed(await request.text())


def _json(response: web.StreamResponse) -> object:
    if isinstance(response, web.Response) and response.content_type == "application/json":
        return _parsed(response.text or "")
    return None


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
