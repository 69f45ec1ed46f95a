"""What was trained with a deleted member's data goes by its date: replaced in good time, or without a successor."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.services.deletion import DeletionService
from bot.services.forgetting import RETRAIN_AGAIN, Forgetting
from bot.services.unlink import UnlinkService
from bot.storage.database import Database
from bot.storage.feedback import put_feedback
from bot.storage.schema import model_version, training_member, training_run
from bot.storage.training_members import condemned
from tests.bot.models import REPORT, Now, community, service
from tests.bot.workers import publisher

FIVE_DAYS = timedelta(days=5)
DAY = {"days": 1}
COLLAPSED = REPORT | {"distinct_top_tens": 1, "mean_jaccard": 1.0}


class House:
    """Eight members, a real model service whose worker publishes in a moment, and a clock to turn."""

    def __init__(self, database, folder, version, clock):
        self.database, self.clock, self._folder, self._version = database, clock, folder, version
        self.models, self.store = service(database, folder, self.worker(REPORT), clock=clock)
        self.forgetting = Forgetting(database, self.store, self.models, FIVE_DAYS, clock)
        self.deletion = DeletionService(database, [], FIVE_DAYS, clock)

    def worker(self, report):
        return publisher(self._folder, self._version, report)

    async def train(self):
        outcome = await (await self.models.retrain("100")).outcome()
        self.clock.pass_(minutes=1)
        return outcome.run

    async def tick(self, **later):
        """Some time passes; whatever training starts comes to its end."""
        self.clock.pass_(**later)
        await self.forgetting.tick()
        if self.models._training is not None:
            await self.models._training.outcome()

    async def versions(self):
        async with self.database.read() as connection:
            return list(await connection.scalars(select(model_version.c.version).order_by(model_version.c.created_at)))

    async def runs(self):
        async with self.database.read() as connection:
            return [
                tuple(row)
                for row in await connection.execute(select(training_run.c.status, training_run.c.requested_by))
            ]

    def on_disk(self):
        return sorted(path.name for path in self.store.directory.iterdir() if not path.name.startswith("."))


@pytest.fixture
async def house(database, tmp_path, version):
    await community(database)
    house = House(database, tmp_path, version, Now())
    await house.models.open()
    yield house
    await house.models.close()


async def test_a_training_without_them_replaces_the_versions(house):
    first, second = [(await house.train()).version for _ in range(2)]
    receipt = await house.deletion.delete("101")
    assert [one.version for one in receipt.versions] == [first, second]
    assert receipt.models_by == house.clock() + FIVE_DAYS
    assert not receipt.training
    await house.tick(**DAY)
    assert await house.versions() == [first, second]  # other members who leave soon share the training
    await house.tick(**DAY)
    await house.tick(hours=13)
    *_, third = await house.versions()
    assert (await house.store.state()).version == third not in (first, second)
    assert await house.runs() == [("promoted", "100"), ("promoted", "100"), ("promoted", "")]
    await house.tick(minutes=1)
    assert await house.versions() == [third]
    assert house.on_disk() == [third]
    receipt = await house.deletion.delete("102")  # trained with the third only
    assert [one.version for one in receipt.versions] == [third]


async def test_what_an_admin_trains_counts_too(house):
    first = (await house.train()).version
    await house.deletion.delete("101")
    second = (await house.train()).version
    await house.tick(minutes=1)
    assert await house.versions() == [second]
    assert len(await house.runs()) == 2
    assert first not in house.on_disk()


async def test_refused_by_the_gate_the_old_ones_go_all_the_same(house):
    await house.train()
    receipt = await house.deletion.delete("101")
    house.worker(COLLAPSED)
    await house.tick(days=2.6)
    assert [status for status, _ in await house.runs()] == ["promoted", "refused"]
    await house.tick(minutes=1)
    assert len(await house.runs()) == 2  # not again at once
    house.clock.time += RETRAIN_AGAIN
    await house.tick()
    assert len(await house.runs()) == 3
    assert await house.store.live() is not None
    house.clock.time = receipt.models_by
    await house.forgetting.tick()
    async with house.database.read() as connection:
        assert await condemned(connection) == []
    assert await house.store.live() is None
    assert await house.store.state() is None


async def test_too_little_data_is_left(house):
    await house.train()
    receipts = [await house.deletion.delete(str(100 + number)) for number in range(7)]
    await house.tick(days=3)
    assert len(await house.runs()) == 1
    house.clock.time = receipts[-1].models_by
    await house.tick()
    assert await house.versions() == []
    assert house.on_disk() == []


async def test_a_deletion_while_a_training_is_under_way(house, tmp_path):
    """The run has read the data already: its version goes by the same date, and is replaced again."""
    gate = tmp_path / "go on"
    script = tmp_path / "publisher.py"
    text = script.read_text()
    script.write_text(
        text.replace("target = ", f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\ntarget = ", 1)
    )
    training = await house.models.retrain("100")
    await _until_recorded(house)
    receipt = await house.deletion.delete("101")
    assert receipt.training
    assert receipt.versions == ()
    assert receipt.models_by == house.clock() + FIVE_DAYS
    gate.touch()
    first = (await training.outcome()).run.version
    async with house.database.read() as connection:
        (one,) = await condemned(connection)
    assert (one.version, one.delete_by, one.is_live) == (first, receipt.models_by, True)
    script.write_text(text)
    await house.tick(days=3)
    await house.tick(minutes=1)
    assert first not in await house.versions()
    assert len(await house.versions()) == 1


async def _until_recorded(house):
    for _ in range(2000):
        async with house.database.read() as connection:
            if await connection.scalar(select(training_member.c.run_id).limit(1)):
                return
        await asyncio.sleep(0.01)
    raise AssertionError("the run never said whose data it read")


async def test_somebody_who_trained_nothing_changes_nothing(house):
    first = (await house.train()).version
    async with house.database.write() as connection:
        await put_feedback(connection, "999", "1", ["liked"], house.clock())
    receipt = await house.deletion.delete("999")
    assert (receipt.versions, receipt.models_by) == ((), None)
    await house.tick(days=6)
    assert await house.versions() == [first]


async def test_unlinking_condemns_what_was_trained_with_that_source(house):
    """The data of `community` is Spotify's; nobody has an account, and the listings are enough to unlink."""
    first = (await house.train()).version
    unlinked = await UnlinkService(house.database, FIVE_DAYS, house.clock).unlink("101")
    assert unlinked.models_by == house.clock() + FIVE_DAYS
    async with house.database.read() as connection:
        assert [one.version for one in await condemned(connection)] == [first]


async def test_old_copies_of_the_database_go_and_the_receipt_says_when(house):
    path = house.database.path
    copies = [
        path.with_name(f"{path.name}.{house.clock() - timedelta(days=days):%Y%m%dT%H%M%SZ}.0001.backup")
        for days in (1, 4)
    ]
    for copy in copies:
        copy.touch()
    receipt = await house.deletion.delete("101")
    assert abs(receipt.backups_by - (house.clock() + timedelta(days=4))) < timedelta(seconds=2)
    await house.tick(days=2)
    assert [copy.exists() for copy in copies] == [True, False]
    house.clock.time = receipt.backups_by + timedelta(minutes=1)
    await house.tick()
    assert not copies[0].exists()


async def test_a_log_that_readers_kept_busy_is_cut_later(house, monkeypatch):
    """A reading that is under way needs what was deleted; the next tick makes up for it."""
    monkeypatch.setattr("bot.storage.database.BUSY_TIMEOUT_MS", 20)
    impatient = Database(str(house.database.url))
    async with house.database.read() as reader:
        await reader.exec_driver_sql("SELECT count(*) FROM member")
        receipt = await DeletionService(impatient, [], FIVE_DAYS, house.clock).delete("101")
        assert not receipt.log_is_clean
        assert impatient.log_is_due
    await impatient.close()
    assert house.database.log_is_due
    await house.tick()
    assert not house.database.log_is_due
    assert house.database.path.with_name(f"{house.database.path.name}-wal").stat().st_size == 0
