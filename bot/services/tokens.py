"""A ready access token for every linked account: renewed a minute early, once at a time, stored before it is used."""

import asyncio
import logging
from datetime import timedelta

from bot.clock import Clock
from bot.errors import NeedsReconnectError
from bot.spotify.oauth import OAuth
from bot.spotify.vault import Vault
from bot.storage.accounts import (
    SealedTokens,
    forget_tokens,
    fresh_tokens,
    kept_tokens,
    mark_needs_reconnect,
    replace_tokens,
    revive,
    sealed_tokens,
)
from bot.storage.database import Database
from bot.storage.syncs import NEEDS_RECONNECT

log = logging.getLogger(__name__)

EARLY = timedelta(seconds=60)  # a token must outlive the call that it is asked for


class TokenKeeper:
    """Owner of the renewals under way. Errors of both questions: `NeedsReconnectError` (also for an account that was
    unlinked), `UnavailableError`, `SpotifyError`."""

    def __init__(self, database: Database, vault: Vault, oauth: OAuth, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._clock = clock
        self._renewals: dict[int, asyncio.Task[str]] = {}

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

    async def close(self) -> None:
        """Waits for what is under way: a refresh token that was rotated but not stored would be lost."""
        await asyncio.gather(*self._renewals.values(), return_exceptions=True)

    async def _renew(self, account_id: int, refused: str | None) -> str:
        """Whoever comes while a renewal is under way waits for that one. Shielded, because a caller that is cancelled
        must not take a rotated token with it."""
        task = self._renewals.get(account_id)
        if task is None or task.done():
            task = asyncio.create_task(self._renewal(account_id, refused), name="token renewal")
            self._renewals[account_id] = task
            task.add_done_callback(lambda ended: self._ended(account_id, ended))
        return await asyncio.shield(task)

    def _ended(self, account_id: int, task: asyncio.Task[str]) -> None:
        if self._renewals.get(account_id) is task:
            del self._renewals[account_id]
        if not task.cancelled():
            task.exception()  # all who waited may be gone; that alone is nothing to complain about

    async def _renewal(self, account_id: int, refused: str | None) -> str:
        before = await self._sealed(account_id)
        usable = await self._usable(before, account_id, refused)  # somebody else's renewal may just have ended
        if usable is not None:
            return usable
        if before.refresh is None:
            raise NeedsReconnectError("there is no refresh token")
        refresh_token = await self._unsealed(before.refresh, account_id, before)
        try:
            answer = await self._oauth.refresh(refresh_token)
        except NeedsReconnectError:
            async with self._database.write() as connection:
                lost = await forget_tokens(connection, account_id, before)
            if not lost:
                return await self._renewal(account_id, refused)  # linked anew in the meantime
            log.info("account %d has to be connected again", account_id)
            raise
        after = fresh_tokens(
            self._vault.seal(answer.access_token),
            self._vault.resealed(before.refresh)
            if answer.refresh_token is None
            else self._vault.seal(answer.refresh_token),
            answer.expires_at,
        )
        async with self._database.write() as connection:
            stored = await replace_tokens(connection, account_id, before, after)
        return answer.access_token if stored else await self._renewal(account_id, refused)

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
