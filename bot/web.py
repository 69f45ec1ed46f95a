"""The web server: health, and the pages that members' browsers reach under PUBLIC_URL."""

import logging
import os
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.errors import SettingsError

log = logging.getLogger(__name__)

Ready = Callable[[], Awaitable[list[str]]]
"""Returns what is not ready yet, in words; an empty list when all is well."""


class Web:
    """Owner of the listening socket. `routes` come from the modules that draw the pages."""

    def __init__(self, host: str, port: int, ready: Ready, routes: list[web.RouteDef]) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        app = web.Application(middlewares=[_safe_headers])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_routes(routes)
        # No access log: it would hold one-time links and codes. A stop has ten seconds for everything.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)

    async def start(self) -> None:
        """Raises `SettingsError` when nobody can listen there."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
            raise SettingsError(
                [f"WEB_HOST, WEB_PORT: cannot listen on {self._host}:{self._port} ({why}); choose another one."]
            ) from error
        log.info("web pages on %s", self.address)

    @property
    def address(self) -> str:
        """Where it listens, e.g. http://127.0.0.1:8080; the port is the real one when 0 was asked for."""
        port = self._runner.addresses[0][1] if self._runner.addresses else self._port
        return f"http://{self._host}:{port}"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        missing = await self._ready()
        return web.json_response(
            {"status": "not ready" if missing else "ready", "missing": missing}, status=503 if missing else 200
        )


@web.middleware
async def _safe_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """No framing, no referrer (our addresses carry one-time links), no caching of members' pages."""
    response = await handler(request)
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
