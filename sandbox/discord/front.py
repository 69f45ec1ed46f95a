"""The front door: who asks, how often, in which form, and what goes wrong on purpose."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from sandbox.discord.body import FILE_BYTES, REQUEST_BYTES, Upload
from sandbox.discord.errors import ApiError
from sandbox.discord.limits import Fault, Faults, RateLimits
from sandbox.discord.world import Json

API = "/api/v10"
VIA = "1.1 google"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer. The type is exactly `application/json`: discord.py reads anything longer as text."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, content_type="application/json", headers=dict(headers or {})
    )


def no_content() -> web.Response:
    """204."""
    return web.Response(status=204)


def too_many(
    retry_after: float, *, is_global: bool, via: bool, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A 429. Without `Via` it looks like one from the network before Discord's own servers, and discord.py gives up."""
    extra = {
        "Retry-After": str(max(1, round(retry_after + 0.5))),
        "X-RateLimit-Scope": "global" if is_global else "user",
    }
    if is_global:
        extra["X-RateLimit-Global"] = "true"
    if via:
        extra["Via"] = VIA
    body = {
        "message": "You are being rate limited.",
        "retry_after": round(retry_after, 3),
        "global": is_global,
        "code": 0,
    }
    return answer(body, 429, {**(headers or {}), **extra})


async def body_of(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    """The JSON of a request and its files by their place in the form (`files[0]` …).

    :raises ApiError: 413 for a request above 25 MiB, 400 for what is no JSON.
    """
    if (request.content_length or 0) > REQUEST_BYTES:
        raise ApiError.known(40005)
    uploads: dict[int, Upload] = {}
    text: object
    if request.content_type == "multipart/form-data":
        form = await request.post()
        text = form.get("payload_json", "{}")
        for name, part in form.items():
            if isinstance(part, web.FileField) and name.startswith("files["):
                # One byte above the limit is enough to know that it is too large.
                uploads[int(name[6:-1])] = Upload(part.filename, part.file.read(FILE_BYTES + 1))
    else:
        text = await request.text()
    try:
        return json.loads(str(text) or "{}"), uploads
    except ValueError:
        raise ApiError.known(50109) from None


async def object_of(request: web.Request) -> tuple[Json, dict[int, Upload]]:
    """As `body_of`, for bodies that must be JSON objects."""
    data, uploads = await body_of(request)
    if not isinstance(data, dict):
        raise ApiError.known(50109)
    return data, uploads


class Front:
    """One middleware around every handler of the API."""

    def __init__(self, token: str, limits: RateLimits, faults: Faults) -> None:
        self._token = token
        self._limits = limits
        self._faults = faults

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Planned faults, the ban, authorization, rate limits; then the handler, its errors as Discord's JSON."""
        if not request.path.startswith("/api/"):
            return await handler(request)
        path = request.path.removeprefix(API)
        if self._limits.banned:
            return web.Response(status=429, text="<html>error code: 1015</html>", content_type="text/html")
        fault = self._faults.next(request.method, path)
        if fault is not None and not fault.applied:
            return self._spoil(fault)
        headers: Mapping[str, str] = {}
        try:
            headers = self._count(request)
            response = await handler(request)
        except ApiError as error:
            response = answer(error.body(), error.status)
        except web.HTTPRequestEntityTooLarge:
            response = answer(ApiError.known(40005).body(), 413)
        except web.HTTPException as error:
            response = answer({"message": f"{error.status}: {error.reason}", "code": 0}, error.status)
        except TooMany as error:
            headers, response = {}, error.response
        if response.status in (401, 403, 429):
            self._limits.count_invalid()
        response.headers.update(headers)
        return response if fault is None else self._spoil(fault)

    def _spoil(self, fault: Fault) -> web.Response:
        if fault.status == 429:
            return too_many(fault.retry_after, is_global=fault.is_global, via=fault.via)
        return answer({"message": f"{fault.status}: planned fault", "code": 0}, fault.status)

    def _count(self, request: web.Request) -> Mapping[str, str]:
        # Interactions and their webhooks: the token in the path is the credential, and the global limit does not count.
        by_token = "token" in request.match_info
        if not by_token and request.headers.get("Authorization") != f"Bot {self._token}":
            raise ApiError.known(40001)
        resource = request.match_info.route.resource
        if resource is None:
            return {}
        if not by_token:
            wait = self._limits.take_global()
            if wait:
                raise TooMany(too_many(wait, is_global=True, via=True))
        route = resource.canonical.removeprefix(API)
        major = "/".join(request.match_info.get(key, "") for key in ("channel", "guild", "token"))
        headers, wait = self._limits.take(request.method, route, major)
        if wait:
            raise TooMany(too_many(wait, is_global=False, via=True, headers=headers))
        return headers


class TooMany(Exception):  # noqa: N818 - carries an answer, not a fault
    """One request too many."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response
