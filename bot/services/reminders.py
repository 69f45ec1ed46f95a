"""A direct message 30 and 7 days before a consent ends, or when it broke before, to members who agreed to it when they
linked."""

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.clock import Clock
from bot.sources import Source
from bot.spotify.oauth import consent_ends
from bot.storage.database import Database
from bot.storage.members import member_of
from bot.storage.reminders import TOLD_LOST, agreed, broken, mark_reminded, stop_reminding

log = logging.getLogger(__name__)

DAYS_BEFORE = (7, 30)
SURE_AFTER = timedelta(days=1)  # a link that was given up wrongly has come back by then


class Delivery(StrEnum):
    SENT = "sent"
    CLOSED = "closed"  # this person takes no direct messages: there is no second try
    AWAY = "away"  # Discord cannot be reached: later


class DirectMessages(Protocol):
    async def remind(self, discord_id: str, ends_at: datetime) -> Delivery:
        """Say that the consent ends then, with a button that stops such messages. Never raises."""
        ...

    async def lost(self, discord_id: str) -> Delivery:
        """Say that Spotify takes the link no more, with the same button. Never raises."""
        ...


class ReminderService:
    def __init__(self, database: Database, messages: DirectMessages, clock: Clock) -> None:
        self._database = database
        self._messages = messages
        self._clock = clock

    async def send_due(self) -> bool:
        """One message each at most: whoever was not reminded in time for the first hears of the second only. False:
        Discord is away, and somebody has to be tried again."""
        all_done = True
        now = self._clock()
        async with self._database.read() as connection:
            everybody = await agreed(connection, Source.SPOTIFY)
        for one in everybody:
            ends_at = consent_ends(one.authorised_at)
            due = next((days for days in DAYS_BEFORE if now >= ends_at - timedelta(days=days)), None)
            if due is None or now >= ends_at or (one.reminded_days is not None and one.reminded_days <= due):
                continue
            delivery = await self._messages.remind(one.discord_id, ends_at)
            log.info("a reminder %d days before the end of account %d: %s", due, one.account_id, delivery)
            if delivery is Delivery.AWAY:
                all_done = False
            else:
                async with self._database.write() as connection:
                    await mark_reminded(connection, one, due)
        return all_done

    async def tell_lost(self) -> bool:
        """Once for each link that broke before its six months were over. False as above."""
        all_done = True
        now = self._clock()
        async with self._database.read() as connection:
            everybody = await broken(connection, Source.SPOTIFY, now - SURE_AFTER)
        for one in everybody:
            if now >= consent_ends(one.authorised_at):  # they were reminded
                continue
            delivery = await self._messages.lost(one.discord_id)
            log.info("account %d broke, and its member is told: %s", one.account_id, delivery)
            if delivery is Delivery.AWAY:
                all_done = False
            else:
                async with self._database.write() as connection:
                    await mark_reminded(connection, one, TOLD_LOST)
        return all_done

    async def stop(self, discord_id: str) -> None:
        """No more of them, until they agree again at a next link."""
        async with self._database.write() as connection:
            member_id = await member_of(connection, discord_id)
            if member_id is not None:
                await stop_reminding(connection, member_id)
