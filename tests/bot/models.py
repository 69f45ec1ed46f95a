"""A real, tiny model version, trained once for all tests by the real worker, and services around it."""

import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.jobs.process import WORKER, ProcessExecutor
from bot.model_store import ModelStore
from bot.services.model import Limits, ModelService
from bot.sources import Source
from bot.storage.database import Database
from tests.bot.shelf import give, stock

REPORT: dict[str, Any] = {
    "finite": True,
    "members": 5,
    "tracks": 80,
    "interactions": 150,
    "interactions_held_out": 30,
    "members_measured": 5,
    "lists": 5,
    "distinct_top_tens": 5,
    "mean_jaccard": 0.2,
    "inter_member_distance": 0.8,
    "coverage": 0.4,
    "spread": 0.2,
    "ndcg_at_10": {"model": 0.3, "popularity": 0.1},
    "recall_at_10": {"model": 0.25, "popularity": 0.1},
    "difference": {"mean": 0.2, "standard_error": 0.05},
    "live": None,
    "beside_live": None,
}


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **length: float) -> None:
        self.time += timedelta(**length)


async def community(database: Database, members: int = 8, tracks: int = 25, seed: int = 3) -> dict[str, list[str]]:
    """Half of the members like doom, half disco; members are called 100, 101, … Returns the tracks by genre."""
    chance = random.Random(seed)
    keys = await stock(database)
    for number in range(members):
        genre = ("doom", "disco")[number % 2]
        await give(database, str(100 + number), chance.sample(keys[genre], tracks))
    return keys


def service(
    database: Database,
    folder: Path,
    worker: Sequence[str] = WORKER,
    *,
    clock: Any = None,
    cooldown: float = 0,
    timeout: float = 600,
    home: str | None = None,
    sources: Sequence[Source] = tuple(Source),
    half_life: float | None = None,
) -> tuple[ModelService, ModelStore]:
    """Not opened yet; `cooldown` and `timeout` in seconds, `half_life` in days."""
    clock = clock or Now()
    store = ModelStore(database, folder / "models", clock)
    limits = Limits(sources, timedelta(seconds=cooldown), timedelta(seconds=timeout), home, half_life_days=half_life)
    return ModelService(database, store, ProcessExecutor(worker), limits, clock), store


TRAIN = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from specrec.checkpoint import write_version
from specrec.fitting import Schedule
from specrec.tables import read_interactions, read_tracks
from specrec.training import TrainingOptions, train
folder = Path(sys.argv[1])
short = Schedule(max_steps=20, check_every=20, compatibility_steps=20, sound_steps=20)
trained = train(
    read_interactions(folder / "interactions.csv").interactions,
    read_tracks(folder / "tracks.csv"),
    options=TrainingOptions(device="cpu", threads=1, schedule=short),
)
now = datetime(2026, 1, 1, tzinfo=timezone.utc)
write_version(folder / "versions", trained.model.catalogue, trained.model.arrays, trained.report, now)
"""


def train_once(folder: Path) -> Path:
    """A version trained on two members of six tracks each; its directory. In a process that is not niced as the bot's
    own is: a busy machine would let it wait for minutes."""
    lines = [f"{member},{member}{track},saved" for member in (1, 2) for track in range(6)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,track_id,kind", *lines]) + "\n")
    tracks = [f"{member}{track},0.{member}" for member in (1, 2) for track in range(6)]
    (folder / "tracks.csv").write_text("\n".join(["track_id,energy", *tracks]) + "\n")
    subprocess.run([sys.executable, "-c", TRAIN, folder], check=True)
    (version,) = (folder / "versions").iterdir()
    return version
