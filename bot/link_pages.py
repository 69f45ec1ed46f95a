"""The pages behind a one-time link, and where Spotify sends the browser back to. Plain forms: no scripts needed."""

import base64
import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jinja2
from aiohttp import web
from markupsafe import Markup, escape
from yarl import URL

from bot.services.link import LIFE, Departure, LinkService, Outcome, Result

log = logging.getLogger(__name__)

_PAGES = Path(__file__).with_name("pages")
_STYLE = (_PAGES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No form-action here: browsers hold it against Spotify's own redirects after ours.
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class Words:
    """One page: what happened, and what to do next. `again`: the link may be opened again."""

    status: int
    tone: Literal["good", "wait", "bad"]
    title: str
    text: str
    next: str
    again: bool = False


_AGAIN = "Open the link in Discord again, or type /link for a fresh one."
_FRESH = "Type /link in Discord for a fresh one."

WORDS = {
    Outcome.LINKED: Words(
        200,
        "good",
        "Your Spotify account is linked",
        "Your tracks are being collected now; that takes a moment.",
        "You can close this page. In Discord, /status shows how far it is and /recommend gives you your ten tracks.",
    ),
    Outcome.CANCELLED: Words(
        200, "wait", "You cancelled", "Nothing was linked and nothing was stored.", f"Changed your mind? {_AGAIN}", True
    ),
    Outcome.EXPIRED: Words(
        410, "wait", "This link has expired", "A link works for ten minutes. Nothing was linked.", _FRESH
    ),
    Outcome.USED: Words(
        409,
        "wait",
        "This link was used already",
        "Each link, and each answer from Spotify, counts once. What was linked before stays linked.",
        "Type /status in Discord to see what is linked, or /link for a fresh link.",
    ),
    Outcome.REPLACED: Words(
        410,
        "wait",
        "This link does not count any more",
        "A newer /link took its place, or /unlink ended it. Nothing was linked here.",
        "Use the newest message in Discord, or type /link again.",
    ),
    Outcome.OTHER_BROWSER: Words(
        403,
        "bad",
        "This link is already being used in another browser",
        "It was started in another browser, or this browser kept no cookie of it. So that nobody ends up with somebody "
        "else's account, nothing was linked here.",
        "Go on in the browser that you started in (with cookies allowed), or type /link in Discord for a link of your "
        "own.",
    ),
    Outcome.UNAVAILABLE: Words(
        503,
        "wait",
        "Spotify does not answer right now",
        "It is down or too busy. Nothing was linked and nothing was lost.",
        f"Wait a minute. {_AGAIN}",
        True,
    ),
    Outcome.STALE: Words(
        400,
        "wait",
        "Spotify did not accept its own answer any more",
        "That happens when the last step takes too long. Nothing was linked.",
        _AGAIN,
        True,
    ),
    Outcome.NOT_REGISTERED: Words(
        403,
        "bad",
        "This Spotify account is not on the host's list",
        "Spotify lets this bot read only the accounts that its host has registered by hand, and yours is not one of "
        "them. Nothing was linked.",
        "Ask whoever runs the bot to add you in Spotify's developer dashboard (User Management, with your Spotify "
        "account's e-mail address), then type /link again.",
        True,
    ),
    Outcome.TAKEN: Words(
        409,
        "bad",
        "Another member has linked this Spotify account",
        "An account belongs to one member; it stays with whoever linked it first. Nothing was changed.",
        "Is it yours? Type /unlink from the other Discord account first. Otherwise sign in to Spotify with your own "
        "account and type /link again.",
        True,
    ),
    Outcome.ANOTHER_LINKED: Words(
        409,
        "bad",
        "You have linked another Spotify account",
        "The one that you chose now is a different one. Nothing was changed: the first is still linked.",
        "To change over, type /unlink first (that deletes what came from the old account), then /link.",
    ),
    Outcome.REFUSED: Words(
        502,
        "bad",
        "Spotify refuses this bot",
        "Something about the host's Spotify app is not right. Nothing was linked, and it is not your fault.",
        "Tell whoever runs the bot; the log says more.",
    ),
    Outcome.UNKNOWN: Words(
        404,
        "bad",
        "This link is not known here",
        "It is not complete, is older than a day, was never given out, or Continue was pressed again in another tab.",
        _FRESH,
    ),
}
_ELSEWHERE = Words(
    403, "bad", "That came from another site", "Continue counts only when it is pressed on our own page.", _FRESH
)
_FAILED = Words(
    500,
    "bad",
    "Something went wrong on this bot's side",
    "Nothing was linked.",
    "Try again in a few minutes. If it happens again, tell whoever runs the bot this code: {code}.",
)
_NOTHING = Result(Outcome.UNKNOWN)


def link_routes(service: LinkService, public_url: str) -> list[web.RouteDef]:
    return _LinkPages(service, public_url).routes()


class _LinkPages:
    def __init__(self, service: LinkService, public_url: str) -> None:
        self._service = service
        self._origin = str(URL(public_url).origin())
        self._https = public_url.startswith("https:")
        # The prefix makes browsers refuse the cookie from anybody but this host, subdomains and plain http included.
        self._cookie = "__Host-link" if self._https else "link"
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._pages.globals["style"] = Markup(_STYLE)
        self._pages.filters["commands"] = _mark_commands

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/link/{token}", self._guarded(self._show)),
            web.post("/link/{token}", self._guarded(self._depart)),
            web.get("/spotify/callback", self._guarded(self._return)),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        """The cookie is set here already, so that pressing Continue twice is one browser, not two."""
        browser = self._browser(request)
        result = await self._service.look(request.match_info["token"], browser)
        if result.outcome is not Outcome.READY:
            return self._outcome(result)
        page = self._pages.get_template("link.html").render(
            discord_name=result.discord_name, guild_name=result.guild_name
        )
        return self._remember(self._page(page, 200), browser or secrets.token_urlsafe(32))

    async def _depart(self, request: web.Request) -> web.Response:
        if not self._from_our_page(request):
            return self._words(_ELSEWHERE, _NOTHING)
        browser = self._browser(request) or secrets.token_urlsafe(32)
        result = await self._service.bind(request.match_info["token"], browser)
        if isinstance(result, Departure):
            return self._remember(web.Response(status=303, headers={"Location": result.url}), browser)
        return self._outcome(result)

    async def _return(self, request: web.Request) -> web.Response:
        query = request.query
        result = await self._service.finish(
            query.get("state", ""), query.get("code"), query.get("error"), self._browser(request)
        )
        return self._outcome(result)

    def _browser(self, request: web.Request) -> str | None:
        """The browser's own secret, if it has one that could be ours."""
        value = request.cookies.get(self._cookie, "")
        return value if _BROWSER.fullmatch(value) else None

    def _remember(self, response: web.Response, browser: str) -> web.Response:
        """Lax: Spotify's redirect back is a navigation from another site, and has to bring the cookie."""
        response.set_cookie(
            self._cookie,
            browser,
            max_age=int(LIFE.total_seconds()),
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._https,
        )
        return response

    def _from_our_page(self, request: web.Request) -> bool:
        """Browsers say where a form was sent from; other clients have no visitor whom one could trick.

        Our pages send no referrer, which makes the origin of their own form "null": Sec-Fetch-Site is the better word.
        """
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site is not None:
            return site in ("same-origin", "none")
        return origin in (None, "null", self._origin)

    def _outcome(self, result: Result) -> web.Response:
        return self._words(WORDS[result.outcome], result)

    def _words(self, words: Words, result: Result) -> web.Response:
        return self._page(self._pages.get_template("outcome.html").render(words=words, result=result), words.status)

    def _page(self, text: str, status: int) -> web.Response:
        return web.Response(
            text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": _POLICY}
        )

    def _guarded(self, handler: Handler) -> Handler:
        """Whatever fails unforeseen: a page with a code, and the cause under that code in the log."""

        async def handle(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except Exception:
                code = secrets.token_hex(3).upper()
                log.exception("[%s] a linking page failed", code)
                words = Words(_FAILED.status, "bad", _FAILED.title, _FAILED.text, _FAILED.next.format(code=code))
                return self._words(words, _NOTHING)

        return handle


def _mark_commands(text: str) -> Markup:
    """`/link` and its like stand out from the sentence."""
    return Markup(re.sub(r"(?<!\S)(/[a-z]+)", r"<code>\1</code>", str(escape(text))))
