"""A member's data as a file: made when asked for, kept without a name for an hour at most, handed out once."""

import asyncio
import io
import logging
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.clock import Clock
from bot.errors import BusyError, MemberError
from bot.services.data_archive import READ_ME, DataArchive, Row, Table
from bot.services.privacy import Overview, PrivacyService
from bot.services.secret import hashed, new_secret
from bot.storage import belongings
from bot.storage.belongings import Person
from bot.storage.database import Connection, Database

log = logging.getLogger(__name__)

LIFE = timedelta(hours=1)  # of a download page
PIECE = 256 * 1024  # bytes
NOTHING = "Nothing is held about you here, so there is nothing to export."
GONE = "Your data was deleted while it was being put together, so there is nothing to hand out."


@dataclass(eq=False, slots=True)
class Export:
    """A ZIP of one member, complete. The file has no name and is gone when it is closed, or the process ends."""

    discord_id: str
    discord_name: str
    file: io.BufferedRandom
    size: int  # bytes
    made_at: datetime
    is_being_sent: bool = False
    is_void: bool = False  # to be closed by whoever sends it


class ExportService:
    """Owner of the files; needs `close`. `scratch` is a folder on a disk."""

    def __init__(
        self, database: Database, privacy: PrivacyService, scratch: Path, public_url: str, clock: Clock
    ) -> None:
        self._database = database
        self._privacy = privacy
        self._scratch = scratch
        self._public_url = public_url
        self._clock = clock
        self._making: dict[str, bool] = {}  # member -> whether it is still wanted
        self._one_at_a_time = asyncio.Lock()
        self._offered: dict[str, Export] = {}  # hash of the link's token -> what it leads to

    async def close(self) -> None:
        for export in self._offered.values():
            export.file.close()
        self._offered.clear()

    async def make(self, discord_id: str, discord_name: str) -> Export:
        """Everything that is held, as one reading of the database sees it. Raises `MemberError` where nothing is, and
        `BusyError` while one is being made."""
        if discord_id in self._making:
            raise BusyError("Your export is being made already; it comes as the answer to your earlier command.")
        self._making[discord_id] = True
        try:
            async with self._one_at_a_time:
                file = await asyncio.to_thread(self._new_file)
                try:
                    await self._write(discord_id, file)
                    size = await asyncio.to_thread(file.seek, 0, os.SEEK_END)
                    await asyncio.to_thread(file.seek, 0)
                    self._check(discord_id)
                except BaseException:
                    file.close()
                    raise
        finally:
            del self._making[discord_id]
        log.info("an export of %d bytes was made", size)
        return Export(discord_id, discord_name, file, size, self._clock())

    def offer(self, export: Export) -> str:
        """The address of a page from which it can be downloaded, once, for an hour; earlier ones of this member end."""
        self._take_back(export.discord_id)
        token = new_secret()
        self._offered[hashed(token)] = export
        asyncio.get_running_loop().call_later(LIFE.total_seconds(), self._expire, hashed(token))
        return f"{self._public_url}/export/{token}"

    def look(self, token: str) -> Export | None:
        """What a link leads to; None once it was downloaded, replaced, deleted or is too old."""
        export = self._offered.get(hashed(token))
        if export is not None and export.made_at + LIFE <= self._clock() and not export.is_being_sent:
            self._expire(hashed(token))
            return None
        return export

    async def send(self, token: str) -> AsyncGenerator[bytes, None]:
        """The pieces of the file. Once the last was taken the link leads nowhere; what broke off can be repeated."""
        export = self.look(token)
        if export is None or export.is_being_sent:
            return
        export.is_being_sent, sent = True, 0
        try:
            while not export.is_void and (piece := await asyncio.to_thread(_read, export.file, sent)):
                yield piece
                sent += len(piece)
        finally:
            export.is_being_sent = False
            if sent == export.size:
                self._expire(hashed(token))
            elif export.is_void:
                export.file.close()

    async def forget(self, discord_id: str) -> None:
        """This member's data is about to be deleted: nothing that was made of it is handed out any more."""
        if discord_id in self._making:
            self._making[discord_id] = False
        self._take_back(discord_id)

    def _take_back(self, discord_id: str) -> None:
        for key, export in list(self._offered.items()):
            if export.discord_id == discord_id:
                self._expire(key)

    async def _write(self, discord_id: str, file: io.BufferedRandom) -> None:
        async with DataArchive(file, self._scratch) as archive, self._database.read() as connection:
            person = await belongings.person(connection, discord_id)
            overview = await self._privacy.read(connection, person)
            if not overview.belongings:
                raise MemberError(NOTHING)
            held = {one.table for one in overview.belongings}
            names = [name for name in belongings.tables() if name in held]
            await archive.add_text("READ_ME.txt", READ_ME)
            tables = [Table(name, belongings.columns(name), self._rows(connection, name, person)) for name in names]
            await archive.add_everything(self._about(person, overview), tables)

    async def _rows(self, connection: Connection, name: str, person: Person) -> AsyncIterator[list[Row]]:
        async for chunk in belongings.rows_of(connection, name, person):
            self._check(person.discord_id)
            yield chunk

    def _about(self, person: Person, overview: Overview) -> Row:
        return {
            "exported_at": self._clock(),
            "discord_id": person.discord_id,
            "paused_since": overview.paused_since,
            "different_tracks": overview.tracks,
            "held": [asdict(one) for one in overview.belongings],
            "accounts": [asdict(one) for one in overview.accounts],
            "training": [asdict(one) for one in overview.training],
            "model_versions_trained_with_it": [asdict(one) for one in overview.versions],
            "copies_of_the_database_until": overview.backups_by,
        }

    def _check(self, discord_id: str) -> None:
        if not self._making.get(discord_id, True):
            raise MemberError(GONE)

    def _new_file(self) -> io.BufferedRandom:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._scratch)

    def _expire(self, key: str) -> None:
        export = self._offered.pop(key, None)
        if export is None:
            return
        export.is_void = True
        if not export.is_being_sent:  # a thread may be reading: another file could have its number in a moment
            export.file.close()


def _read(file: io.BufferedRandom, start: int) -> bytes:
    return os.pread(file.fileno(), PIECE, start)
