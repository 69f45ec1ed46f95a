"""What an import costs: `python -m benchmarks.imports`. A member uploads 500,000 plays through the upload page of the
real bot while another one asks /help and /recommend; then a catalogue of a million tracks is read in.

Every figure holds real HTTP, a real websocket and a real database. Seconds of a processor stand beside seconds of
the clock, because the latter depend on what else the machine does. Writes benchmarks/imports.md and
benchmarks/imports.json.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import string
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from sandbox.report import times
from sandbox.stage import Stage
from sandbox.uploading import upload

HERE = Path(__file__).parent
MEGABYTE = 1e6
ALPHABET = string.ascii_letters + string.digits
PLAYS_A_FILE = 16_000  # as Spotify cuts them
LOOK_SECONDS = 0.1


def export(path: Path, plays: int, tracks: int, seed: int) -> None:
    """An Extended streaming history; some tracks are played much more often than others."""
    rng = random.Random(seed)
    ids = ["".join(rng.choices(ALPHABET, k=22)) for _ in range(tracks)]
    moment = datetime(2012, 1, 1, tzinfo=UTC)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, start in enumerate(range(0, plays, PLAYS_A_FILE)):
            rows = []
            for _ in range(min(PLAYS_A_FILE, plays - start)):
                moment += timedelta(seconds=rng.randrange(60, 1_400))
                track = int(rng.random() ** 3 * tracks)
                rows.append(
                    {
                        "ts": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "username": "somebody",
                        "platform": "android",
                        "ms_played": rng.randrange(0, 300_000),
                        "conn_country": "XX",
                        "ip_addr": "203.0.113.7",
                        "user_agent_decrypted": None,
                        "master_metadata_track_name": f"The title of track {track}",
                        "master_metadata_album_artist_name": f"Artist {track % 2_000}",
                        "master_metadata_album_album_name": f"Album {track % 6_000}",
                        "spotify_track_uri": f"spotify:track:{ids[track]}",
                        "episode_name": None,
                        "reason_start": "trackdone",
                        "reason_end": rng.choice(["trackdone", "trackdone", "fwdbtn"]),
                        "shuffle": True,
                        "skipped": None,
                        "offline": False,
                        "offline_timestamp": 0,
                        "incognito_mode": False,
                    }
                )
            archive.writestr(f"Spotify/Streaming_History_Audio_{number}.json", json.dumps(rows, indent=1))


def catalogue(path: Path, tracks: int, seed: int) -> None:
    rng = random.Random(seed)
    names = "acousticness,danceability,energy,instrumentalness,liveness,loudness,speechiness,valence,tempo"
    with path.open("w", encoding="utf-8") as file:
        file.write(f"track_id,name,artist,{names}\n")
        for number in range(tracks):
            unit = [f"{rng.random():.3f}" for _ in range(7)]
            numbers = [*unit[:5], f"{-20 * rng.random():.3f}", *unit[5:], f"{60 + 120 * rng.random():.3f}"]
            identity = "".join(rng.choices(ALPHABET, k=22))
            file.write(f"{identity},Title {number},Artist {number % (tracks // 8)},{','.join(numbers)}\n")


class Watched:
    """A process and its children: the most memory that they had together, and what they computed."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.memory()
        self.peak = self.before
        self._seconds = self._computed()

    def memory(self) -> float:
        """Megabytes, each page once however many share it."""
        total = 0.0
        for one in (self._process, *self._process.children(recursive=True)):
            try:
                total += one.memory_info().rss / MEGABYTE
            except psutil.NoSuchProcess:
                continue
        return total

    def look(self) -> None:
        self.peak = max(self.peak, self.memory())

    def computed(self) -> float:
        return self._computed() - self._seconds

    def _computed(self) -> float:
        spent = self._process.cpu_times()
        return float(spent.user + spent.system)


async def import_plays(folder: Path, plays: int, seed: int) -> dict[str, Any]:
    path = folder / "my_spotify_data.zip"
    await asyncio.to_thread(export, path, plays, 30_000, seed)
    async with Stage(seed=seed, members=2) as stage:
        ada, ben = list(stage.users.values())[:2]
        await asyncio.sleep(3.0)
        idle = await _ask(stage, ben, asyncio.sleep(10.0))
        watched = Watched(stage.bot.pid)
        sent = await stage.command(ada, "import")
        reply = await sent.interaction.reply()
        address = next(word[1:-1] for word in reply.content.split() if word.startswith(f"<{stage.public_url}/import/"))
        started = time.monotonic()
        marks: dict[str, float] = {}

        async def work() -> None:
            await upload(address, path.name, path.read_bytes())
            marks["received"] = time.monotonic() - started
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                watched.look()
                text = sent.interaction.original.text if sent.interaction.original is not None else ""
                if "storing," in text:
                    marks.setdefault("read", time.monotonic() - started)
                if "imported" in text:
                    return

        busy = await _ask(stage, ben, work())
        seconds = time.monotonic() - started
        original = sent.interaction.original
        return {
            "plays": plays,
            "zip_mb": path.stat().st_size / MEGABYTE,
            "seconds": seconds,
            "marks": marks,
            "processor_seconds": watched.computed(),
            "memory_idle_mb": watched.before,
            "memory_peak_mb": watched.peak,
            "reply_ms_idle": {name: times(taken) for name, taken in idle.items()},
            "reply_ms_importing": {name: times(taken) for name, taken in busy.items()},
            "result": original.text if original is not None else "",
        }


async def _ask(stage: Stage, user: Any, work: Any) -> dict[str, list[float]]:
    """Milliseconds of each reply to commands that are sent one after another while `work` goes on."""
    task = asyncio.ensure_future(work)
    taken: dict[str, list[float]] = {"help": [], "recommend": []}
    while not task.done():
        for command, milliseconds in taken.items():
            sent = await stage.command(user, command)
            await sent.interaction.reply()
            milliseconds.append(1000 * (sent.seconds or 0.0))
            await asyncio.sleep(0.1)
    await task
    return taken


def import_catalogue(folder: Path, tracks: int, seed: int) -> dict[str, Any]:
    path = folder / "catalogue.csv"
    catalogue(path, tracks, seed)
    environment = os.environ | {
        "DISCORD_TOKEN": "x",
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "TOKEN_ENCRYPTION_KEYS": "A" * 43 + "=",
        "TRAINING_SOURCES": "dataset",
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/catalogue.db",
        "PYTHONPATH": str(HERE.parent),
    }
    started = time.monotonic()
    command = [sys.executable, "-m", "bot", "import-tracks", str(path)]
    with subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        watched = psutil.Process(process.pid)
        peak = computed = 0.0
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss / MEGABYTE)
                computed = sum(watched.cpu_times()[:2])
            except psutil.NoSuchProcess:
                break
            time.sleep(LOOK_SECONDS)
        said = process.stdout.read() if process.stdout is not None else ""
    return {
        "tracks": tracks,
        "csv_mb": path.stat().st_size / MEGABYTE,
        "seconds": time.monotonic() - started,
        "processor_seconds": computed,
        "memory_peak_mb": peak,
        "result": said.strip(),
    }


def page(found: dict[str, Any]) -> str:
    lines = [
        "# What imports cost",
        "",
        "Written by `python -m benchmarks.imports`; every figure is in [imports.json](imports.json).",
        "",
        f"Machine: {found['machine']}. When it began, {found['load_before']:.1f} processes wanted a core, when it "
        f"ended {found['load_after']:.1f}: seconds of the clock hold what others took; seconds of a "
        "processor hold less of it.",
    ]
    if one := found.get("plays"):
        idle, busy = one["reply_ms_idle"], one["reply_ms_importing"]
        lines += [
            "",
            f"## {one['plays']:,} plays through the upload page",
            "",
            "| | measured | reach |",
            "|---|---|---|",
            f"| from the first byte to stored | {one['seconds']:.0f} s, of a processor "
            f"{one['processor_seconds']:.0f} s | ≤ 60 s |",
            f"| memory above the idle bot | {one['memory_peak_mb'] - one['memory_idle_mb']:.0f} MB "
            f"(idle {one['memory_idle_mb']:.0f}) | ≤ 200 MB |",
            *(
                f"| `/{name}`, median and p99 | idle {idle[name]['p50']:.0f} and {idle[name]['p99']:.0f} ms, importing "
                f"{busy[name]['p50']:.0f} and {busy[name]['p99']:.0f} ms | it answers |"
                for name in idle
            ),
        ]
    if one := found.get("catalogue"):
        lines += [
            "",
            f"## A catalogue of {one['tracks']:,} tracks",
            "",
            "| | measured | reach |",
            "|---|---|---|",
            f"| `specrec-bot import-tracks` | {one['seconds']:.0f} s, of a processor "
            f"{one['processor_seconds']:.0f} s | ≤ 120 s for a million |",
            f"| most memory | {one['memory_peak_mb']:.0f} MB | ≤ 500 MB |",
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=500_000, help="0: none (default: %(default)s)")
    parser.add_argument("--tracks", type=int, default=1_000_000, help="0: none (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    found: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}",
        "load_before": os.getloadavg()[0],
    }
    with tempfile.TemporaryDirectory(prefix="specrec-imports-") as name:
        if options.plays:
            found["plays"] = asyncio.run(import_plays(Path(name), options.plays, options.seed))
        if options.tracks:
            found["catalogue"] = import_catalogue(Path(name), options.tracks, options.seed)
    found["load_after"] = os.getloadavg()[0]
    (HERE / "imports.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (HERE / "imports.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
