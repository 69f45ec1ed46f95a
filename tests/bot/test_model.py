"""Training runs as a service, with real processes: whatever happens, the old model serves and a row says why."""

import asyncio
import json
import stat
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.errors import BusyError, MemberError, NotAllowedError
from bot.model_store import PROMOTED_KEPT, REFUSED_KEPT
from bot.services import training as training_module
from bot.services.deletion import DeletionService
from bot.services.model import Asker
from bot.sources import Source
from bot.storage.accounts import fresh_tokens, put_account
from bot.storage.database import Database
from bot.storage.members import member_of
from bot.storage.schema import interaction, member, model_version, training_run
from specrec.history import HistoryItem
from specrec.interactions import SET_ASIDE_MINIMUM, Kind
from tests.bot.linking import everything_on_disk
from tests.bot.models import REPORT, Now, community, service
from tests.bot.shelf import give
from tests.bot.workers import publisher, sleeper, training_processes, worker


@pytest.fixture
async def opened():
    """Makes services that are closed after the test."""
    services = []

    async def make(*arguments, **options):
        one, store = service(*arguments, **options)
        await one.open()
        services.append(one)
        return one, store

    yield make
    for one in services:
        await one.close()


@pytest.fixture
async def members(database):
    return await community(database)


async def _until(look):
    for _ in range(3_000):
        if found := look():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("it never happened")


async def _end(training):
    async with asyncio.timeout(600):
        return await training.outcome()


async def _retrain(models, by="1"):
    return (await _end(await models.retrain(by))).run


def _left(folder):
    return sorted(path.name for path in (folder / "models").glob("*") if path.name != ".training.lock")


@pytest.mark.timeout(900)
async def test_a_retraining_from_the_interactions_to_everybodys_list(database, members, tmp_path, opened):
    ada = await _introduce(database)
    models, store = await opened(database, tmp_path, half_life=90)
    assert await store.live() is None
    other, other_store = await opened(database, tmp_path)  # another process's
    training = await models.retrain("1")
    seen = [training.progress]
    while not await training.wait(0.05):
        if training.progress != seen[-1]:
            seen.append(training.progress)
    outcome = await _end(training)
    assert outcome.run.status == "promoted", outcome.run.reason
    fractions = [progress.fraction for progress in seen]
    assert len(seen) > 3
    assert fractions == sorted(fractions)
    assert outcome.report["members"] == 8
    assert outcome.report["tracks"] <= 80
    assert outcome.report["half_life_days"] == 90
    assert outcome.report["sources"] == ["spotify"]
    live = await store.live()
    assert live is not None
    lists = {}
    for genre in ("doom", "disco"):
        history = [HistoryItem(key, Kind.SAVED) for key in members[genre][:12]]
        lists[genre] = [one.track_id for one in live.recommend(history, kind="new")]
        assert len(set(lists[genre]) & set(members[genre])) >= 8
    assert (await other_store.live()) is not None  # noticed without being told
    status = await other.status()
    assert status.live.version == outcome.run.version
    assert status.live.report == outcome.report
    assert status.running is None
    assert status.last == outcome.run
    assert _left(tmp_path) == [outcome.run.version]  # no snapshot stays
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700
    assert list((tmp_path / "models" / outcome.run.version).rglob("*.csv")) == []
    assert [one for one in ada if one.encode() not in everything_on_disk(database)] == []
    receipt = await DeletionService(database, [], timedelta(days=5), Now()).delete(ada[0])
    assert [one.version for one in receipt.versions] == [outcome.run.version]
    files = [path.read_bytes() for path in (tmp_path / "models").rglob("*") if path.is_file()]
    assert len(files) > 1  # the version is still there
    assert [one for one in ada for held in (*files, everything_on_disk(database)) if one.encode() in held] == []


async def _introduce(database):
    """The first member gets a Discord id and names that stand nowhere by chance; these."""
    discord_id, account_id, name = "314159265358979323", "adas-account-id-at-spotify", "Ada as Spotify shows her"
    sealed = fresh_tokens("sealed", "sealed too", Now()())
    async with database.write() as connection:
        await connection.execute(update(member).where(member.c.discord_id == "100").values(discord_id=discord_id))
        member_id = await member_of(connection, discord_id)
        await put_account(
            connection,
            member_id,
            Source.SPOTIFY,
            external_id=account_id,
            user_id=account_id,
            display_name=name,
            tokens=sealed,
            scope="",
            now=Now()(),
        )
    return discord_id, account_id, name


async def test_the_snapshot_holds_allowed_sources_private_and_no_discord_id(database, members, tmp_path, opened):
    keep = tmp_path / "kept"
    code = f"""
folder = Path(job["interactions"]).parent
shutil.copytree(folder, {str(keep)!r})
say(error=oct(folder.stat().st_mode & 0o777))
"""
    command = worker(tmp_path, "keeper", code)
    models, _ = await opened(database, tmp_path, command, sources=[Source.SPOTIFY])
    run = await _retrain(models)
    assert run.reason == "0o700"
    lines = (keep / "interactions.csv").read_text().splitlines()
    assert lines[0] == "user_id,track_id,kind,weight,timestamp"
    assert len(lines) == 1 + 8 * 25
    assert {line.split(",")[0] for line in lines[1:]} == {str(number) for number in range(1, 9)}
    assert lines[1].endswith(",saved,1,2026-05-01T12:00:00+00:00")
    header, first, *_ = (keep / "tracks.csv").read_text().splitlines()
    assert header.startswith("track_id,name,artist,acousticness")
    assert ",doom " in first
    assert "doom band" in first
    assert _left(tmp_path) == []
    nothing, _ = await opened(database, tmp_path, command, sources=[Source.DISCORD])
    with pytest.raises(MemberError, match="too little to train on: 0 members with 0 tracks"):
        await nothing.retrain("1")


async def test_too_little_is_said_and_leaves_no_run(database, tmp_path, opened):
    models, _ = await opened(database, tmp_path)
    with pytest.raises(MemberError, match="too little"):
        await models.retrain("1")
    assert (await models.status()).last is None


@pytest.fixture
async def live(database, members, tmp_path, opened, version):
    """A version is live already."""
    models, _ = await opened(database, tmp_path, publisher(tmp_path, version, REPORT))
    run = await _retrain(models)
    assert run.status == "promoted"
    return run.version


async def _still(store, version):
    assert (await store.state()).version == version
    assert await store.live() is not None


async def test_kill_9_of_the_training_process(database, live, tmp_path, opened):
    models, store = await opened(database, tmp_path)
    training = await models.retrain("1")
    (await _until(training_processes))[0].kill()
    run = (await _end(training)).run
    assert run.status == "failed"
    assert "killed from outside" in run.reason
    await _still(store, live)
    assert _left(tmp_path) == [live]


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"distinct_top_tens": 1, "inter_member_distance": 0.0}, "collapsed"),
        ({"ndcg_at_10": {"model": 0.1, "popularity": 0.4}}, "no better"),
    ],
)
async def test_a_refused_version_is_kept_and_not_promoted(database, live, tmp_path, opened, version, report, words):
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, REPORT | report))
    run = await _retrain(models)
    assert run.status == "refused"
    assert words in run.reason
    await _still(store, live)
    assert _left(tmp_path) == sorted([live, run.version])
    kept = (await models.status()).kept
    assert [(one.version, one.status, one.reason) for one in kept] == [
        (live, "promoted", None),
        (run.version, "refused", run.reason),
    ]
    assert kept[1].report == REPORT | report


async def test_the_newest_two_refused_ones_are_kept(database, live, tmp_path, opened, version):
    clock = Now()
    worse = REPORT | {"ndcg_at_10": {"model": 0.1, "popularity": 0.4}}
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, worse), clock=clock)
    names = []
    for _ in range(REFUSED_KEPT + 1):
        clock.pass_(seconds=2)
        names.append((await _retrain(models)).version)
    assert _left(tmp_path) == sorted([live, *names[-REFUSED_KEPT:]])
    await _still(store, live)


async def test_an_admin_promotes_a_refused_version_and_takes_it_back(database, live, tmp_path, opened, version):
    clock = Now()
    clock.pass_(minutes=1)
    worse = REPORT | {"ndcg_at_10": {"model": 0.1, "popularity": 0.4}}
    models, _ = await opened(database, tmp_path, publisher(tmp_path, version, worse), clock=clock)
    _, other = await opened(database, tmp_path)  # another process's
    refused = (await _retrain(models)).version
    assert [one.version for one in await models.choices()] == [refused]
    clock.pass_(minutes=1)
    now = await models.promote(f" {refused.split('-')[-1]} ", "77")
    assert (now.live.version, now.live.answering, now.before) == (refused, refused, live)
    assert "no better" in now.refused_for
    status = await models.status()
    change = status.change
    assert (change.version, change.how, change.changed_by, change.changed_at) == (refused, "promoted", "77", clock())
    assert status.live.since == clock()
    assert (await other.live()).version == refused
    again = await models.promote(refused, "78")  # asked twice: nothing changes, and nobody else is on record for it
    assert again.before == again.live.version == refused
    assert (await models.status()).change == change
    back = await models.roll_back("79")
    assert (back.live.version, back.before) == (live, refused)
    change = (await models.status()).change
    assert (change.version, change.how, change.changed_by) == (live, "rolled back", "79")
    assert (await other.live()).version == live
    with pytest.raises(MemberError, match="no earlier version"):
        await models.roll_back("79")


async def test_rollbacks_go_back_one_by_one_and_never_forth(database, live, tmp_path, opened, version):
    clock = Now()
    models, _ = await opened(database, tmp_path, publisher(tmp_path, version, REPORT), clock=clock)
    names = [live]
    for _ in range(3):
        clock.pass_(seconds=2)
        names.append((await _retrain(models)).version)
    first, second, third, fourth = names
    assert (await models.roll_back("1")).live.version == third
    assert (await models.roll_back("1")).live.version == second
    assert (await models.promote(fourth, "1")).live.version == fourth
    assert (await models.roll_back("1")).live.version == second
    assert (await models.roll_back("1")).live.version == first
    with pytest.raises(MemberError, match="no earlier version"):
        await models.roll_back("1")
    assert [one.version for one in await models.choices()][:2] == [second, fourth]  # what was live last comes first


async def test_a_name_that_nothing_has_is_answered_with_those_that_there_are(database, live, tmp_path, opened):
    models, store = await opened(database, tmp_path)
    for name in ("", "../models", "20250101T000000Z-00000000", live[:10]):
        with pytest.raises(MemberError, match=f"Kept are: `{live}`"):
            await models.promote(name, "1")
    await _still(store, live)


async def test_a_damaged_version_is_not_promoted_by_hand(database, live, tmp_path, opened, version):
    worse = REPORT | {"ndcg_at_10": {"model": 0.1, "popularity": 0.4}}
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, worse))
    refused = (await _retrain(models)).version
    (tmp_path / "models" / refused / "model.safetensors").write_bytes(b"no arrays")
    with pytest.raises(MemberError, match=f"Version {refused} cannot be opened: {refused} is damaged: .* Nothing was"):
        await models.promote(refused, "1")
    await _still(store, live)
    assert (await models.status()).change.version == live


async def test_what_is_promoted_is_what_was_measured(database, live, tmp_path, opened, version):
    """A worker that hands over other files than it measured: nothing of them is kept."""
    command = publisher(tmp_path, version, REPORT)
    script = tmp_path / "publisher.py"
    script.write_text(script.read_text().replace("report=json", "report={'finite': True} or json"))
    models, store = await opened(database, tmp_path, command)
    run = await _retrain(models)
    assert run.status == "failed"
    await _still(store, live)
    assert _left(tmp_path) == [live]


async def test_a_version_made_live_by_hand_during_a_run_is_not_overruled(database, live, tmp_path, opened, version):
    hold = tmp_path / "hold"
    clock = Now()
    clock.pass_(minutes=1)
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, REPORT), clock=clock)
    second = (await _retrain(models)).version
    script = tmp_path / "publisher.py"
    waiting = f"while not Path({str(hold)!r}).exists():\n    time.sleep(0.01)\nsay(version"
    script.write_text(script.read_text().replace("say(version", waiting))
    clock.pass_(minutes=1)
    training = await models.retrain("1")
    await _until(lambda: training.progress.fraction == 0.5)
    await models.roll_back("7")
    hold.touch()
    run = (await _end(training)).run
    assert (run.status, run.reason) == ("refused", "Another version was made live by hand while it was trained.")
    await _still(store, live)
    assert _left(tmp_path) == sorted([live, second, run.version])


@pytest.mark.parametrize("table", ["model_version", "active_model", "model_change"])
async def test_a_failure_between_files_and_pointer_leaves_what_was_live(
    database, live, tmp_path, opened, version, table
):
    """The files are in place, and the database refuses one of the rows."""
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, REPORT))
    when = "UPDATE" if table == "active_model" else "INSERT"
    async with database.write() as connection:
        await connection.exec_driver_sql(
            f"CREATE TRIGGER full BEFORE {when} ON {table} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    run = await _retrain(models)
    assert run.status == "failed"
    await _still(store, live)
    assert len(_left(tmp_path)) == 2
    _, again = await opened(database, tmp_path)  # the next start clears away what no row names
    assert _left(tmp_path) == [live]
    await _still(again, live)


async def test_the_run_is_told_what_is_live_and_whom_it_has_learned_whole(database, members, tmp_path, opened, version):
    clock = Now()
    clock.pass_(minutes=-5)
    models, _ = await opened(database, tmp_path, publisher(tmp_path, version, REPORT), clock=clock)
    name = (await _retrain(models)).version
    await give(database, "100", members["disco"][30:])  # had many already
    await give(database, "900", members["doom"][:SET_ASIDE_MINIMUM])  # a newcomer, of whom the training saw …
    async with database.read() as connection:
        newcomer = await member_of(connection, "900")
    theirs = interaction.c.member_id == newcomer
    early = interaction.c.track_id.in_([int(key) for key in members["doom"][:2]])  # … these two tracks, and both wholly
    async with database.write() as connection:
        await connection.execute(update(interaction).where(theirs, ~early).values(first_seen=clock() + timedelta(1)))
    command = worker(tmp_path, "asker", "say(error=json.dumps([job['live'], job['leave_out']]))\n")
    models, _ = await opened(database, tmp_path, command)
    assert json.loads((await _retrain(models)).reason) == [
        str(tmp_path / "models" / name),
        [str(newcomer)],
    ]


async def test_a_run_that_takes_too_long(database, live, tmp_path, opened):
    models, store = await opened(database, tmp_path, sleeper(tmp_path), timeout=0.5)
    run = await _retrain(models)
    assert (run.status, run.reason) == ("failed", "It took longer than 0.00833333 minutes (TRAINING_TIMEOUT_MINUTES).")
    assert training_processes() == []
    await _still(store, live)


async def test_cancel_from_here_and_from_another_process(database, live, tmp_path, opened, monkeypatch):
    monkeypatch.setattr(training_module, "BEAT_SECONDS", 0.1)
    models, store = await opened(database, tmp_path, sleeper(tmp_path))
    other, _ = await opened(database, tmp_path)
    for who in (models, other):
        training = await models.retrain("1")
        await who.cancel()
        run = (await _end(training)).run
        assert (run.status, run.reason) == ("cancelled", "An admin asked for that.")
        assert training_processes() == []
    await _still(store, live)
    with pytest.raises(MemberError, match="No training is under way"):
        await models.cancel()


async def test_two_at_once(database, live, tmp_path, opened):
    """In one process, in two that share a directory, and in two that share the database alone."""
    models, _ = await opened(database, tmp_path, sleeper(tmp_path))
    same_folder, _ = await opened(database, tmp_path)
    elsewhere = Database(str(database.url))
    far, _ = await opened(elsewhere, tmp_path / "far")
    started = await asyncio.gather(models.retrain("7"), models.retrain("8"), return_exceptions=True)
    refused = [one for one in started if isinstance(one, BusyError)]
    assert len(refused) == 1
    assert "started a training run" in refused[0].told
    for other in (same_folder, far):
        with pytest.raises(BusyError, match="<@7> started a training run"):
            await other.retrain("9")
    await models.cancel()
    await _end(next(one for one in started if not isinstance(one, BusyError)))
    await far.close()
    await elsewhere.close()


async def test_starts_in_the_same_moment_make_one_run(database, live, tmp_path, opened):
    models = [(await opened(database, tmp_path / name, sleeper(tmp_path)))[0] for name in ("a", "b")]
    started = await asyncio.gather(*(one.retrain("1") for one in models), return_exceptions=True)
    assert sorted(isinstance(one, BusyError) for one in started) == [False, True]


async def test_the_cool_down_counts_results_only(database, live, tmp_path, opened, version):
    clock = Now()
    models, _ = await opened(database, tmp_path, sleeper(tmp_path), clock=clock, cooldown=600)
    with pytest.raises(BusyError, match=r"the next one can start at \d\d:\d\d:\d\d UTC"):
        await models.retrain("1")
    clock.pass_(minutes=11)
    for _ in range(2):  # a cancelled one may be repeated at once
        training = await models.retrain("1")
        await models.cancel()
        await _end(training)


async def test_the_newest_five_are_kept(database, live, tmp_path, opened, version):
    clock = Now()
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, REPORT), clock=clock)
    names = [live]
    for _ in range(PROMOTED_KEPT + 1):
        clock.pass_(seconds=2)
        names.append((await _retrain(models)).version)
    assert _left(tmp_path) == sorted(names[-PROMOTED_KEPT:])
    async with database.read() as connection:
        rows = await connection.scalars(select(model_version.c.version))
    assert sorted(rows) == sorted(names[-PROMOTED_KEPT:])
    await _still(store, names[-1])


async def test_a_damaged_version_is_refused_and_comes_back(database, live, tmp_path, opened, caplog):
    arrays = tmp_path / "models" / live / "model.safetensors"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    clock = Now()
    _, store = await opened(database, tmp_path, clock=clock)
    assert await store.live() is None
    state = await store.state()
    assert state.version == live
    assert state.fault.startswith(f"{live} is damaged: ")  # said to admins, who need not know the host's folders
    assert str(tmp_path) not in state.fault
    assert "damaged" in caplog.text
    arrays.write_bytes(whole)
    assert await store.live() is None  # looked at again after a minute, not for each question
    clock.pass_(minutes=2)
    assert await store.live() is not None


async def test_a_damaged_live_version_is_stood_in_for_by_the_one_before(
    database, live, tmp_path, opened, version, caplog
):
    clock = Now()
    clock.pass_(minutes=1)
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, REPORT), clock=clock)
    second = (await _retrain(models)).version
    worse = REPORT | {"ndcg_at_10": {"model": 0.1, "popularity": 0.4}}
    clock.pass_(minutes=1)
    models, store = await opened(database, tmp_path, publisher(tmp_path, version, worse, "worse"), clock=clock)
    await _retrain(models)  # a refused one never stands in
    metadata = tmp_path / "models" / second / "version.json"
    whole = metadata.read_bytes()
    metadata.write_bytes(whole[:-10])
    models, store = await opened(database, tmp_path, clock=clock)
    assert (await store.live()).version == live
    state = await store.state()
    assert (state.version, state.answering) == (second, live)
    assert state.fault.startswith(f"{second} is damaged")
    assert f"model {second} is refused, {live} answers instead" in caplog.text
    metadata.write_bytes(whole)
    clock.pass_(minutes=2)
    assert (await store.live()).version == second
    assert (await store.state()).fault is None
    metadata.unlink()
    _, store = await opened(database, tmp_path, clock=clock)
    assert (await store.live()).version == live


async def test_a_dead_process_s_run_is_marked_and_cleaned_up(database, live, tmp_path, opened):
    """As kill -9 leaves it: a running row, the run's directory, a version without a row; its lock died with it."""
    folder = tmp_path / "models"
    async with database.write() as connection:
        now = Now()()
        run_id = await connection.scalar(
            training_run.insert()
            .values(status="running", requested_by="1", started_at=now, heartbeat_at=now)
            .returning(training_run.c.id)
        )
    (folder / ".training.lock").write_text(str(run_id))
    (folder / f".run-{run_id}").mkdir()
    (folder / f".run-{run_id}" / "interactions.csv").write_text("secret")
    models, store = await opened(database, tmp_path)
    status = await models.status()
    assert status.running is None
    assert (status.last.id, status.last.status) == (run_id, "failed")
    assert status.last.reason == "The bot was stopped in the middle of it."
    assert [run.id for run in models.take_interrupted()] == [run_id]
    assert models.take_interrupted() == []
    assert _left(tmp_path) == [live]
    await _still(store, live)


async def test_a_version_without_a_row_is_removed(database, live, tmp_path, opened):
    (tmp_path / "models" / live).rename(tmp_path / "saved")
    for name in (live, "20250101T000000Z-00000000"):
        (tmp_path / "models" / name).mkdir()
        (tmp_path / "models" / name / "version.json").write_text("{}")
    (tmp_path / "models" / "mine").mkdir()
    await opened(database, tmp_path)
    assert _left(tmp_path) == [live, "mine"]


async def test_another_machine_s_run_is_dead_when_its_heart_has_stopped(database, live, tmp_path, opened):
    clock = Now()
    async with database.write() as connection:
        await connection.execute(
            training_run.insert().values(status="running", requested_by="5", started_at=clock(), heartbeat_at=clock())
        )
    models, _ = await opened(database, tmp_path, sleeper(tmp_path), clock=clock)
    with pytest.raises(BusyError, match="<@5>"):
        await models.retrain("1")
    clock.pass_(seconds=61)
    training = await models.retrain("1")
    await models.cancel()
    assert (await _end(training)).run.requested_by == "1"


async def test_a_run_that_was_ended_from_elsewhere_promotes_nothing(database, live, tmp_path, opened, version):
    hold = tmp_path / "hold"
    command = publisher(tmp_path, version, REPORT)
    script = tmp_path / "publisher.py"
    waiting = f"while not Path({str(hold)!r}).exists():\n    time.sleep(0.01)\nsay(version"
    script.write_text(script.read_text().replace("say(version", waiting))
    models, store = await opened(database, tmp_path, command)
    training = await models.retrain("1")
    async with database.write() as connection:
        await connection.execute(
            update(training_run)
            .where(training_run.c.id == training.run_id)
            .values(status="failed", reason="taken over")
        )
    hold.touch()
    run = (await _end(training)).run
    assert (run.status, run.reason) == ("failed", "taken over")
    await _still(store, live)
    assert _left(tmp_path) == [live]


async def test_closing_ends_a_run_within_seconds(database, live, tmp_path, opened):
    models, _ = await opened(database, tmp_path, sleeper(tmp_path))
    training = await models.retrain("1")
    async with asyncio.timeout(60):  # the run would take ten times as long
        await models.close()
    run = (await training.outcome()).run
    assert (run.status, run.reason) == ("failed", "The bot was stopped in the middle of it.")
    assert training_processes() == []
    with pytest.raises(BusyError, match="restarting"):
        await models.retrain("1")


async def test_a_running_run_shows_its_heart_and_progress(database, live, tmp_path, opened, monkeypatch):
    monkeypatch.setattr(training_module, "BEAT_SECONDS", 0.05)
    models, _ = await opened(database, tmp_path, sleeper(tmp_path))
    training = await models.retrain("42")
    async with asyncio.timeout(60):
        while (run := (await models.status()).running).fraction != 0.5:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert run.stage == "learning taste"
    assert (run.id, run.requested_by, run.fraction) == (training.run_id, "42", 0.5)


@pytest.mark.parametrize(
    ("asker", "home", "guilds", "allowed"),
    [
        (Asker(True, None, False), None, ["1", "2"], True),  # an owner, anywhere
        (Asker(True, "3", False), "1", ["1", "3"], True),
        (Asker(False, "1", True), None, ["1"], True),  # the only server is home
        (Asker(False, "1", True), None, ["1", "2"], False),
        (Asker(False, "1", True), "1", ["1", "2"], True),
        (Asker(False, "2", True), "1", ["1", "2"], False),  # another server's admin
        (Asker(False, "1", False), "1", ["1"], False),
        (Asker(False, None, False), None, ["1"], False),  # direct message
        (Asker(False, None, True), None, ["1"], False),
    ],
)
async def test_who_may(database, tmp_path, asker, home, guilds, allowed):
    models, _ = service(database, tmp_path, home=home)
    if allowed:
        models.check(asker, guilds)
    else:
        with pytest.raises(
            NotAllowedError, match="HOME_GUILD_ID" if home is None and len(guilds) > 1 else "Manage Server"
        ):
            models.check(asker, guilds)


async def test_a_version_that_has_to_go_is_no_measure_for_its_successor(database, live, tmp_path, opened):
    """Its data was deleted: it will be gone by a date, and a successor need not be as good."""
    command = worker(tmp_path, "asker", "say(error=json.dumps(job['live']))\n")
    models, _ = await opened(database, tmp_path, command)
    assert json.loads((await _retrain(models)).reason) == str(tmp_path / "models" / live)
    async with database.write() as connection:
        await connection.execute(update(model_version).values(delete_by=Now()()))
    assert json.loads((await _retrain(models)).reason) is None
