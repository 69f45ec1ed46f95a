"""The direct message that held the link: it says how things go once the link was used, also after a restart."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.sources import Source
from bot.storage.accounts import account_of_member
from bot.storage.database import Database
from bot.storage.link_requests import Stage, latest_request
from bot.storage.members import member_of


class LinkStep(StrEnum):
    COLLECTING = "collecting"
    COLLECTED = "collected"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LinkNews:
    """What the message says from now on. `guild_name` None: the link was asked for in a direct message."""

    step: LinkStep
    spotify_name: str | None
    guild_name: str | None
    tracks: int | None = None  # collected so far
    note: str | None = None  # why it stopped, in words for the member


class LinkMessages(Protocol):
    async def show(self, channel_id: str, message_id: str, news: LinkNews) -> None:
        """Edit that direct message. Never raises: the message is a courtesy."""
        ...


class LinkReporter:
    def __init__(self, database: Database, messages: LinkMessages) -> None:
        self._database = database
        self._messages = messages

    async def report(
        self, discord_id: str, step: LinkStep, *, tracks: int | None = None, note: str | None = None
    ) -> None:
        """Edit the message of this person's newest link. Does nothing where there is none (closed direct messages) or
        where nothing is linked any more."""
        async with self._database.read() as connection:
            request = await latest_request(connection, discord_id)
            member_id = await member_of(connection, discord_id)
            account = None if member_id is None else await account_of_member(connection, member_id, Source.SPOTIFY)
        if request is None or account is None or request.stage is not Stage.DONE:
            return
        if request.dm_channel_id is not None and request.dm_message_id is not None:
            news = LinkNews(step, account.display_name, request.guild_name, tracks, note)
            await self._messages.show(request.dm_channel_id, request.dm_message_id, news)
