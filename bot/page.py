"""What all of our pages share: one style, a strict content policy, and a cookie by which a browser is known again."""

import base64
import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import jinja2
from aiohttp import web
from markupsafe import Markup, escape
from yarl import URL

log = logging.getLogger(__name__)

_PAGES = Path(__file__).with_name("pages")
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Words:
    """One page: what happened, and what to do next. `again`: the link may be opened again."""

    status: int
    tone: Literal["good", "wait", "bad"]
    title: str
    text: str
    next: str
    again: bool = False


class Pages:
    """One kind of page. `cookie` is its cookie's name, which lives for `life`; `script` a file in pages/."""

    def __init__(self, public_url: str, cookie: str, life: timedelta, script: str | None = None) -> None:
        self._origin = str(URL(public_url).origin())
        self._https = public_url.startswith("https:")
        # The prefix makes browsers refuse the cookie from anybody but this host, subdomains and plain http included.
        self._cookie = f"__Host-{cookie}" if self._https else cookie
        self._life = life
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._pages.filters["commands"] = _mark_commands
        self._pages.filters["duration"] = _duration
        style = (_PAGES / "style.css").read_text(encoding="utf-8")
        self._pages.globals["style"] = Markup(style)
        # No form-action here: browsers hold it against Spotify's own redirects after ours.
        policy = ["default-src 'none'", f"style-src '{_hash(style)}'", "base-uri 'none'", "frame-ancestors 'none'"]
        if script is not None:
            code = (_PAGES / script).read_text(encoding="utf-8")
            self._pages.globals["script"] = Markup(code)
            policy += [f"script-src '{_hash(code)}'", "connect-src 'self'"]
        self._policy = "; ".join(policy)

    def browser(self, request: web.Request) -> str | None:
        """The browser's own secret, if it has one that could be ours."""
        value = request.cookies.get(self._cookie, "")
        return value if _BROWSER.fullmatch(value) else None

    def remember(self, response: web.Response, browser: str | None) -> web.Response:
        """Give the browser its secret, a new one if it had none. Lax: a redirect back from another site is a navigation
        that has to bring the cookie."""
        response.set_cookie(
            self._cookie,
            browser or secrets.token_urlsafe(32),
            max_age=int(self._life.total_seconds()),
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._https,
        )
        return response

    def sent_from_ours(self, request: web.Request) -> bool:
        """Browsers say where a form was sent from; other clients have no visitor whom one could trick.

        Our pages send no referrer, which makes the origin of their own form "null": Sec-Fetch-Site is the better word.
        """
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site is not None:
            return site in ("same-origin", "none")
        return origin in (None, "null", self._origin)

    def draw(self, template: str, status: int, **values: object) -> web.Response:
        text = self._pages.get_template(template).render(values)
        return web.Response(
            text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": self._policy}
        )

    def guarded(self, handler: Handler, failed: Callable[[str], web.Response]) -> Handler:
        """Whatever fails unforeseen: what `failed` makes of a code, and the cause under that code in the log."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Exception:
                code = secrets.token_hex(3).upper()
                log.exception("[%s] a page failed", code)
                return failed(code)

        return handle


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _duration(minutes: int) -> str:
    """Rounded to hours where there are several."""
    number, unit = (round(minutes / 60), "hour") if minutes > 90 else (minutes, "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _mark_commands(text: str) -> Markup:
    """`/link` and its like stand out from the sentence."""
    return Markup(re.sub(r"(?<!\S)(/privacy [a-z]+|/[a-z]+)", r"<code>\1</code>", str(escape(text))))
