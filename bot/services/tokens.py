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
    fresh_tokens,
    mark_needs_reconnect,
    replace_tokens,
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
        try:
            if before.refresh is None:
                raise NeedsReconnectError("there is no refresh token")
            refresh_token = self._vault.open(before.refresh)
            answer = await self._oauth.refresh(refresh_token)
        except NeedsReconnectError:
            if await self._lost(account_id, before):
                raise
            return await self._renewal(account_id, refused)  # linked anew in the meantime
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
        try:
            token = self._vault.open(sealed.access)
            if token == refused or sealed.expires_at - EARLY <= self._clock():
                return None
            current = fresh_tokens(
                self._vault.resealed(sealed.access), self._vault.resealed(sealed.refresh), sealed.expires_at
            )
        except NeedsReconnectError:
            await self._lost(account_id, sealed)
            raise
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

    async def _lost(self, account_id: int, before: SealedTokens) -> bool:
        """False when the member has linked anew since `before` was read."""
        async with self._database.write() as connection:
            lost = await mark_needs_reconnect(connection, account_id, before)
        if lost:
            log.info("account %d has to be connected again", account_id)
        return lost
