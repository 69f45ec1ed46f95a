"""A far end on this machine: an aiohttp application on a loopback port, with a log of requests and faults to order."""

import asyncio
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.faults import Body, Fault, Hold

SERVER = web.AppKey("server", str)
"""In every application: which far end it is: "discord", "spotify", "accounts", "reccobeats" …"""
BASE_PATH = web.AppKey("base_path", str)
"""In every application: the part of each path that belongs to the API's address, such as "/v1"; may be empty."""


class SeenRequest(NamedTuple):
    """A request that arrived, refused or not."""

    method: str
    path: str
    """Below the API's base, without a trailing slash or the query."""
    query: Mapping[str, str]
    user: str | None
    """The id of the user whose token came with it, if it was a good one."""


class Site:
    """Start with `async with site:` or `await site.start()`; the address is `url`.

    The middlewares stand outside everything, so that a recorder sees refusals and ordered faults as well.
    """

    def __init__(self, name: str, base_path: str = "", middlewares: Sequence[Middleware] = ()) -> None:
        self.base_path = base_path
        self.requests: list[SeenRequest] = []
        self._faults: list[Fault] = []
        self._runner: web.AppRunner | None = None
        self._address: tuple[str, int] | None = None
        self.app = web.Application(middlewares=[*middlewares, self._log, self._spoil, self._answer_refusals])
        self.app[SERVER] = name
        self.app[BASE_PATH] = base_path

    # Living

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        """Listen; port 0 takes any free one. A site that was stopped can be started again at its old port."""
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._address = (host, self._runner.addresses[0][1])
        return self

    async def stop(self) -> None:
        """Close every connection and stop listening; stopping twice does no harm."""
        self.clear_faults()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        return self if self._runner is not None else await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The API's address, without a trailing slash.

        :raises RuntimeError: before `start`.
        """
        if self._address is None:
            raise RuntimeError("This server has no address yet: start it first.")
        host, port = self._address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self.base_path}"

    def path_of(self, request: web.Request) -> str:
        """The request's path below the API's base, without a trailing slash."""
        return "/" + request.path.removeprefix(self.base_path).strip("/")

    def count(self, path: str = "*", method: str | None = None, user: str | None = None) -> int:
        """How many requests came to paths like `path`."""
        return sum(
            fnmatchcase(seen.path, path) and method in (None, seen.method) and user in (None, seen.user)
            for seen in self.requests
        )

    # Going wrong

    def fail_next(
        self,
        path: str,
        status: int,
        times: int | None = 1,
        *,
        method: str | None = None,
        skip: int = 0,
        body: Body | None = None,
        content_type: str | None = None,
        retry_after: float | None = None,
    ) -> Fault:
        """Answer the next `times` requests to paths like `path` with `status` (None: all until `clear`).

        Without a body it is this service's own error object; text is sent as text/html unless `content_type` says so.
        `skip` requests pass first; `retry_after` is in seconds.
        """
        return self._order(
            Fault(
                path,
                method=method,
                skip=skip,
                times=times,
                status=status,
                body=body,
                content_type=content_type,
                retry_after=retry_after,
            )
        )

    def delay(self, path: str, seconds: float, times: int | None = None) -> Fault:
        """Answer, but late."""
        return self._order(Fault(path, times=times, delay_s=seconds))

    def disconnect(self, path: str = "*", times: int | None = None, *, skip: int = 0) -> Fault:
        """Close the connection without an answer, as a service that is down does."""
        return self._order(Fault(path, times=times, skip=skip, disconnect=True))

    def hold(self, path: str, *, skip: int = 0) -> Hold:
        """Keep requests waiting; `await hold.arrived.wait()` says that one came, `hold.release()` lets all through."""
        hold = Hold()
        self._order(Fault(path, skip=skip, hold=hold))
        return hold

    def clear_faults(self) -> None:
        """Everything works again."""
        for fault in self._faults:
            fault.clear()
        self._faults.clear()

    def _order(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    # What each service does its own way

    def error_body(self, status: int, message: str) -> Mapping[str, object]:
        """This service's error object."""
        raise NotImplementedError

    def identify(self, request: web.Request) -> str | None:
        """Whose request it is, for the log; None where nobody says."""
        return None

    # Around every handler

    @web.middleware
    async def _log(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        who = self.identify(request)
        self.requests.append(SeenRequest(request.method, self.path_of(request), dict(request.query), who))
        return await handler(request)

    @web.middleware
    async def _spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = self.path_of(request)
        for fault in list(self._faults):
            if not fault.meets(request.method, path):
                continue
            if fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            if fault.hold is not None:
                await fault.hold.wait()
            if fault.disconnect and request.transport is not None:
                request.transport.abort()
                raise ConnectionResetError("The connection was closed on purpose.")
            if fault.status is not None:
                return self._spoilt(fault, fault.status)
        return await handler(request)

    def _spoilt(self, fault: Fault, status: int) -> web.Response:
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        if isinstance(fault.body, str):
            return web.Response(
                status=status, text=fault.body, content_type=fault.content_type or "text/html", headers=headers
            )
        body = fault.body if fault.body is not None else self.error_body(status, phrase(status))
        return web.json_response(body, status=status, headers=headers)

    @web.middleware
    async def _answer_refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """aiohttp's exceptions become responses: a recorder sees them; 404 and 405 are in the service's words."""
        try:
            return await handler(request)
        except web.HTTPException as ended:
            if ended.status in (404, 405):
                message = "Service not found" if ended.status == 404 else phrase(ended.status)
                return web.json_response(self.error_body(ended.status, message), status=ended.status)
            headers = {"Location": ended.headers["Location"]} if "Location" in ended.headers else {}
            return web.Response(status=ended.status, text=ended.text, headers=headers)


def phrase(status: int) -> str:
    """What Spotify's services say with a status when there is nothing more to say."""
    return {
        400: "Bad request",
        401: "The access token expired",
        403: "Forbidden",
        404: "Resource not found",
        405: "Method not allowed",
        429: "Too many requests",
        500: "Server error",
        502: "Bad gateway",
        503: "Service unavailable",
    }.get(status, "Error")
