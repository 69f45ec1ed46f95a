"""The upload page behind /import: who may send files there, and the files while they come, piece by piece.

Whoever holds the address may begin, in one browser only: the first file binds it. A file comes in pieces, each where
the last one ended, so that a lost connection or a reload costs one piece and no more.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import BinaryIO

from bot.clock import Clock
from bot.errors import FileRefusedError
from bot.imports.archive import check_name
from bot.services.importing import FileProgress, ImportProgress, ImportRun, ImportService, Stage
from bot.services.secret import hashed, is_anothers, new_secret
from bot.storage.database import Database
from bot.storage.upload_requests import (
    UploadRequest,
    add_upload,
    bind_upload,
    delete_uploads,
    purge_uploads,
    upload_by_token,
)

log = logging.getLogger(__name__)

LIFE = timedelta(hours=1)  # of an address until its first file
OPEN = timedelta(hours=6)  # from there
REMEMBERED = timedelta(days=1)  # so long a dead address is told apart from an unknown one
SWEEP_SECONDS = 60.0
ABANDONED = "did not come through to its end. Choose it again on a new page from /import."


class Outcome(StrEnum):
    """Whether an address may be used; bot/upload_pages.py has the words."""

    READY = "ready"
    EXPIRED = "expired"
    REPLACED = "replaced"
    OTHER_BROWSER = "other_browser"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Visit:
    """What the page shows; `progress` is what came so far."""

    outcome: Outcome
    discord_name: str | None = None
    guild_name: str | None = None
    with_private: bool = False
    minutes_left: int | None = None
    progress: ImportProgress | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    request_id: int
    url: str


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a file goes: its number on this page, and how many of its bytes are here."""

    number: int
    received: int


class RefusedError(Exception):
    """This browser may not send files there (any more)."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class NoSuchFileError(Exception):
    """It was never announced here, or is complete, or came before a restart: announce it (again)."""


class MisplacedError(Exception):
    """A piece does not begin where the last one ended: there are `received` bytes."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


@dataclass(slots=True)
class _Incoming:
    called: str  # as the browser calls it
    progress: FileProgress
    file: BinaryIO
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # pieces that are sent twice must not mix


@dataclass(slots=True)
class _Session:
    run: ImportRun
    ends: datetime
    incoming: dict[int, _Incoming] = field(default_factory=dict)  # number -> what is not complete yet


class UploadService:
    """Owner of what is on its way; `open` at the start, `close` at the end."""

    def __init__(self, database: Database, imports: ImportService, public_url: str, clock: Clock) -> None:
        self._database = database
        self._imports = imports
        self._public_url = public_url
        self._clock = clock
        self._sessions: dict[int, _Session] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep_now_and_then(), name="uploads")

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        for session in self._sessions.values():
            _abandon(session)

    async def start(self, discord_id: str, discord_name: str, guild_name: str | None, *, with_private: bool) -> Offer:
        """A new one-time address; this person's earlier ones end. Only its hash is kept."""
        token, now = new_secret(), self._clock()
        async with self._database.write() as connection:
            await purge_uploads(connection, now - REMEMBERED)
            request_id = await add_upload(
                connection,
                token_hash=hashed(token),
                discord_id=discord_id,
                discord_name=discord_name,
                guild_name=guild_name,
                with_private=with_private,
                now=now,
            )
        return Offer(request_id, f"{self._public_url}/import/{token}")

    def progress(self, request_id: int) -> ImportProgress | None:
        """What came through this page so far; None: nothing yet."""
        session = self._sessions.get(request_id)
        return None if session is None else session.run.progress

    async def look(self, token: str, browser: str | None) -> Visit:
        """What the page shows. Changes nothing: crawlers and previews follow links."""
        async with self._database.read() as connection:
            request = await upload_by_token(connection, hashed(token))
        outcome = self._judge(request, browser)
        if request is None or outcome is not Outcome.READY:
            return Visit(outcome)
        left = math.ceil((_end(request) - self._clock()).total_seconds() / 60)
        progress = self.progress(request.id)
        return Visit(outcome, request.discord_name, request.guild_name, request.with_private, left, progress)

    async def announce(self, token: str, browser: str, name: str, size: int, *, with_private: bool) -> Slot:
        """A file is about to come; one that broke off goes on where it ended. From here on the page is this browser's.
        Raises `RefusedError`; `FileRefusedError` and `BusyError` in words for the member."""
        now = self._clock()
        async with self._database.write() as connection:
            request = await upload_by_token(connection, hashed(token))
            outcome = self._judge(request, browser)
            if request is None or outcome is not Outcome.READY:
                raise RefusedError(outcome)
            opened_at = request.opened_at or now
            if not await bind_upload(connection, request.id, hashed(browser), opened_at):
                raise RefusedError(Outcome.OTHER_BROWSER)
        session = self._sessions.setdefault(request.id, _Session(ImportRun(request.discord_id), opened_at + OPEN))
        for number, broken_off in session.incoming.items():
            same = broken_off.progress
            if (broken_off.called, same.size) == (name, size):
                same.with_private = with_private
                return Slot(number, same.received)
        progress = self._imports.announce(session.run, name, size, with_private=with_private)
        number = len(session.run.progress.files) - 1
        try:
            check_name(name)
            file = await asyncio.to_thread(self._imports.new_file, size)
        except FileRefusedError as error:
            progress.end(Stage.REFUSED, f"{progress.name} {error}")
            raise
        session.incoming[number] = _Incoming(name, progress, file)
        return Slot(number, 0)

    async def forget(self, discord_id: str) -> None:
        """This member's data is about to be deleted: nothing of theirs is taken or kept once this returns."""
        async with self._database.write() as connection:
            await delete_uploads(connection, discord_id)
        for session in self._sessions.values():
            if session.run.discord_id == discord_id:
                _abandon(session)
        await self._imports.forget(discord_id)

    async def receive(self, token: str, browser: str, number: int, start: int, pieces: AsyncIterator[bytes]) -> int:
        """The file's bytes from `start` on. Returns how many are here; with the last one the import begins. Raises
        `RefusedError`, `NoSuchFileError` and `MisplacedError`. What came before an interruption stays."""
        incoming, session = await self._incoming(token, browser, number)
        progress = incoming.progress
        async with incoming.turn:
            if start != progress.received or number not in session.incoming:
                raise MisplacedError(progress.received)
            async for piece in pieces:
                kept = piece[: progress.size - progress.received]
                await asyncio.to_thread(incoming.file.write, kept)
                progress.received += len(kept)
                if len(kept) < len(piece):
                    break
            if progress.received == progress.size:
                del session.incoming[number]
                self._imports.add(session.run, progress, incoming.file)
        return progress.received

    async def _incoming(self, token: str, browser: str, number: int) -> tuple[_Incoming, _Session]:
        async with self._database.read() as connection:
            request = await upload_by_token(connection, hashed(token))
        outcome = self._judge(request, browser)
        if request is None or outcome is not Outcome.READY:
            raise RefusedError(outcome)
        session = self._sessions.get(request.id)
        if session is None:
            raise NoSuchFileError
        if number not in session.incoming:
            files = session.run.progress.files
            if number < len(files) and files[number].received == files[number].size:
                raise MisplacedError(files[number].size)  # it was complete, and the browser did not hear of it
            raise NoSuchFileError
        return session.incoming[number], session

    def _judge(self, request: UploadRequest | None, browser: str | None) -> Outcome:
        if request is None:
            return Outcome.UNKNOWN
        if request.replaced:
            return Outcome.REPLACED
        if is_anothers(request.browser_hash, browser):
            return Outcome.OTHER_BROWSER
        return Outcome.READY if self._clock() < _end(request) else Outcome.EXPIRED

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Let go of pages that have ended, and of what came there but not to its end."""
        now = self._clock()
        for request_id, session in list(self._sessions.items()):
            if session.ends <= now and not any(one.turn.locked() for one in session.incoming.values()):
                _abandon(session)
                if session.run.is_over:
                    del self._sessions[request_id]


def _abandon(session: _Session) -> None:
    for incoming in session.incoming.values():
        incoming.file.close()
        incoming.progress.end(Stage.STOPPED, f"{incoming.progress.name} {ABANDONED}")
    session.incoming.clear()


def _end(request: UploadRequest) -> datetime:
    return request.created_at + LIFE if request.opened_at is None else request.opened_at + OPEN
