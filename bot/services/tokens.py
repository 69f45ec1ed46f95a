"""A ready access token for every linked account: renewed a minute early, once at a time, stored before it is used.

Spotify refuses to renew (invalid_grant) what a member took back, and in some outages everything. So a refusal is tried
on another account before anything is concluded: while that one is renewed, the consent is gone; while that one is
refused too, it is Spotify's trouble, nobody is told to connect again, and every ten minutes one account tries.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import Clock
from bot.errors import ConsentDoubtError, NeedsReconnectError, SpotifyError, UnavailableError
from bot.sources import Source
from bot.spotify.oauth import OAuth, TokenAnswer, consent_ends
from bot.spotify.vault import Vault
from bot.storage.accounts import (
    SealedTokens,
    consent_of,
    fresh_tokens,
    keep_tokens,
    kept_tokens,
    mark_needs_reconnect,
    mark_refused,
    others_linked,
    refused_tokens,
    replace_tokens,
    revive,
    sealed_tokens,
)
from bot.storage.database import Database
from bot.storage.syncs import NEEDS_RECONNECT

log = logging.getLogger(__name__)

EARLY = timedelta(seconds=60)  # a token must outlive the call that it is asked for
PROBES = 2  # other accounts that are tried where one was refused
PROBE_EVERY = timedelta(minutes=10)  # in an outage
DOUBT_LIFE = timedelta(days=1)  # refused so long, with nobody to compare with, it is no outage
LOOK_AGAIN = timedelta(days=7)  # so long a lost link is tried once a day: some outages outlast every caution


class Profiles(Protocol):
    async def me(self, access_token: str) -> object:
        """Whose token this is. Raises `NeedsReconnectError` where Spotify's API does not take it."""
        ...


class TokenKeeper:
    """Owner of the renewals under way. Errors of both questions: `NeedsReconnectError` (also for an account that was
    unlinked), `ConsentDoubtError` (refused, but perhaps not for good), `UnavailableError`, `SpotifyError`."""

    def __init__(self, database: Database, vault: Vault, oauth: OAuth, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._clock = clock
        self._renewals: dict[int, asyncio.Task[str]] = {}
        self._next_probe: datetime | None = None  # set in an outage
        self._app: TokenAnswer | None = None
        self._one_app_token = asyncio.Lock()

    async def open(self) -> None:
        """At the start: tokens that no key opened, and one does now that the host put it back, get another try."""
        async with self._database.read() as connection:
            waiting = await kept_tokens(connection)
        for account_id, kept in waiting.items():
            if self._opens(kept):
                async with self._database.write() as connection:
                    if await revive(connection, account_id, kept):
                        log.info("the tokens of account %d can be opened: it is tried again", account_id)

    async def token(self, account_id: int) -> str:
        """A token that is good for a minute at least."""
        usable = await self._usable(await self._sealed(account_id), account_id, refused=None)
        return await self._renew(account_id, refused=None) if usable is None else usable

    async def renewed(self, account_id: int, refused: str) -> str:
        """Another token than `refused`, which Spotify answered with 401."""
        while True:
            token = await self._renew(account_id, refused)
            if token != refused:  # else a renewal was under way that did not know of the refusal
                return token

    async def app_token(self, refused: str | None = None) -> str:
        """A token of the application itself; another one than `refused`."""
        async with self._one_app_token:
            current = self._app
            if current is None or current.access_token == refused or current.expires_at - EARLY <= self._clock():
                current = self._app = await self._oauth.app_token()
            return current.access_token

    async def look_again(self, profiles: Profiles) -> None:
        """Once a day: links that were given up lately, perhaps wrongly. What works again needs nothing of anybody:
        Spotify gives a new token, and its API takes it."""
        async with self._database.read() as connection:
            lost = await refused_tokens(connection, self._clock() - LOOK_AGAIN)
        for account_id, before in lost.items():
            try:
                answer = await self._oauth.refresh(self._vault.open(before.refresh or ""))
            except SpotifyError:
                continue
            after = self._answered(before, answer)
            taken = await _is_taken(profiles, answer)
            async with self._database.write() as connection:
                if not taken:  # the refresh token may be a new one
                    await keep_tokens(connection, account_id, before, after)
                elif await revive(connection, account_id, before):
                    await replace_tokens(connection, account_id, before, after)
                    log.info("account %d is renewed after all", account_id)

    async def close(self) -> None:
        """Waits for what is under way: a refresh token that was rotated but not stored would be lost."""
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)

    async def _renew(self, account_id: int, refused: str | None, *, probing: bool = False) -> str:
        """Whoever comes while a renewal is under way waits for that one. Shielded, because a caller that is cancelled
        must not take a rotated token with it."""
        task = self._renewals.get(account_id)
        if task is None or task.done():
            task = asyncio.create_task(self._renewal(account_id, refused, probing=probing), name="token renewal")
            self._renewals[account_id] = task
            task.add_done_callback(lambda ended: self._ended(account_id, ended))
        return await asyncio.shield(task)

    def _ended(self, account_id: int, task: asyncio.Task[str]) -> None:
        if self._renewals.get(account_id) is task:
            del self._renewals[account_id]
        if not task.cancelled():
            task.exception()  # all who waited may be gone; that alone is nothing to complain about

    async def _renewal(self, account_id: int, refused: str | None, *, probing: bool = False) -> str:
        """`probing`: the stored token may be good still; what matters is whether Spotify gives another."""
        before = await self._sealed(account_id)
        usable = None if probing else await self._usable(before, account_id, refused)
        if usable is not None:  # somebody else's renewal just ended
            return usable
        if before.refresh is None:
            raise NeedsReconnectError("there is no refresh token")
        refresh_token = await self._unsealed(before.refresh, account_id, before)
        if not probing and await self._is_doubted(account_id):
            raise ConsentDoubtError("token: invalid_grant for several accounts; the next probe is not due")
        try:
            answer = await self._oauth.refresh(refresh_token)
        except NeedsReconnectError:
            async with self._database.write() as connection:
                ours = await mark_refused(connection, account_id, before, self._clock())
            if not ours:
                return await self._renewal(account_id, refused)  # linked anew in the meantime
            if probing or not await self._is_lost(account_id):
                raise ConsentDoubtError("token: invalid_grant, which may be Spotify's trouble") from None
            async with self._database.write() as connection:
                if not await mark_needs_reconnect(connection, account_id, before):
                    return await self._renewal(account_id, refused)
            log.info("account %d has to be connected again", account_id)
            raise
        self._next_probe = None
        async with self._database.write() as connection:
            stored = await replace_tokens(connection, account_id, before, self._answered(before, answer))
        return answer.access_token if stored else await self._renewal(account_id, refused)

    def _answered(self, before: SealedTokens, answer: TokenAnswer) -> SealedTokens:
        """What is stored from now on: a new refresh token if there is one, else the old one."""
        return fresh_tokens(
            self._vault.seal(answer.access_token),
            self._vault.resealed(before.refresh or "")
            if answer.refresh_token is None
            else self._vault.seal(answer.refresh_token),
            answer.expires_at,
        )

    async def _is_doubted(self, account_id: int) -> bool:
        """Refused before, in an outage whose next probe is not due yet."""
        if self._next_probe is None or self._clock() >= self._next_probe:
            return False
        async with self._database.read() as connection:
            consent = await consent_of(connection, account_id)
        return consent is not None and consent.refused_at is not None

    async def _is_lost(self, account_id: int) -> bool:
        """Whether the refusal of a moment ago means what it says."""
        now = self._clock()
        async with self._database.read() as connection:
            consent = await consent_of(connection, account_id)
            others = await others_linked(connection, Source.SPOTIFY, account_id)
        if consent is None or consent_ends(consent.authorised_at) <= now or not others:
            return True
        if consent.refused_at is not None and now - consent.refused_at >= DOUBT_LIFE:
            return True
        if self._next_probe is not None and now < self._next_probe:
            return False
        probes = [other for other, refused in others.items() if not refused and other not in self._renewals]
        for other in probes[:PROBES]:
            try:
                await self._renew(other, refused=None, probing=True)
            except ConsentDoubtError:
                continue  # refused too
            except SpotifyError:
                break
            return True
        self._next_probe = now + PROBE_EVERY
        log.warning(
            "Spotify refuses to renew several links at once: taken for its trouble, nobody is told to reconnect"
        )
        return False

    async def _usable(self, sealed: SealedTokens, account_id: int, refused: str | None) -> str | None:
        """The stored token if it is good still, sealed with the current key from here on."""
        if sealed.access is None or sealed.refresh is None or sealed.expires_at is None:
            return None
        token = await self._unsealed(sealed.access, account_id, sealed)
        if token == refused or sealed.expires_at - EARLY <= self._clock():
            return None
        await self._unsealed(sealed.refresh, account_id, sealed)
        current = fresh_tokens(
            self._vault.resealed(sealed.access), self._vault.resealed(sealed.refresh), sealed.expires_at
        )
        if current != sealed:
            async with self._database.write() as connection:
                await replace_tokens(connection, account_id, sealed, current)
        return token

    async def _sealed(self, account_id: int) -> SealedTokens:
        async with self._database.read() as connection:
            sealed = await sealed_tokens(connection, account_id)
        if sealed is None:
            raise NeedsReconnectError("the account was unlinked")
        if sealed.status == NEEDS_RECONNECT:
            raise NeedsReconnectError("the consent ended before")
        return sealed

    async def _unsealed(self, secret: str, account_id: int, stored: SealedTokens) -> str:
        """What no key opens is kept: the host may put the missing key back."""
        try:
            return self._vault.open(secret)
        except NeedsReconnectError:
            async with self._database.write() as connection:
                if await mark_needs_reconnect(connection, account_id, stored):
                    log.warning(
                        "no key in TOKEN_ENCRYPTION_KEYS opens the tokens of account %d: put the key that is missing "
                        "behind the others, or the member has to connect again",
                        account_id,
                    )
            raise

    def _opens(self, kept: SealedTokens) -> bool:
        try:
            for secret in (kept.access, kept.refresh):
                if secret is not None:
                    self._vault.open(secret)
        except NeedsReconnectError:
            return False
        return True


async def _is_taken(profiles: Profiles, answer: TokenAnswer) -> bool:
    """Whether Spotify's API takes this new token. No answer is not yes; any other refusal has nothing to do with it."""
    try:
        await profiles.me(answer.access_token)
    except (NeedsReconnectError, UnavailableError):
        return False
    except SpotifyError:
        pass
    return True
