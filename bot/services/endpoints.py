"""What Spotify lets this host's application ask: found out by asking, remembered for a week, never told from dates.

An endpoint that Spotify took from the application answers 403 to everybody. That alone is no proof, as an account may
be refused too: it counts once the same account was answered elsewhere, and no account here within the week.
"""

import logging
from datetime import timedelta

from bot.clock import Clock
from bot.storage import spotify_app
from bot.storage.database import Database
from bot.storage.spotify_app import EndpointState

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(days=7)  # applications are given more, and lose more
NOTED_EVERY = timedelta(days=1)  # how often an endpoint that answers is noted down


class Endpoints:
    """`app` is the client id: what is found out of one application does not count for another."""

    def __init__(self, database: Database, app: str, clock: Clock) -> None:
        self._database = database
        self._app = app
        self._clock = clock
        self._states: dict[str, EndpointState] = {}
        self._answered: set[int] = set()  # accounts that were answered since the start
        self._suspected: dict[int, set[str]] = {}  # refused to an account that nothing answered yet

    async def open(self) -> None:
        async with self._database.read() as connection:
            self._states = await spotify_app.endpoints(connection, self._app)

    def is_closed(self, name: str) -> bool:
        closed_at = self._state(name).closed_at
        return closed_at is not None and self._clock() - closed_at < ASK_AGAIN

    def answers(self, name: str) -> bool:
        """Whether it answered anybody within the week."""
        answered_at = self._state(name).answered_at
        return answered_at is not None and self._clock() - answered_at < ASK_AGAIN

    async def answered(self, name: str, account_id: int | None) -> None:
        state, now = self._state(name), self._clock()
        if state.closed_at is not None or state.answered_at is None or now - state.answered_at >= NOTED_EVERY:
            await self._put(name, EndpointState(answered_at=now))
        if account_id is not None and account_id not in self._answered:
            self._answered.add(account_id)
            for suspected in self._suspected.pop(account_id, set()):
                await self._close(suspected)

    async def refused(self, name: str, account_id: int | None) -> None:
        """403, and neither for the whole account nor for a missing permission."""
        if account_id is None or account_id in self._answered:
            await self._close(name)
        else:
            self._suspected.setdefault(account_id, set()).add(name)

    async def _close(self, name: str) -> None:
        if not self.answers(name):
            log.info("Spotify does not let this application ask for %s; it is asked again in a week", name)
            await self._put(name, EndpointState(self._state(name).answered_at, self._clock()))

    async def _put(self, name: str, state: EndpointState) -> None:
        self._states[name] = state
        async with self._database.write() as connection:
            await spotify_app.put_endpoint(connection, self._app, name, state)

    def _state(self, name: str) -> EndpointState:
        return self._states.get(name, EndpointState())
