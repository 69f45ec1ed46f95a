"""The page behind a large export: it says whose data it is, and its button downloads the file, once."""

import logging
from contextlib import aclosing
from dataclasses import replace

from aiohttp import web

from bot.page import Pages, Words
from bot.services.export import LIFE, Export, ExportService

log = logging.getLogger(__name__)

FILE_NAME = "specrec-data.zip"
_FRESH = "Type /privacy export in Discord for a fresh one."
_UNKNOWN = Words(
    404,
    "wait",
    "There is nothing to download here",
    "A download works once, for an hour, and not after a restart of the bot. Perhaps you have the file already.",
    _FRESH,
)
_BUSY = Words(
    409,
    "wait",
    "The download is under way",
    "The file is being sent, here or in another window.",
    "If it breaks off, open the link again.",
)
_ELSEWHERE = Words(
    403, "bad", "That came from another site", "Download counts only when it is pressed on our own page.", _FRESH
)
_FAILED = Words(
    500,
    "bad",
    "Something went wrong on this bot's side",
    "Nothing was downloaded.",
    "Try again in a few minutes. If it happens again, tell whoever runs the bot this code: {code}.",
)


def export_routes(service: ExportService, public_url: str) -> list[web.RouteDef]:
    return _ExportPages(service, public_url).routes()


class _ExportPages:
    def __init__(self, service: ExportService, public_url: str) -> None:
        self._service = service
        self._pages = Pages(public_url, "export", LIFE)

    def routes(self) -> list[web.RouteDef]:
        def failed(code: str) -> web.Response:
            return self._words(replace(_FAILED, next=_FAILED.next.format(code=code)))

        return [
            web.get("/export/{token}", self._pages.guarded(self._show, failed)),
            web.post("/export/{token}", self._pages.guarded(self._download, failed)),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        """Changes nothing: crawlers and previews follow links."""
        export = self._service.look(request.match_info["token"])
        if export is None:
            return self._words(_UNKNOWN)
        return self._pages.draw(
            "export.html", 200, name=export.discord_name, megabytes=f"{max(export.size, 100_000) / 1e6:,.1f}"
        )

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if not self._pages.sent_from_ours(request):
            return self._words(_ELSEWHERE)
        token = request.match_info["token"]
        export = self._service.look(token)
        if export is None:
            return self._words(_UNKNOWN)
        if export.is_being_sent:
            return self._words(_BUSY)
        return await self._send(request, token, export)

    async def _send(self, request: web.Request, token: str, export: Export) -> web.StreamResponse:
        headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"', "Content-Length": str(export.size)}
        response = web.StreamResponse(headers=headers)
        response.content_type = "application/zip"
        try:
            async with aclosing(self._service.send(token)) as pieces:  # else a lost browser would leave the file taken
                await response.prepare(request)
                async for piece in pieces:
                    await response.write(piece)
            await response.write_eof()
        except ConnectionError:  # nobody is there to read a page about it
            log.info("an export's download broke off")
        return response

    def _words(self, words: Words) -> web.Response:
        return self._pages.draw("outcome.html", words.status, words=words, result={"outcome": None})
