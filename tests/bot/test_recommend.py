"""The list of a member: from their history as it is now, with and without a model; without one, what to do next."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from bot.clock import utc_now
from bot.services.content import LOOK_AGAIN_SECONDS, ContentStore
from bot.services.feedback import FeedbackService
from bot.services.progress import Progress
from bot.services.recommend import Basis, RecommendService
from bot.services.status import Next, StatusService
from bot.storage.history import history_of
from bot.storage.schema import account, audio_features, interaction, listing, member, track
from specrec.interactions import Kind
from specrec.serving import Recommendation
from tests.bot.connecting import unconnected
from tests.bot.shelf import NOW, give, make_local, stock

ADA, BEN, CLEO = "1001", "1002", "1003"


class NoModel:
    async def live(self):
        return None


class Syncs:
    """Whether a sync of anybody is under way."""

    def __init__(self, running=False):
        self._running = running

    def under_way(self, account_id):
        return Progress() if self._running else None


IDLE = Syncs()


class FixedModel:
    """A live version that lists what it is told to, and remembers what it was asked."""

    def __init__(self, *track_ids, known=None, unheard=()):
        self.track_ids = track_ids
        self.unheard = unheard
        self.known = known
        self.asked = []

    async def live(self):
        return self

    def knows(self, track_id):
        return track_id == self.known

    def recommend(self, history, *, top=10, kind="mix", per_artist=2, explore=0):
        self.asked.append((list(history), top, kind))
        return [
            Recommendation(rank, track_id, 0.5, False, "why not", track_id in self.unheard[:explore])
            for rank, track_id in enumerate(self.track_ids[:top], 1)
        ]


@pytest.fixture
async def keys(database):
    return await stock(database)


@pytest.fixture
def feedback(database):
    return FeedbackService(database, lambda: NOW)


@pytest.fixture
def make(database, feedback):
    def service(models=None, syncs=IDLE, seconds=lambda: 0.0):
        return RecommendService(
            database,
            models or NoModel(),
            ContentStore(database, seconds),
            feedback,
            StatusService(database, syncs, unconnected(database, utc_now)),
        )

    return service


def genres(tracks):
    return {line.title.split()[0] for line in tracks.lines}


@pytest.mark.parametrize("kind", ["mix", "new", "familiar"])
async def test_before_any_model_the_taste_profile_answers(make, database, keys, kind):
    await give(database, ADA, keys["doom"][:12])
    tracks = await make().recommend(ADA, kind)
    assert tracks.basis is Basis.TASTE
    assert genres(tracks) == {"doom"}
    known = [line.known for line in tracks.lines]
    assert known == [line.track_id in keys["doom"][:12] for line in tracks.lines]
    if kind == "mix":
        assert len(known) == 10
        assert 1 <= sum(known) <= 4
    else:
        assert set(known) == {kind == "familiar"}
    assert [line.rank for line in tracks.lines] == list(range(1, len(known) + 1))
    for line in tracks.lines:
        assert 0 < line.match <= 1
        assert line.reason
        assert line.artists[0].startswith("doom band")
        assert line.spotify_id.startswith("doom")


async def test_members_of_different_taste_get_different_lists(make, database, keys):
    await give(database, ADA, keys["doom"][:8])
    await give(database, BEN, keys["disco"][:8])
    service = make()
    of_ada, of_ben = await asyncio.gather(service.recommend(ADA), service.recommend(BEN))
    assert not {line.track_id for line in of_ada.lines} & {line.track_id for line in of_ben.lines}


async def test_a_dislike_is_gone_from_the_very_next_list_and_its_undo_brings_it_back(make, database, feedback, keys):
    await give(database, ADA, keys["doom"][:12])
    service = make()
    first = await service.recommend(ADA, "new")
    change = await feedback.toggle(ADA, first.lines[0].track_id, "disliked")
    second = await service.recommend(ADA, "new")
    assert first.lines[0].track_id not in [line.track_id for line in second.lines]
    await feedback.restore(ADA, change.track_id, change.before)
    assert await service.recommend(ADA, "new") == first


async def test_what_is_known_is_no_longer_new(make, database, feedback, keys):
    await give(database, ADA, keys["doom"][:12])
    service = make()
    first = (await service.recommend(ADA, "new")).lines[0]
    await feedback.toggle(ADA, first.track_id, "known")
    assert first.track_id not in [line.track_id for line in (await service.recommend(ADA, "new")).lines]


async def test_likes_alone_make_a_taste(make, feedback, keys):
    for track_id in keys["disco"][:3]:
        await feedback.toggle(ADA, track_id, "liked")
    tracks = await make().recommend(ADA)
    assert tracks.basis is Basis.TASTE
    assert genres(tracks) == {"disco"}
    known = next(line for line in tracks.lines if line.known)
    assert known.track_id in keys["disco"][:3]
    assert tracks.given[known.track_id] == {Kind.LIKED}


async def test_a_live_model_is_asked_with_the_whole_history_as_it_is_now(make, database, feedback, keys):
    await give(database, ADA, keys["doom"][:2])
    await give(database, ADA, keys["doom"][:1], "playlist")
    await feedback.toggle(ADA, keys["disco"][0], "disliked")
    model = FixedModel(*keys["disco"][1:8], known=keys["doom"][0])
    tracks = await make(model).recommend(ADA, "new")
    assert tracks.basis is Basis.MODEL
    assert [line.track_id for line in tracks.lines] == keys["disco"][1:8]
    ((history, top, kind),) = model.asked
    assert (top, kind) == (10, "new")
    assert sorted((item.track_id, item.kind, item.count) for item in history) == sorted(
        [
            (keys["doom"][0], Kind.SAVED, 1),
            (keys["doom"][1], Kind.SAVED, 1),
            (keys["doom"][0], Kind.PLAYLIST, 1),
            (keys["disco"][0], Kind.DISLIKED, 1),
        ]
    )
    assert [item.track_id for item in history if item.track is None] == [keys["doom"][0]] * 2
    disliked = next(item for item in history if item.kind is Kind.DISLIKED)
    assert disliked.timestamp == NOW
    assert (disliked.track.title, disliked.track.artists) == ("disco 0", ("disco band 0",))
    assert disliked.track.features[8] == pytest.approx(120, rel=0.06)


async def test_a_track_that_the_model_knows_and_the_catalogue_does_not_is_left_out(make, database, keys):
    await give(database, ADA, keys["doom"][:3])
    model = FixedModel(*keys["disco"][:5])
    async with database.write() as connection:
        await connection.execute(delete(track).where(track.c.id == int(keys["disco"][1])))
    tracks = await make(model).recommend(ADA)
    assert [line.title for line in tracks.lines] == ["disco 0", "disco 2", "disco 3", "disco 4"]
    assert [line.rank for line in tracks.lines] == [1, 2, 3, 4]


async def test_the_taste_profile_sees_a_grown_catalogue_after_a_moment(make, database, keys):
    await give(database, ADA, keys["doom"][:8])
    now = 0.0
    service = make(seconds=lambda: now)
    before = await service.recommend(ADA, "new")
    gone = before.lines[0].track_id
    async with database.write() as connection:
        await connection.execute(delete(track).where(track.c.id == int(gone)))
    assert len((await service.recommend(ADA, "new")).lines) == 9  # the old reading still names it
    now += LOOK_AGAIN_SECONDS
    after = await service.recommend(ADA, "new")
    assert len(after.lines) == 10
    assert gone not in [line.track_id for line in after.lines]


async def test_tracks_without_known_features_give_no_list_yet(make, database, keys):
    await give(database, ADA, keys["doom"][:3])
    async with database.write() as connection:
        await connection.execute(delete(audio_features))
    tracks = await make().recommend(ADA)
    assert (tracks.lines, tracks.basis, tracks.next) == ((), Basis.TASTE, None)
    assert (tracks.history, tracks.heard) == (3, 0)


async def test_a_newcomer_gets_what_most_members_have_one_track_an_artist(make, database, keys):
    await give(database, BEN, [*keys["doom"][4:8], *keys["disco"]])
    await give(database, CLEO, keys["doom"][5:6])
    tracks = await make().recommend(ADA)
    assert (tracks.basis, tracks.next) == (Basis.START, Next.LINK)
    assert tracks.lines[0].track_id == keys["doom"][5]
    artists = [line.artists for line in tracks.lines]
    assert len(artists) == len(set(artists)) == 10
    assert {line.match for line in tracks.lines} == {None}


async def test_a_first_list_has_neither_local_files_nor_what_is_disliked(make, database, keys):
    await give(database, BEN, [keys["doom"][0], *keys["disco"][:2]])
    await give(database, CLEO, keys["doom"][4:5], "disliked")
    await make_local(database, keys["disco"][0], "a tape of mine")
    tracks = await make().recommend(ADA)
    assert [line.track_id for line in tracks.lines] == [keys["doom"][0], keys["disco"][1]]


async def test_a_local_file_is_never_listed_for_others(make, database, keys):
    """Even where it is known how it sounds, and nothing is nearer to somebody's taste."""
    mine, theirs = keys["doom"][0], keys["doom"][1]
    await make_local(database, mine, "a tape of mine")
    await give(database, ADA, [mine, theirs])
    await give(database, BEN, [theirs])
    of_mine, of_theirs = (audio_features.c.track_id == int(key) for key in (mine, theirs))
    async with database.write() as connection:
        row = (await connection.execute(select(audio_features).where(of_theirs))).one()
        same = dict(row._mapping) | {"track_id": int(mine)}
        await connection.execute(update(audio_features).where(of_mine).values(same))
    lines = (await make().recommend(BEN, "new")).lines
    assert len(lines) == 10
    assert mine not in [line.track_id for line in lines]


async def test_a_newcomer_is_not_asked_twice_about_the_same_track(make, database, feedback, keys):
    await give(database, BEN, keys["doom"])
    service = make()
    first = await service.recommend(ADA)
    await feedback.toggle(ADA, first.lines[0].track_id, "disliked")
    again = await service.recommend(ADA)
    assert again.basis is Basis.START
    assert first.lines[0].track_id not in [line.track_id for line in again.lines]


@pytest.mark.parametrize(
    ("linked", "running", "step"),
    [
        (None, False, Next.LINK),
        ({"status": "linked"}, True, Next.WAIT),
        ({"status": "linked"}, False, Next.SYNC),
        ({"status": "linked", "last_synced_at": NOW}, False, Next.LISTEN),
        ({"status": "needs_reconnect", "last_synced_at": NOW}, False, Next.RECONNECT),
    ],
)
async def test_without_tracks_the_next_depends_on_the_link(make, database, linked, running, step):
    if linked:
        async with database.write() as connection:
            await connection.execute(insert(member), [{"id": 1, "discord_id": ADA, "created_at": NOW}])
            row = {"member_id": 1, "source": "spotify", "external_id": "x", "user_id": "x"}
            await connection.execute(insert(account), [row | {"authorised_at": NOW, "linked_at": NOW} | linked])
    tracks = await make(syncs=Syncs(running)).recommend(ADA)
    assert (tracks.lines, tracks.next) == ((), step)


async def test_a_host_without_spotify_sends_nobody_to_link(make):
    assert (await make(syncs=None).recommend(ADA)).next is Next.IMPORT


async def test_a_history_sums_the_listings_and_keeps_the_latest_date(database, keys):
    await give(database, ADA, keys["doom"][:1])
    async with database.write() as connection:
        await connection.execute(insert(listing), [{"member_id": 1, "source": "spotify", "key": "playlist:2"}])
        second = await connection.scalar(select(listing.c.id).where(listing.c.key == "playlist:2"))
        later = NOW + timedelta(days=2)
        await connection.execute(
            insert(interaction),
            [
                {
                    "member_id": 1,
                    "track_id": int(keys["doom"][0]),
                    "listing_id": second,
                    "kind": "saved",
                    "source": "spotify",
                    "count": 4,
                    "occurred_at": later,
                    "first_seen": NOW,
                    "last_seen": NOW,
                }
            ],
        )
    async with database.read() as connection:
        (row,) = await history_of(connection, ADA)
        assert await history_of(connection, BEN) == []
    assert (row.track_id, row.kind, row.count, row.occurred_at) == (keys["doom"][0], "saved", 5, later)


async def test_what_is_new_to_everybody_is_asked_for_and_checked(database, keys, feedback):
    """The version was trained when nobody had the two tracks; meanwhile somebody likes one of them."""
    await give(database, ADA, keys["doom"][:3])
    taken, fresh = keys["disco"][:2]
    await feedback.toggle("77", taken, "liked")
    model = FixedModel(*keys["doom"][3:6], taken, fresh, unheard=(taken, fresh))
    for explore, marked in ((0, []), (2, [fresh])):
        service = RecommendService(
            database,
            model,
            ContentStore(database),
            feedback,
            StatusService(database, IDLE, unconnected(database, utc_now)),
            explore,
        )
        tracks = await service.recommend(ADA)
        assert [line.track_id for line in tracks.lines if line.unheard] == marked
