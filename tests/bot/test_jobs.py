"""The training process: what it is given, how it ends, and that nothing of it outlives whoever started it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from bot.errors import ModelError
from bot.jobs.base import Progress, TrainingJob
from bot.jobs.lock import RunLock
from bot.jobs.process import ProcessExecutor, training_threads
from tests.bot.workers import worker

NOW = datetime(2026, 7, 4, 12, tzinfo=UTC)


def _job(folder: Path) -> TrainingJob:
    return TrainingJob(
        folder / "interactions.csv", folder / "tracks.csv", folder / "versions", NOW, seed=7, half_life_days=90
    )


async def _train(folder: Path, command: tuple[str, ...]):
    progress: list[Progress] = []
    version = await ProcessExecutor(command).train(_job(folder), progress.append)
    return version, progress


async def _gone(pid: int) -> None:
    for _ in range(3_000):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")


def test_a_job_survives_its_way_as_text(tmp_path):
    assert TrainingJob.from_json(_job(tmp_path).to_json()) == _job(tmp_path)


async def test_progress_and_report_come_back(tmp_path, monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "a-secret")
    command = worker(
        tmp_path,
        "talker",
        """
say(stage="reading", fraction=0.25)
say(stage="measuring", fraction=None)
facts = {"secret": "DISCORD_TOKEN" in os.environ, "threads": os.environ["OMP_NUM_THREADS"], "job": job,
         "leads": os.getpgid(0) == os.getpid(), "session": os.getsid(0)}
say(version="/some/where", report=facts)
""",
    )
    version, progress = await _train(tmp_path, command)
    assert progress == [Progress("reading", 0.25), Progress("measuring", None)]
    assert version.path == Path("/some/where")
    assert version.report == {
        "secret": False,
        "threads": str(training_threads()),
        "job": json.loads(_job(tmp_path).to_json()),
        "leads": True,
        "session": os.getsid(0),
    }


def test_one_thread_below_the_cores():
    assert training_threads() == max(1, len(os.sched_getaffinity(0)) - 1)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("say(error='Nobody likes anything.')", "Nobody likes anything."),
        ("sys.exit(3)", r"failed \(exit status 3\)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed from outside.*memory"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "ended by SIGTERM"),
        ("os.close(0); os._exit(1)", "exit status 1"),
    ],
)
async def test_each_bad_end_is_a_sentence(tmp_path, code, sentence):
    with pytest.raises(ModelError, match=sentence):
        await _train(tmp_path, worker(tmp_path, "bad", code))


async def test_what_it_complains_about_stands_in_the_log_once(tmp_path, caplog):
    command = worker(tmp_path, "loud", "for _ in range(1000): print('odd', file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(ModelError):
        await _train(tmp_path, command)
    assert 0 < caplog.text.count("training: odd") <= 200


async def test_cancelling_ends_it_and_all_it_started(tmp_path):
    code = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
say(stage=f"{os.getpid()} {child.pid}", fraction=None)
time.sleep(600)
"""
    said: asyncio.Queue[Progress] = asyncio.Queue()
    executor = ProcessExecutor(worker(tmp_path, "parent", code))
    work = asyncio.create_task(executor.train(_job(tmp_path), said.put_nowait))
    pids = [int(pid) for pid in (await said.get()).stage.split()]
    assert all(psutil.pid_exists(pid) for pid in pids)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    for pid in pids:
        await _gone(pid)


async def test_a_worker_that_closes_its_ears_at_once_is_no_broken_pipe(tmp_path):
    with pytest.raises(ModelError, match="exit status 1"):
        await ProcessExecutor((sys.executable, "-c", "raise SystemExit(1)")).train(_job(tmp_path), print)


def test_the_real_worker_is_nice_and_ends_when_the_bot_is_gone(tmp_path):
    """Its interactions are a pipe that nobody writes to: without the bot's death it would wait for ever."""
    os.mkfifo(tmp_path / "interactions.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.jobs.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        process.stdin.write(_job(tmp_path).to_json().encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"stage": "starting", "fraction": 0.0}
        assert psutil.Process(process.pid).nice() == 19
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "500"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_the_real_worker_says_what_is_wrong_with_a_table(tmp_path):
    (tmp_path / "interactions.csv").write_text("user_id,track_id,kind\n1,2,sung\n")
    (tmp_path / "tracks.csv").write_text("track_id\n2\n")
    with pytest.raises(ModelError, match="column kind: expected one of"):
        await ProcessExecutor().train(_job(tmp_path), print)


def test_the_lock_is_one_persons_and_dies_with_its_process(tmp_path):
    mine, other = RunLock(tmp_path / "lock"), RunLock(tmp_path / "lock")
    assert mine.run_id is None
    assert mine.acquire()
    assert not mine.acquire()
    assert not other.acquire()
    mine.name(12)
    assert other.run_id == 12
    mine.release()
    assert other.acquire()
    other.release()
    path = repr(str(tmp_path / "lock"))
    code = f"from bot.jobs.lock import *; lock = RunLock(Path({path})); print(lock.acquire(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"True\n"
        assert not mine.acquire()
        process.kill()
    assert mine.acquire()
    mine.release()
