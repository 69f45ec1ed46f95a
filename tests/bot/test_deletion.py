"""Deleting and pausing while something is under way: nothing is stored afterwards."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.errors import PausedError
from bot.services.deletion import DeletionService
from bot.services.feedback import FeedbackService
from bot.services.importing import ImportRun, Stage
from bot.storage.members import ensure_member, set_paused
from bot.storage.schema import interaction, listen, listing, member, upload_request
from tests.bot.exports import extended, play
from tests.bot.shelf import stock
from tests.bot.uploading import docking

EXPORT = extended(*(play(number) for number in range(1, 9)))


@pytest.fixture
async def dock(database, tmp_path):
    async with docking(database, tmp_path / "scratch") as dock:
        yield dock


def bring(dock, discord_id="100"):
    """As the upload page hands a file over once it is complete."""
    run = ImportRun(discord_id)
    progress = dock.imports.announce(run, "my_spotify_data.zip", len(EXPORT), with_private=False)
    file = dock.imports.new_file(len(EXPORT))
    file.write(EXPORT)
    dock.imports.add(run, progress, file)
    return run, progress


async def stored(dock):
    async with dock.database.read() as connection:
        tables = (member, listing, interaction, listen, upload_request)
        return [await connection.scalar(select(func.count()).select_from(table)) for table in tables]


async def test_an_import_that_waits_makes_nobody_a_member_again(dock):
    """Nothing of them was stored yet but the page for uploads; what comes by it is theirs all the same."""
    deletion = DeletionService(dock.database, [dock.uploads], timedelta(days=5), dock.clock)
    await dock.offer()
    async with dock.imports._turn:  # another member's file is being read
        run, progress = bring(dock)
        receipt = await deletion.delete("100")
    await run.wait()
    assert [(one.table, one.rows) for one in receipt.belongings] == [("upload_request", 1)]
    assert progress.stage is Stage.STOPPED
    assert await stored(dock) == [0, 0, 0, 0, 0]
    run, progress = bring(dock)  # who comes back is welcome
    await run.wait()
    assert progress.stage is Stage.DONE
    assert (await stored(dock))[3] == 8


async def test_nothing_is_stored_for_a_member_who_paused(dock):
    keys = await stock(dock.database)
    async with dock.database.write() as connection:
        await set_paused(connection, await ensure_member(connection, "100", dock.clock()), dock.clock())
    run, progress = bring(dock)
    await run.wait()
    assert progress.stage is Stage.STOPPED
    assert "/privacy resume" in (progress.reason or "")
    with pytest.raises(PausedError):
        await FeedbackService(dock.database, dock.clock).toggle("100", keys["doom"][0], "liked")
    assert (await stored(dock))[1:] == [0, 0, 0, 0]
