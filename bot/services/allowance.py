"""How much may be asked of Spotify: what Spotify closed stays closed for everybody, and the host's daily budget is
shared out fairly.

A budget counts the requests of any twenty-four hours. Each linked account has an equal share of it; what those who wait
for their sync have not used of theirs is kept for them, and whatever is left over goes to whoever asks.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import BudgetError, QuotaError, RateLimitError
from bot.sources import Source
from bot.spotify.kinds import CallKind
from bot.storage import spotify_app
from bot.storage.database import Database
from bot.storage.spotify_app import Slot

HOUR = timedelta(hours=1)
WINDOW = timedelta(hours=24)
KEPT = timedelta(days=7)
TURN = timedelta(hours=3)  # whoever used their share asks again after the others had their turn
WAITING_LIFE = timedelta(minutes=5)  # how old the list of those who wait may be
UNWRITTEN = 20  # requests that a killed process may forget
NOBODY = 0


class Allowance:
    """Owner of the counts; needs `open` and `close`. `budgets`: requests a day by kind; a kind that is not in it has
    none. `app` is the client id."""

    def __init__(
        self,
        database: Database,
        app: str,
        budgets: Mapping[CallKind, int],
        clock: Clock,
        *,
        sync_interval: timedelta,
    ) -> None:
        self._database = database
        self._app = app
        self._budgets = budgets
        self._clock = clock
        self._sync_interval = sync_interval
        self._closed: dict[str, datetime] = {}
        self._counts: dict[Slot, int] = {}
        self._unwritten: dict[Slot, int] = {}
        self._since_written = 0
        self._linked: list[int] = []
        self._waiting: list[int] = []
        self._looked_at: datetime | None = None

    async def open(self) -> None:
        async with self._database.write() as connection:
            self._counts = await spotify_app.usage(connection, self._clock() - KEPT)
            self._closed = await spotify_app.closings(connection, self._app)

    async def close(self) -> None:
        await self._write()

    async def take(self, kind: CallKind, account_id: int | None) -> None:
        """One request goes out for this account (None: nobody's, which is counted and never held back by a budget).
        Raises `QuotaError` for a kind that Spotify closed, and `BudgetError`; both before anything is sent."""
        now = self._clock()
        until = self._closed.get(kind)
        if until is not None and until > now:
            raise QuotaError(f"{kind}: still not before the time that Spotify named", until)
        if account_id is not None and kind in self._budgets:
            await self._hold_back(kind, self._budgets[kind], account_id, now)
        slot = (_hour(now), kind.value, account_id or NOBODY)
        self._counts[slot] = self._unwritten[slot] = self._counts.get(slot, 0) + 1
        self._since_written += 1
        if self._since_written >= UNWRITTEN:
            await self._write()

    async def leave_alone(self, kind: CallKind, error: RateLimitError) -> None:
        """Spotify wants this kind of call to stop until then, for everybody."""
        self._closed[kind] = error.retry_at
        async with self._database.write() as connection:
            await spotify_app.put_closing(connection, self._app, kind, error.retry_at)
        await self._write()

    def used_lately(self, account_id: int) -> int:
        """Requests of the last days, so that whoever had least comes first."""
        since = self._clock() - KEPT
        return sum(count for (hour, _, whose), count in self._counts.items() if whose == account_id and hour >= since)

    async def _hold_back(self, kind: CallKind, budget: int, account_id: int, now: datetime) -> None:
        used: dict[int, int] = {}
        oldest = now
        for (hour, of_kind, whose), count in self._counts.items():
            if of_kind == kind and hour > now - WINDOW - HOUR:  # an hour that began before may reach into the window
                used[whose] = used.get(whose, 0) + count
                oldest = min(oldest, hour)
        left = budget - sum(used.values())
        if left <= 0:
            raise BudgetError(f"{kind}: the budget of a day is used up", oldest + WINDOW + HOUR)
        await self._look(now)
        share = max(1, budget // max(1, len(self._linked)))
        if used.get(account_id, 0) < share:
            return
        kept = sum(max(0, share - used.get(other, 0)) for other in self._waiting if other != account_id)
        if left <= kept:
            raise BudgetError(f"{kind}: account {account_id} had its share, and others wait", now + TURN)

    async def _look(self, now: datetime) -> None:
        """Who is linked, and who of them waits."""
        if self._looked_at is None or now - self._looked_at >= WAITING_LIFE:
            async with self._database.read() as connection:
                self._linked, self._waiting = await spotify_app.linked_accounts(
                    connection, Source.SPOTIFY, now - self._sync_interval
                )
            self._looked_at = now

    async def _write(self) -> None:
        self._since_written = 0
        counts, self._unwritten = self._unwritten, {}
        if counts:
            oldest = self._clock() - KEPT
            self._counts = {slot: count for slot, count in self._counts.items() if slot[0] >= oldest}
            async with self._database.write() as connection:
                await spotify_app.put_usage(connection, counts)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
