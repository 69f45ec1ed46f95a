"""Likes, dislikes and "I know it": what stands after any row of choices, and what is undone."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from bot.errors import MemberError
from bot.services.feedback import FEEDBACK_KINDS, FeedbackService, Given, toggled
from bot.storage.schema import interaction, listing, member, track
from specrec.interactions import Kind
from tests.bot.shelf import NOW, give, stock

ADA = "1001"


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def service(database, clock):
    return FeedbackService(database, clock)


@pytest.fixture
async def keys(database):
    return (await stock(database, per_genre=4))["doom"]


async def test_somebody_who_never_linked_becomes_a_member_with_their_first_like(service, database, keys):
    change = await service.toggle(ADA, keys[0], "liked")
    assert (change.title, change.before, change.now) == ("doom 0", frozenset(), {Kind.LIKED})
    async with database.read() as connection:
        assert (await connection.scalars(select(member.c.discord_id))).all() == [ADA]
        rows = await connection.execute(
            select(interaction.c.source, interaction.c.kind, listing.c.key, interaction.c.occurred_at).join(
                listing, listing.c.id == interaction.c.listing_id
            )
        )
        assert rows.all() == [("discord", "liked", "feedback", NOW)]


async def test_choosing_the_same_again_takes_it_back(service, keys):
    await service.toggle(ADA, keys[0], "known")
    change = await service.toggle(ADA, keys[0], "known")
    assert (change.before, change.now) == ({Kind.KNOWN}, frozenset())
    assert await service.given(ADA, keys) == {}


async def test_a_dislike_replaces_a_like_and_its_undo_brings_the_like_back(service, keys):
    await service.toggle(ADA, keys[0], "known")
    await service.toggle(ADA, keys[0], "liked")
    change = await service.toggle(ADA, keys[0], "disliked")
    assert change.now == {Kind.DISLIKED, Kind.KNOWN}
    for _ in range(2):  # pressed twice does no harm
        await service.restore(ADA, keys[0], change.before)
        assert await service.given(ADA, keys) == {keys[0]: {Kind.LIKED, Kind.KNOWN}}


async def test_what_stood_before_keeps_its_date(service, database, keys, clock):
    await service.toggle(ADA, keys[0], "liked")
    clock.now += timedelta(days=1)
    await service.toggle(ADA, keys[0], "known")
    async with database.read() as connection:
        rows = await connection.execute(select(interaction.c.kind, interaction.c.occurred_at))
        assert dict(list(rows)) == {"liked": NOW, "known": NOW + timedelta(days=1)}


async def test_feedback_is_a_members_own_and_leaves_other_sources_alone(service, database, keys):
    await give(database, ADA, keys[:2])
    await service.toggle(ADA, keys[0], "disliked")
    await service.toggle("1002", keys[0], "liked")
    await service.restore(ADA, keys[0], frozenset())
    assert await service.given("1002", keys) == {keys[0]: {Kind.LIKED}}
    async with database.read() as connection:
        saved = select(interaction.c.track_id).where(interaction.c.kind == "saved")
        assert {str(key) for key in await connection.scalars(saved)} == set(keys[:2])


async def test_a_track_that_is_gone_is_refused_in_a_sentence_and_leaves_nothing(service, database, keys):
    async with database.write() as connection:
        await connection.execute(delete(track).where(track.c.id == int(keys[0])))
    with pytest.raises(MemberError, match="not in the catalogue any more"):
        await service.toggle(ADA, keys[0], "liked")
    async with database.read() as connection:
        assert (await connection.execute(select(member))).all() == []


@given(st.lists(st.sampled_from(FEEDBACK_KINDS), max_size=12))
def test_liked_and_disliked_never_stand_together(choices):
    now: Given = frozenset()
    for kind in choices:
        before, now = now, toggled(now, kind)
        assert (kind in now) is (kind not in before)
        assert not {Kind.LIKED, Kind.DISLIKED} <= now
        assert (Kind.KNOWN in now) is ((Kind.KNOWN in before) is not (kind is Kind.KNOWN))
