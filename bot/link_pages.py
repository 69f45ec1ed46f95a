"""The pages behind a one-time link, and where Spotify sends the browser back to. Plain forms: no scripts needed."""

import secrets
from dataclasses import replace

from aiohttp import web

from bot.page import Handler, Pages, Words
from bot.services.link import LIFE, Departure, LinkService, Outcome, Result

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
        "account's e-mail address), then type /link again. They were told. Without a place there, /import and /connect "
        "bring your music here.",
        True,
    ),
    Outcome.NO_PREMIUM: Words(
        403,
        "wait",
        "Spotify does not answer this bot at the moment",
        "The owner of the host's Spotify app needs an active Premium, and Spotify sees none. Nothing was linked.",
        "The host was told. Type /link again once they renewed it; until then /import and /connect bring your music "
        "here.",
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
        self._pages = Pages(public_url, "link", LIFE)

    def routes(self) -> list[web.RouteDef]:
        def guarded(handler: Handler) -> Handler:
            return self._pages.guarded(handler, self._failed)

        return [
            web.get("/link/{token}", guarded(self._show)),
            web.post("/link/{token}", guarded(self._depart)),
            web.get("/spotify/callback", guarded(self._return)),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        """The cookie is set here already, so that pressing Continue twice is one browser, not two."""
        browser = self._pages.browser(request)
        result = await self._service.look(request.match_info["token"], browser)
        if result.outcome is not Outcome.READY:
            return self._outcome(result)
        page = self._pages.draw("link.html", 200, discord_name=result.discord_name, guild_name=result.guild_name)
        return self._pages.remember(page, browser)

    async def _depart(self, request: web.Request) -> web.Response:
        if not self._pages.sent_from_ours(request):
            return self._words(_ELSEWHERE, _NOTHING)
        browser = self._pages.browser(request) or secrets.token_urlsafe(32)
        form = await request.post()
        result = await self._service.bind(request.match_info["token"], browser, reminds=form.get("remind") == "yes")
        if isinstance(result, Departure):
            return self._pages.remember(web.Response(status=303, headers={"Location": result.url}), browser)
        return self._outcome(result)

    async def _return(self, request: web.Request) -> web.Response:
        query = request.query
        result = await self._service.finish(
            query.get("state", ""), query.get("code"), query.get("error"), self._pages.browser(request)
        )
        return self._outcome(result)

    def _outcome(self, result: Result) -> web.Response:
        return self._words(WORDS[result.outcome], result)

    def _words(self, words: Words, result: Result) -> web.Response:
        return self._pages.draw("outcome.html", words.status, words=words, result=result)

    def _failed(self, code: str) -> web.Response:
        return self._words(replace(_FAILED, next=_FAILED.next.format(code=code)), _NOTHING)
