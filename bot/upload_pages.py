"""The page behind /import: files are chosen or dropped, sent piece by piece, and followed until they are stored."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.errors import MemberError
from bot.imports.base import Skip
from bot.page import Handler, Pages, Words
from bot.services.importing import FileProgress, ImportProgress
from bot.services.upload import (
    LIFE,
    OPEN,
    MisplacedError,
    NoSuchFileError,
    Outcome,
    RefusedError,
    UploadService,
    Visit,
)

PIECE = 64 * 1024
PATIENCE_SECONDS = 30.0  # for each of them
_ANNOUNCEMENT = 4_096  # bytes

_FRESH = "Type /import in Discord for a fresh page."
WORDS = {
    Outcome.EXPIRED: Words(
        410,
        "wait",
        "This page has expired",
        "It works for an hour, and for six more from the first file on. What was stored stays.",
        _FRESH,
    ),
    Outcome.REPLACED: Words(
        410,
        "wait",
        "This page does not count any more",
        "A newer /import took its place. What was stored stays.",
        "Use the newest reply in Discord, or type /import again.",
    ),
    Outcome.OTHER_BROWSER: Words(
        403,
        "bad",
        "This page is already being used in another browser",
        "It was opened in another browser first, or this browser kept no cookie of it. So that nobody's history ends "
        "up with somebody else, nothing can be sent from here.",
        "Go on in the browser that you started in (with cookies allowed), or type /import in Discord for a page of "
        "your own.",
    ),
    Outcome.UNKNOWN: Words(
        404, "bad", "This page is not known here", "It is not complete, is older than a day, or never was.", _FRESH
    ),
}
_ELSEWHERE = Words(403, "bad", "That came from another site", "Files count only when our own page sends them.", _FRESH)
_FAILED = Words(
    500,
    "bad",
    "Something went wrong on this bot's side",
    "What was stored stays.",
    "Try again in a few minutes. If it happens again, tell whoever runs the bot this code: {code}.",
)
SKIPPED = {  # one, several
    Skip.SHORT: ("play shorter than 30 seconds", "plays shorter than 30 seconds"),
    Skip.PRIVATE: ("play in a private session", "plays in private sessions"),
    Skip.NOT_MUSIC: ("podcast, audiobook or video", "podcasts, audiobooks and videos"),
    Skip.NAMELESS: ("entry that does not say which track", "entries that do not say which track"),
    Skip.UNREADABLE: ("entry that could not be read", "entries that could not be read"),
}
_NOTHING = Visit(Outcome.UNKNOWN)


def upload_routes(service: UploadService, public_url: str) -> list[web.RouteDef]:
    return _UploadPages(service, public_url).routes()


class _UploadPages:
    def __init__(self, service: UploadService, public_url: str) -> None:
        self._service = service
        self._pages = Pages(public_url, "import", LIFE + OPEN, script="import.js")

    def routes(self) -> list[web.RouteDef]:
        def page(handler: Handler) -> Handler:
            return self._pages.guarded(handler, lambda code: self._words(_failed(code)))

        def answer(handler: Handler) -> Handler:
            return self._pages.guarded(handler, lambda code: _refusal(_failed(code)))

        return [
            web.get("/import/{token}", page(self._show)),
            web.get("/import/{token}/progress", answer(self._progress)),
            web.post("/import/{token}/files", answer(self._announce)),
            web.put(r"/import/{token}/files/{number:\d{1,4}}", answer(self._receive)),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        """The cookie is set here; the page becomes this browser's with its first file only."""
        browser = self._pages.browser(request)
        visit = await self._service.look(request.match_info["token"], browser)
        if visit.outcome is not Outcome.READY:
            return self._words(WORDS[visit.outcome])
        return self._pages.remember(self._pages.draw("import.html", 200, visit=visit), browser)

    async def _progress(self, request: web.Request) -> web.Response:
        visit = await self._service.look(request.match_info["token"], self._pages.browser(request))
        if visit.outcome is not Outcome.READY:
            return _refusal(WORDS[visit.outcome])
        return web.json_response(_state(visit.progress or ImportProgress()))

    async def _announce(self, request: web.Request) -> web.Response:
        browser = self._pages.browser(request)
        if not self._pages.sent_from_ours(request) or request.content_type != "application/json":
            return _refusal(_ELSEWHERE)
        if browser is None:
            return _refusal(WORDS[Outcome.OTHER_BROWSER])
        announced = _announced(await request.content.read(_ANNOUNCEMENT))
        if announced is None:
            return web.json_response({"message": "This is not how a file is announced."}, status=400)
        name, size, private = announced
        try:
            slot = await self._service.announce(request.match_info["token"], browser, name, size, with_private=private)
        except RefusedError as refused:
            return _refusal(WORDS[refused.outcome])
        except MemberError as error:
            return web.json_response({"message": error.told}, status=422)
        return web.json_response({"number": slot.number, "received": slot.received})

    async def _receive(self, request: web.Request) -> web.Response:
        browser, start = self._pages.browser(request), request.query.get("from", "")
        if not self._pages.sent_from_ours(request):
            return _refusal(_ELSEWHERE)
        if browser is None:
            return _refusal(WORDS[Outcome.OTHER_BROWSER])
        if not (start.isascii() and start.isdecimal() and len(start) < 16):
            return web.json_response({"message": "It has to be said where the piece begins."}, status=400)
        token, number = request.match_info["token"], int(request.match_info["number"])
        try:
            received = await self._service.receive(token, browser, number, int(start), _pieces(request))
        except RefusedError as refused:
            return _refusal(WORDS[refused.outcome])
        except NoSuchFileError:
            return web.json_response({"message": "This file is not expected here."}, status=404)
        except MisplacedError as error:
            return web.json_response({"received": error.received}, status=409)
        except (
            TimeoutError,
            ConnectionError,
            web.RequestPayloadError,
        ):  # what came is kept; nobody is there to read this
            return web.json_response({"message": "The connection was lost."}, status=408)
        return web.json_response({"received": received})

    def _words(self, words: Words) -> web.Response:
        return self._pages.draw("outcome.html", words.status, words=words, result=_NOTHING)


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(PATIENCE_SECONDS):
            piece = await request.content.read(PIECE)
        if not piece:
            return
        yield piece


def _announced(body: bytes) -> tuple[str, int, bool] | None:
    """Name, size in bytes, and whether plays of private sessions count."""
    try:
        said: Any = json.loads(body)
        name, size, private = said["name"], said["size"], said["private"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    fits = isinstance(name, str) and 0 < len(name) <= 1_000 and isinstance(private, bool)
    return (name, size, private) if fits and isinstance(size, int) and 0 <= size < 2**53 else None


def _state(progress: ImportProgress) -> dict[str, object]:
    """What the page's script shows; numbers and words only."""
    total = progress.total
    return {
        "files": [_file(number, one) for number, one in enumerate(progress.files)],
        "new": total.new,
        "already_there": total.already_there,
        "unmatched": total.unmatched,
        "skipped": [[SKIPPED[why][number > 1], number] for why, number in total.skipped.most_common() if number],
        "over": bool(progress.files) and progress.is_over,
    }


def _file(number: int, one: FileProgress) -> dict[str, object]:
    return {
        "number": number,
        "name": one.name,
        "stage": one.stage,
        "size": one.size,
        "received": one.received,
        "read": one.read,
        "to_store": one.to_store,
        "stored": one.stored,
        "new": one.counts.new,
        "reason": one.reason,
    }


def _refusal(words: Words) -> web.Response:
    """For the page's script, which shows the sentence in the page's place."""
    return web.json_response({"message": f"{words.title}. {words.text} {words.next}"}, status=words.status)


def _failed(code: str) -> Words:
    return replace(_FAILED, next=_FAILED.next.format(code=code))
