"""A member's browser without a window: it opens pages, keeps cookies, fills in forms and follows redirects."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin

import aiohttp


@dataclass
class Form:
    """`fields` holds what is filled in already; a button counts when it is pressed."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """What the browser shows. `heading` is the first <h1>, `text` all that can be read."""

    url: str
    status: int
    heading: str
    text: str
    forms: tuple[Form, ...]


class BrowserError(Exception):
    """A page is not what it should be; the message says which."""


class Browser:
    """`async with Browser() as browser:`; each has its own cookies."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # cookies of addresses that are numbers too: 127.0.0.1
            headers={"User-Agent": "Mozilla/5.0 (sandbox)", "Accept": "text/html"},
            timeout=aiohttp.ClientTimeout(total=20),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def open(self, url: str) -> Page:
        async with self._session.get(url) as response:
            return await _page(response)

    async def submit(self, page: Page, **pressed: str | None) -> Page:
        """Send the page's form; `pressed` are the fields that the member chooses, the pressed button among them. None
        takes a tick away.

        :raises BrowserError: when the page has no form, or one that is not posted.
        """
        if not page.forms:
            raise BrowserError(f"The page {page.heading!r} ({page.status}) has no form: {page.text}")
        form = page.forms[0]
        if form.method != "POST":
            raise BrowserError(f"The form of {page.heading!r} changes things without a POST.")
        address = urljoin(page.url, form.action)
        data = {name: value for name, value in {**form.fields, **pressed}.items() if value is not None}
        async with self._session.post(address, data=data) as response:
            return await _page(response)


async def _page(response: aiohttp.ClientResponse) -> Page:
    reader = _Reader()
    reader.feed(await response.text())
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.text).split("\n"))
    return Page(
        str(response.url),
        response.status,
        " ".join("".join(reader.heading).split()),
        " ".join(line for line in lines if line),
        tuple(reader.forms),
    )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.heading: list[str] = []
        self.forms: list[Form] = []
        self._hidden = 0
        self._in_heading = False
        self._had_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("style", "script", "title"):
            self._hidden += 1
        elif tag == "h1" and not self._had_heading:
            self._in_heading = self._had_heading = True
        elif tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").upper()))
        elif tag == "input" and self.forms and (given.get("type") == "hidden" or "checked" in given):
            self.forms[-1].fields[given["name"]] = given.get("value", "on")
        if tag in ("p", "h1", "h2", "li", "label", "div", "br"):
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "title"):
            self._hidden -= 1
        elif tag == "h1":
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.text.append(data)
        if self._in_heading:
            self.heading.append(data)
