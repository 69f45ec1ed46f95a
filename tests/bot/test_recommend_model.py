"""The list of a member from a real version: trained on what stands in a database, served from its files."""

import asyncio
import random
import shutil

import pytest

from bot.clock import utc_now
from bot.services.content import ContentStore
from bot.services.feedback import FeedbackService
from bot.services.recommend import Basis, RecommendService
from bot.services.snapshot import write_snapshot
from bot.services.status import Next, StatusService
from bot.sources import Source
from bot.storage.database import Database
from bot.storage.migrate import migrate
from specrec.serving import ServedModel
from tests.bot.connecting import unconnected
from tests.bot.shelf import NOW, give, stock

NEWCOMER = "2001"
TRAINED = {"doom": ["1001", "1002", "1003", "1004"], "disco": ["1011", "1012", "1013", "1014"]}


class Live:
    def __init__(self, model):
        self._model = model

    async def live(self):
        return self._model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A database with eight members of two tastes, and the version trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    chance = random.Random(5)

    async def fill():
        database = Database(f"sqlite+aiosqlite:///{folder}/specrec.db")
        await migrate(database, utc_now)
        keys = await stock(database)
        for genre, members in TRAINED.items():
            for discord_id in members:
                await give(database, discord_id, sorted(chance.sample(keys[genre][:32], 16)))
        await write_snapshot(database, [Source.SPOTIFY], folder / "interactions.csv", folder / "tracks.csv")
        await give(database, NEWCOMER, keys["disco"][4:9])
        await database.close()
        return keys

    keys = asyncio.run(fill())
    from specrec.training import train_version  # torch: only where it is needed

    version = train_version(
        folder / "interactions.csv", folder / "tracks.csv", folder, now=NOW, seed=3, device="cpu", threads=1
    )
    return folder / "specrec.db", keys, ServedModel.open(version.path)


@pytest.fixture
async def world(trained, tmp_path):
    """A copy of the database, its keys by genre, the service on the live version, and what takes feedback."""
    path, keys, model = trained
    shutil.copy(path, tmp_path / "specrec.db")
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/specrec.db")
    feedback = FeedbackService(database, lambda: NOW)
    status = StatusService(database, None, unconnected(database, utc_now))
    yield database, keys, RecommendService(database, Live(model), ContentStore(database), feedback, status), feedback
    await database.close()


def genre_share(tracks, genre):
    return sum(line.title.startswith(genre) for line in tracks.lines) / len(tracks.lines)


async def test_members_get_their_own_ten(world):
    _, _, service, _ = world
    for genre, members in TRAINED.items():
        for discord_id in members:
            tracks = await service.recommend(discord_id)
            assert (tracks.basis, len(tracks.lines)) == (Basis.MODEL, 10)
            assert genre_share(tracks, genre) == 1
            assert 1 <= sum(line.known for line in tracks.lines) <= 4
            assert all(line.reason and 0 <= line.match <= 1 for line in tracks.lines)


async def test_a_member_whom_the_model_has_not_seen_is_served_the_same_way(world):
    _, keys, service, _ = world
    tracks = await service.recommend(NEWCOMER, "new")
    assert (tracks.basis, len(tracks.lines)) == (Basis.MODEL, 10)
    assert genre_share(tracks, "disco") == 1
    assert not {line.track_id for line in tracks.lines} & set(keys["disco"][4:9])
    assert genre_share(await service.recommend(NEWCOMER, "familiar"), "disco") == 1


async def test_a_like_of_a_second_ago_counts_without_any_training(world):
    _, keys, service, feedback = world
    before = await service.recommend(NEWCOMER, "new")
    for track_id in keys["doom"][:8]:
        await feedback.toggle(NEWCOMER, track_id, "liked")
    assert genre_share(before, "doom") == 0
    assert genre_share(await service.recommend(NEWCOMER, "new"), "doom") > 0
    for track_id in keys["doom"][:8]:
        await feedback.toggle(NEWCOMER, track_id, "liked")
    assert await service.recommend(NEWCOMER, "new") == before


async def test_somebody_who_only_likes_gets_a_list_from_the_model(world):
    _, _, service, feedback = world
    somebody = "3001"
    first = await service.recommend(somebody)
    assert (first.basis, first.next) == (Basis.START, Next.IMPORT)
    liked = [line.track_id for line in first.lines if line.title.startswith("doom")]
    for track_id in liked:
        await feedback.toggle(somebody, track_id, "liked")
    tracks = await service.recommend(somebody)
    assert tracks.basis is Basis.MODEL
    assert genre_share(tracks, "doom") >= 0.9
    await feedback.toggle(somebody, liked[0], "disliked")
    assert liked[0] not in [line.track_id for line in (await service.recommend(somebody)).lines]


async def test_tracks_that_came_after_the_training_count_by_their_sound(world):
    database, _, service, _ = world
    fresh = await stock(database, per_genre=8, prefix="late")
    somebody = "3002"
    await give(database, somebody, fresh["disco"])
    tracks = await service.recommend(somebody, "new")
    assert tracks.basis is Basis.MODEL
    assert genre_share(tracks, "disco") >= 0.9
    assert all("late disco" in line.reason for line in tracks.lines[:1])
