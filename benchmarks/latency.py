"""How quick and how small the bot is, idle and beside a training run: `python -m benchmarks.latency`.

The real bot runs among the sandbox's servers, so every figure holds real HTTP, a real websocket and a real database,
but no network between machines. Idle and training take turns, so that whatever else the machine does meets both alike.
Writes benchmarks/latency.md, and every single measurement to benchmarks/latency.json.
"""

import argparse
import asyncio
import gc
import io
import json
import os
import platform
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console

from sandbox.discord_server import Message
from sandbox.report import times
from sandbox.stage import Stage
from sandbox.tour import Tour
from sandbox.transcript import Transcript

HERE = Path(__file__).parent
COMMANDS = ("help", "recommend")
PAUSE = (0.005, 0.045)  # seconds between a reply and the next command: what a lively server asks
QUIET_SECONDS = 15.0  # before the memory of an idle bot is read
MEGABYTE = 1e6

Replies = dict[str, list[float]]
"""Command -> milliseconds from dispatch to the final content, in the order of asking."""


@dataclass
class Measured:
    """Seconds, megabytes, milliseconds; `others` is the share of all cores that other processes took meanwhile."""

    members: int
    connected_seconds: list[float] = field(default_factory=list)
    ready_seconds: list[float] = field(default_factory=list)
    stop_idle_seconds: list[float] = field(default_factory=list)
    stop_training_seconds: list[float] = field(default_factory=list)
    memory_new: dict[str, float] = field(default_factory=dict)
    memory_started: dict[str, float] = field(default_factory=dict)
    memory_used: dict[str, float] = field(default_factory=dict)
    training_seconds: list[float] = field(default_factory=list)
    idle: list[Replies] = field(default_factory=list)
    training: list[Replies] = field(default_factory=list)
    others_idle: list[float] = field(default_factory=list)
    others_training: list[float] = field(default_factory=list)


class Load:
    """What other processes take of the machine between two looks; ours are this one, the bot, and its children."""

    def __init__(self, bot: int) -> None:
        self._ours = [psutil.Process(), psutil.Process(bot)]
        self._before = self._seconds()

    def others(self) -> float:
        busy, ours, all_ = (after - before for after, before in zip(self._seconds(), self._before, strict=True))
        return max(0.0, busy - ours) / all_

    def _seconds(self) -> tuple[float, float, float]:
        """Busy, ours, all."""
        machine = psutil.cpu_times()
        all_ = sum(machine) - getattr(machine, "guest", 0.0) - getattr(machine, "guest_nice", 0.0)
        return all_ - machine.idle - getattr(machine, "iowait", 0.0), sum(sum(p.cpu_times()) for p in self._ours), all_


class Measuring:
    """One stage, one member after the other asking."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.found = Measured(len(stage.users))
        self._rng = np.random.default_rng(seed)

    async def prepare(self) -> None:
        """Everybody links, is collected, and the first model is trained: not measured."""
        tour = Tour(self.stage, Transcript(Console(file=io.StringIO()), self.stage.name_of))
        for part in (tour.link_all, tour.collect, tour.train):
            await part()
        if tour.errors:
            raise SystemExit("\n".join(tour.errors))

    async def starts_and_stops(self, count: int) -> None:
        for _ in range(count):
            self.found.stop_idle_seconds.append(await _seconds(self.stage.bot.stop))
            await self._start()

    async def stops_while_training(self, count: int) -> None:
        for _ in range(count):
            await self._retrain()
            await asyncio.sleep(2.0)  # torch is being loaded, or the network trained already
            self.found.stop_training_seconds.append(await _seconds(self.stage.bot.stop))
            await self._start()

    async def memory(self) -> dict[str, float]:
        await asyncio.sleep(QUIET_SECONDS)
        full = psutil.Process(self.stage.bot.pid).memory_full_info()
        return {name: getattr(full, name) / MEGABYTE for name in ("rss", "pss", "uss") if hasattr(full, name)}

    async def ask_idle(self, each: int) -> None:
        replies, load = _empty(), Load(self.stage.bot.pid)
        for _ in range(each):
            await self._ask_both(replies)
        self.found.idle.append(replies)
        self.found.others_idle.append(load.others())

    async def ask_while_training(self) -> None:
        """From the reply to /model retrain, which comes once the run has begun, to the message with its result."""
        replies, load, started = _empty(), Load(self.stage.bot.pid), time.monotonic()
        run = await self._retrain()
        while run.content.startswith("**Training the model**"):
            await self._ask_both(replies)
        if not run.content.startswith("**The new model is live**"):
            raise SystemExit(f"The training did not end well: {run.content}")
        self.found.training_seconds.append(time.monotonic() - started)
        self.found.training.append(replies)
        self.found.others_training.append(load.others())

    async def _ask_both(self, replies: Replies) -> None:
        users = list(self.stage.users.values())
        for command in COMMANDS:
            sent = await self.stage.command(users[self._rng.integers(len(users))], command)
            await sent.interaction.reply()
            assert sent.seconds is not None
            replies[command].append(1000 * sent.seconds)
            await asyncio.sleep(self._rng.uniform(*PAUSE))

    async def _retrain(self) -> Message:
        """The channel's message that shows how far the run is."""
        await (await self.stage.command(self.stage.admin, "model retrain")).interaction.reply()
        return self.stage.discord.messages(self.stage.guild.general)[-1]

    async def _start(self) -> None:
        discord, bot, started = self.stage.discord, self.stage.bot, time.monotonic()
        await discord.wait_gone()
        await bot.start()
        await discord.wait_ready()
        self.found.connected_seconds.append(time.monotonic() - started)
        await bot.wait_ready()
        self.found.ready_seconds.append(time.monotonic() - started)


async def _seconds(what: Callable[[], Awaitable[None]]) -> float:
    started = time.monotonic()
    await what()
    return time.monotonic() - started


def _empty() -> Replies:
    return {command: [] for command in COMMANDS}


async def measure(members: int, seed: int, each: int, restarts: int) -> Measured:
    """`each`: at least so many replies of each command, idle and beside a training run."""
    async with Stage(seed=seed, members=members) as stage:
        measuring = Measuring(stage, seed)
        found = measuring.found
        found.memory_new = await measuring.memory()
        await measuring.prepare()
        gc.freeze()
        gc.disable()  # the pauses of the measuring process are not the bot's
        await measuring.starts_and_stops(restarts)
        found.memory_started = await measuring.memory()
        while sum(len(replies["help"]) for replies in found.training) < each:
            await measuring.ask_idle(max(1, each // 4))
            await measuring.ask_while_training()
        while sum(len(replies["help"]) for replies in found.idle) < each:
            await measuring.ask_idle(each // 4)
        found.memory_used = await measuring.memory()
        await measuring.stops_while_training(2)
        if complaints := stage.bot.complaints():
            raise SystemExit("\n".join(["The bot's log has errors:", *complaints]))
        return found


def table(found: Measured) -> list[str]:
    """The rows of the report."""
    rows = [
        ("from start to connected, s (median, most)", _span(found.connected_seconds, 2), "≤ 3"),
        ("… and to /readyz, with discord.py's own wait for servers of 2 s", _span(found.ready_seconds, 2), "–"),
        ("idle memory, nobody linked yet: RSS (PSS), MB", _memory(found.memory_new), "≤ 130"),
        ("… after a start with a live model", _memory(found.memory_started), "≤ 130"),
        ("… after all these commands and trainings", _memory(found.memory_used), "≤ 130"),
        ("SIGTERM to exit, idle, s (median, most)", _span(found.stop_idle_seconds, 2), "≤ 10"),
        ("SIGTERM to exit, while training, s (median, most)", _span(found.stop_training_seconds, 2), "≤ 10"),
    ]
    lines = ["| What | Reached | Aim |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows), ""]
    lines += ["| Reply, ms | replies | p50 | p99 | max | p99 ÷ idle p99 | Aim |", "|---|---|---|---|---|---|---|"]
    for command in COMMANDS:
        idle, beside = _together(found.idle, command), _together(found.training, command)
        calm, busy = times(idle), times(beside)
        lines.append(f"| /{command}, idle | {len(idle)} | {calm['p50']} | {calm['p99']} | {calm['max']} | – | – |")
        lines.append(
            f"| /{command}, while training | {len(beside)} | {busy['p50']} | {busy['p99']} | {busy['max']} | "
            f"{busy['p99'] / calm['p99']:.2f} | ≤ 2, p99 < 500 |"
        )
    return lines


def _together(blocks: list[Replies], command: str) -> list[float]:
    return [milliseconds for block in blocks for milliseconds in block[command]]


def _span(seconds: list[float], digits: int) -> str:
    return f"{np.median(seconds):.{digits}f}, {max(seconds):.{digits}f}"


def _memory(memory: dict[str, float]) -> str:
    return f"{memory['rss']:.0f} ({memory['pss']:.0f})" if "pss" in memory else f"{memory['rss']:.0f}"


def hardware() -> dict[str, object]:
    info = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--each", type=int, default=400, metavar="N", help="at least so many replies of each command")
    parser.add_argument("--restarts", type=int, default=5, metavar="N")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    found = asyncio.run(measure(options.members, options.seed, options.each, options.restarts))
    machine = hardware()
    lines = [
        "# Memory, start, replies",
        "",
        f"Measured on {machine['date']} on {machine['cores']} cores ({machine['processor']}), "
        f"Python {machine['python']}; a community of {found.members} members; {len(found.training)} training runs of "
        f"{np.median(found.training_seconds):.0f} s (median), idle in between. Other processes took "
        f"{np.mean(found.others_idle):.0%} of the machine while idle was measured, and "
        f"{np.mean(found.others_training):.0%} while trainings were.",
        "A reply's time is from dispatch to its final content. The sandbox's servers share the machine with the bot.",
        "Written by `python -m benchmarks.latency`; every measurement stands in latency.json.",
        "",
        *table(found),
    ]
    text = "\n".join(lines) + "\n"
    (HERE / "latency.md").write_text(text, "utf-8")
    raw = {"hardware": machine, "measured": asdict(found)}
    (HERE / "latency.json").write_text(json.dumps(_rounded(raw)) + "\n", "utf-8")
    print(text)


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
