"""Linking a Spotify account: a one-time link, our own page, Spotify's consent, and back.

Whoever holds the link may start, in one browser only; whoever comes back must be that browser (RFC 9700), with a state
that is unused and younger than ten minutes. What may end well later (cancelled, Spotify down …) leaves the link usable
for the rest of its ten minutes.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from bot.clock import Clock
from bot.errors import (
    ForbiddenError,
    NeedsReconnectError,
    NoPremiumError,
    NoSeatError,
    PausedError,
    RateLimitError,
    SpotifyError,
    UnavailableError,
)
from bot.services.host import HostNotices, Seats, Trouble
from bot.services.link_message import LinkReporter, LinkStep
from bot.services.secret import hashed, is_anothers, new_secret
from bot.sources import Source
from bot.spotify.oauth import OAuth, TokenAnswer, new_verifier
from bot.spotify.records import Profile
from bot.spotify.vault import Vault
from bot.storage.accounts import account_of_member, account_with, count_accounts, fresh_tokens, put_account
from bot.storage.database import Connection, Database
from bot.storage.link_requests import (
    LinkRequest,
    Stage,
    add_request,
    bind_browser,
    move,
    purge_requests,
    put_message,
    request_by_state,
    request_by_token,
)
from bot.storage.members import ensure_member, member_of, paused_since

log = logging.getLogger(__name__)

LIFE = timedelta(minutes=10)  # of a link until Continue, and of a state from there
REMEMBERED = timedelta(days=1)  # so long a dead link is told apart from an unknown one
PATIENCE_SECONDS = 20.0  # a browser waits for the answer


class Outcome(StrEnum):
    """What became of a link or of an answer from Spotify; bot/link_pages.py has the words."""

    READY = "ready"
    LINKED = "linked"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    USED = "used"
    REPLACED = "replaced"  # by a newer /link, or ended by /unlink
    OTHER_BROWSER = "other_browser"
    UNAVAILABLE = "unavailable"  # Spotify is down, or too busy
    STALE = "stale"  # Spotify does not know its own answer any more
    NOT_REGISTERED = "not_registered"  # the host's app may not read this account
    NO_PREMIUM = "no_premium"  # the host's app may read nobody's
    TAKEN = "taken"  # another member has linked this Spotify account
    ANOTHER_LINKED = "another_linked"  # this member has linked another Spotify account
    REFUSED = "refused"  # Spotify refuses the host's app
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Result:
    """Names only where they help whoever reads the page; `guild_name` None: a direct message."""

    outcome: Outcome
    discord_name: str | None = None
    guild_name: str | None = None
    spotify_name: str | None = None
    minutes_left: int | None = None  # of the link, where it may be tried (again)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the bound browser goes next."""

    url: str


@dataclass(frozen=True, slots=True)
class Offer:
    request_id: int
    url: str
    linked_as: str | None  # what is linked already, if anything; the link renews it
    seats: Seats | None = None  # where the host said how many there are


@dataclass(frozen=True, slots=True)
class Linked:
    discord_id: str
    member_id: int
    account_id: int


class Profiles(Protocol):
    async def me(self, access_token: str) -> Profile:
        """Whose token this is."""
        ...


class LinkService:
    """`on_linked` is called after every successful link; the first sync starts there."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        oauth: OAuth,
        profiles: Profiles,
        reporter: LinkReporter,
        on_linked: Callable[[Linked], Awaitable[None]],
        host: HostNotices,
        public_url: str,
        clock: Clock,
        *,
        seats: int | None = None,
    ) -> None:
        """`seats`: how many accounts the host's Spotify app may read, if the host said so."""
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._profiles = profiles
        self._reporter = reporter
        self._on_linked = on_linked
        self._host = host
        self._public_url = public_url
        self._seats = seats
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, discord_id: str, discord_name: str, guild_name: str | None) -> Offer:
        """A new one-time link; this person's earlier ones end. Only its hash is kept. Raises `PausedError`, and
        `NoSeatError` for somebody new where every seat is taken."""
        token, now = new_secret(), self._clock()
        async with self._database.write() as connection:
            if await paused_since(connection, discord_id) is not None:
                raise PausedError
            seats = await self._count_seats(connection)
            member_id = await member_of(connection, discord_id)
            account = None if member_id is None else await account_of_member(connection, member_id, Source.SPOTIFY)
            if account is None and seats is not None and seats.are_full:
                raise NoSeatError(seats.total)
            await purge_requests(connection, now - REMEMBERED)
            request_id = await add_request(
                connection,
                token_hash=hashed(token),
                discord_id=discord_id,
                discord_name=discord_name,
                guild_name=guild_name,
                now=now,
            )
        linked_as = None if account is None else account.display_name or "a Spotify account"
        return Offer(request_id, f"{self._public_url}/link/{token}", linked_as, seats)

    async def _count_seats(self, connection: Connection) -> Seats | None:
        return None if self._seats is None else Seats(await count_accounts(connection, Source.SPOTIFY), self._seats)

    async def sent(self, request_id: int, channel_id: str, message_id: str) -> None:
        """The link went out in this direct message, which is edited from here on."""
        async with self._database.write() as connection:
            await put_message(connection, request_id, channel_id, message_id)

    async def look(self, token: str, browser: str | None) -> Result:
        """What our page shows. Changes nothing: crawlers and previews follow links."""
        async with self._database.read() as connection:
            return self._judge(await request_by_token(connection, hashed(token)), browser)

    async def bind(self, token: str, browser: str, *, reminds: bool = False) -> Departure | Result:
        """Continue was pressed: from here on the request is this browser's. Pressing again starts anew. `reminds`: the
        member wants to hear in time that the consent ends."""
        state, verifier = new_secret(), new_verifier()
        async with self._database.write() as connection:
            request = await request_by_token(connection, hashed(token))
            result = self._judge(request, browser)
            if request is None or result.outcome is not Outcome.READY:
                return result
            bound = await bind_browser(
                connection,
                request.id,
                browser_hash=hashed(browser),
                state_hash=hashed(state),
                verifier=self._vault.seal(verifier),
                reminds=reminds,
                now=self._clock(),
            )
        return Departure(self._oauth.authorize_url(state, verifier)) if bound else Result(Outcome.OTHER_BROWSER)

    async def finish(self, state: str, code: str | None, error: str | None, browser: str | None) -> Result:
        """Spotify sent the browser back, with a code or with an error."""
        async with self._database.read() as connection:
            request = await request_by_state(connection, hashed(state))
        if request is None or (code is None and error is None):
            return Result(Outcome.UNKNOWN)
        if browser is None or request.browser_hash != hashed(browser):
            return Result(Outcome.OTHER_BROWSER)  # before all else: a stranger learns and ends nothing
        if request.stage is Stage.REPLACED:
            return Result(Outcome.REPLACED)
        if request.stage is not Stage.CONSENT:
            return self._result(request, Outcome.USED)
        if request.consent_at is None or request.consent_at + LIFE <= self._clock():
            return Result(Outcome.EXPIRED)
        if code is None or error is not None:
            outcome = _refusal(error)
            after = Stage.CANCELLED if outcome is Outcome.CANCELLED else Stage.FAILED
            return self._result(request, outcome if await self._move(request, Stage.CONSENT, after) else Outcome.USED)
        if not await self._move(request, Stage.CONSENT, Stage.EXCHANGE):
            return self._result(request, Outcome.USED)
        return await self._redeem(request, code)

    async def _redeem(self, request: LinkRequest, code: str) -> Result:
        """Code to tokens to account. Every failure leaves the link usable."""
        profile = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                tokens = await self._oauth.exchange(code, self._vault.open(request.verifier or ""))
                profile = await self._profiles.me(tokens.access_token)
            linked = await self._store(request, tokens, profile)
        except (UnavailableError, RateLimitError, TimeoutError):
            outcome = Outcome.UNAVAILABLE
        except NoPremiumError:
            outcome = Outcome.NO_PREMIUM
            await self._host.tell(Trouble.NO_PREMIUM)
        except ForbiddenError:
            outcome = Outcome.NOT_REGISTERED
            async with self._database.read() as connection:
                seats = await self._count_seats(connection)
            await self._host.tell(Trouble.NOT_REGISTERED, request.discord_id, seats)
        except NeedsReconnectError:
            outcome = Outcome.STALE
        except SpotifyError:
            outcome = Outcome.REFUSED
        except _Unfit as unfit:
            outcome = unfit.outcome
        else:
            log.info("member %d linked Spotify", linked.member_id)
            self._in_background(self._follow_up(linked))
            return self._result(request, Outcome.LINKED, profile)
        if not await self._move(request, Stage.EXCHANGE, Stage.FAILED):
            outcome = Outcome.REPLACED
        return self._result(request, outcome, profile)

    async def _store(self, request: LinkRequest, tokens: TokenAnswer, profile: Profile) -> Linked:
        """One transaction: all of it, or nothing."""
        now = self._clock()
        same_account = {profile.account_id, profile.id}
        sealed = fresh_tokens(
            self._vault.seal(tokens.access_token), self._vault.seal(tokens.refresh_token or ""), tokens.expires_at
        )
        async with self._database.write() as connection:
            if not await move(connection, request, Stage.EXCHANGE, Stage.DONE):
                raise _Unfit(Outcome.REPLACED)
            member_id = await ensure_member(connection, request.discord_id, now)
            known = await account_with(connection, Source.SPOTIFY, same_account)
            if known is not None and known.member_id != member_id:
                raise _Unfit(Outcome.TAKEN)
            own = await account_of_member(connection, member_id, Source.SPOTIFY)
            if own is not None and own.external_id not in same_account:
                raise _Unfit(Outcome.ANOTHER_LINKED)
            account_id = await put_account(
                connection,
                member_id,
                Source.SPOTIFY,
                external_id=profile.account_id,
                user_id=profile.id,
                display_name=profile.display_name,
                tokens=sealed,
                scope=tokens.scope,
                now=now,
                reminds=request.reminds,
            )
        return Linked(request.discord_id, member_id, account_id)

    async def _follow_up(self, linked: Linked) -> None:
        await self._reporter.report(linked.discord_id, LinkStep.COLLECTING)
        await self._on_linked(linked)

    def _judge(self, request: LinkRequest | None, browser: str | None) -> Result:
        """Whether this link may be used, by this browser, now."""
        if request is None:
            return Result(Outcome.UNKNOWN)
        if request.stage is Stage.REPLACED:
            return Result(Outcome.REPLACED)
        if request.stage is Stage.DONE:
            return Result(Outcome.USED)
        if request.created_at + LIFE <= self._clock():
            return Result(Outcome.EXPIRED)
        if is_anothers(request.browser_hash, browser):
            return Result(Outcome.OTHER_BROWSER)
        return self._result(request, Outcome.READY)

    def _result(self, request: LinkRequest, outcome: Outcome, profile: Profile | None = None) -> Result:
        spotify_name = None if profile is None else profile.display_name or profile.id
        left = math.ceil((request.created_at + LIFE - self._clock()).total_seconds() / 60)
        return Result(outcome, request.discord_name, request.guild_name, spotify_name, left if left > 0 else None)

    async def _move(self, request: LinkRequest, before: Stage, after: Stage) -> bool:
        async with self._database.write() as connection:
            return await move(connection, request, before, after)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="after a link")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what follows a link failed", exc_info=error)


class _Unfit(Exception):  # noqa: N818 - rolls a transaction back, reaches nobody
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def _refusal(error: str | None) -> Outcome:
    """OAuth's error codes on the way back (RFC 6749, 4.1.2.1)."""
    if error == "access_denied":
        return Outcome.CANCELLED
    return Outcome.UNAVAILABLE if error in ("server_error", "temporarily_unavailable") else Outcome.REFUSED
