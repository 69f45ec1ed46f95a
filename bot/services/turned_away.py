"""Whose link has to be made anew although Spotify renews it: its API turns each new token away, again and again.

Once or twice, or for many members at once, that is Spotify's own trouble and passes. So a link is given up only when
it lasts, and a comparison shows that it is this account alone: asked the same question at the same moment, Spotify
turns its token away and answers another member's. With nobody to compare with, it has to last a day.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import SpotifyError, TurnedAwayError
from bot.sources import Source
from bot.spotify.gateway import Gateway
from bot.storage.accounts import mark_turned_away, others_linked
from bot.storage.database import Database
from bot.storage.syncs import SyncAccount

log = logging.getLogger(__name__)

SYNCS = 3  # turned away so often in a row,
LASTING = timedelta(hours=1)  # and so long at least, before anything is compared
DOUBT_LIFE = timedelta(days=1)  # so long it is no outage, though others or all have it too
PROBES = 2  # other accounts that are tried


@dataclass(slots=True)
class _Row:
    """Of syncs that were turned away, without one between that was not."""

    since: datetime
    syncs: int = 0


class TurnedAway:
    """Keeps count between syncs; a restart begins anew, which only makes it slower to conclude."""

    def __init__(self, database: Database, gateway: Gateway, clock: Clock) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock
        self._rows: dict[int, _Row] = {}

    def answered(self, account_id: int) -> None:
        """Spotify's API took this account's token: whatever was before is over."""
        self._rows.pop(account_id, None)

    async def is_lost(self, account: SyncAccount) -> bool:
        """A sync of this account was turned away. True once that is no outage: the link is marked then, and stays so
        until the member links anew or `TokenKeeper.look_again` finds that it works."""
        now = self._clock()
        row = self._rows.setdefault(account.id, _Row(now))
        if row.since < account.authorised_at:  # another consent
            row = self._rows[account.id] = _Row(now)
        row.syncs += 1
        if row.syncs < SYNCS or now - row.since < LASTING or not await self._is_alone(account.id, now - row.since):
            return False
        async with self._database.write() as connection:
            marked = await mark_turned_away(connection, account.id, account.authorised_at, now)
        if marked:
            self.answered(account.id)
            log.info("account %d has to be connected again: its new tokens are turned away", account.id)
        return marked

    async def _is_alone(self, account_id: int, lasted: timedelta) -> bool:
        """Whether others' calls work, and this account's do not. Nothing is concluded from no answer."""
        async with self._database.read() as connection:
            others = await others_linked(connection, Source.SPOTIFY, account_id)
        well = [other for other, refused in others.items() if not refused and other not in self._rows]
        if lasted < DOUBT_LIFE and 2 * len(well) <= len(others):  # also where there are no others
            return False
        try:
            await self._gateway.whose(account_id)
        except TurnedAwayError:
            pass
        except SpotifyError:
            return False
        else:  # not the consent, but one thing that Spotify does not give
            return False
        for other in (well or list(others))[:PROBES]:
            try:
                await self._gateway.whose(other)
            except SpotifyError:
                continue
            return True
        return lasted >= DOUBT_LIFE
