"""Spotify serves few accounts: how many seats are used, and what members and host read when there is none."""

from datetime import timedelta

import pytest

from bot.errors import NoSeatError
from bot.services.host import HostNotice, Seats, Trouble
from bot.services.link import Outcome
from bot.services.progress import Stage
from bot.services.unlink import UnlinkService
from sandbox.browser import Browser
from tests.bot.collecting import collecting
from tests.bot.linking import linking, walk
from tests.bot.test_link_pages import said


@pytest.fixture
async def house(database):
    """Two seats."""
    async with linking(database, seats=2) as house:
        for user in ("ada", "ben", "cid"):
            house.spotify.add_user(user, user.title())
        yield house


async def link(house, discord_id, user):
    async with Browser() as browser:
        page = await walk(browser, await house.offer(discord_id, user.title()), user)
    await house.followed_up()
    return page


async def test_seats_are_counted_and_a_full_house_says_so_before_anybody_goes_to_spotify(house):
    assert (await house.service.start("1", "Ada", None)).seats == Seats(0, 2)
    await link(house, "1", "ada")
    await link(house, "2", "ben")
    with pytest.raises(NoSeatError, match=r"All 2 seats .* `/import` and `/connect`"):
        await house.service.start("3", "Cid", None)
    offer = await house.service.start("1", "Ada", None)  # whoever has a seat may renew
    assert (offer.seats, offer.linked_as) == (Seats(2, 2), "Ada")
    await UnlinkService(house.database, timedelta(days=5), house.clock).unlink("2")
    assert (await house.service.start("3", "Cid", None)).seats == Seats(1, 2)


async def test_a_lost_link_keeps_its_seat(house):
    await link(house, "1", "ada")
    house.spotify.users["ada"].revoke()
    house.clock.turn(hours=2)
    with pytest.raises(Exception, match="invalid_grant"):
        await house.tokens.token(1)
    assert (await house.service.start("2", "Ben", None)).seats == Seats(1, 2)


async def test_without_the_setting_nothing_is_counted(database):
    async with linking(database) as house:
        assert (await house.service.start("1", "Ada", None)).seats is None


@pytest.mark.parametrize("plain_text", [False, True])
async def test_a_member_who_is_not_registered_and_the_host_both_hear_of_it(house, plain_text):
    house.spotify.allow_list("ben", plain_text=plain_text)
    page = await link(house, "1", "ada")
    assert said(page, Outcome.NOT_REGISTERED)
    assert "/import" in page.text
    assert "/connect" in page.text
    assert house.told.notices == [HostNotice(Trouble.NOT_REGISTERED, "1", Seats(0, 2))]
    await link(house, "1", "ada")
    assert len(house.told.notices) == 1  # the same thing is told once a day
    house.clock.turn(days=1)
    await link(house, "1", "ada")
    await link(house, "3", "cid")
    assert [notice.discord_id for notice in house.told.notices] == ["1", "1", "3"]


async def test_an_owner_without_premium_is_not_the_members_fault(house):
    house.spotify.owner_has_premium = False
    assert said(await link(house, "1", "ada"), Outcome.NO_PREMIUM)
    await link(house, "2", "ben")
    assert [notice.trouble for notice in house.told.notices] == [Trouble.NO_PREMIUM]


async def test_a_sync_of_somebody_who_was_taken_off_the_list(database):
    async with collecting(database) as desk:
        ada = desk.spotify.add_user("ada", "Ada")
        await desk.link(ada)
        desk.spotify.allow_list("ben")
        progress = await desk.sync("ada")
        assert progress.stage is Stage.STOPPED
        assert "ask the host to add you" in progress.reason
        assert desk.told.notices == [HostNotice(Trouble.NOT_REGISTERED, "ada")]
        desk.spotify.allow_list("ada")
        desk.spotify.owner_has_premium = False
        progress = await desk.sync("ada")
        assert "the host has to renew that" in progress.reason
        assert [notice.trouble for notice in desk.told.notices] == [Trouble.NOT_REGISTERED, Trouble.NO_PREMIUM]


async def test_the_first_keeps_a_spotify_account_until_they_unlink(house):
    await link(house, "1", "ada")
    assert said(await link(house, "2", "ada"), Outcome.TAKEN)
    await UnlinkService(house.database, timedelta(days=5), house.clock).unlink("1")
    assert said(await link(house, "2", "ada"), Outcome.LINKED)


async def test_an_account_that_had_no_account_id_before_is_the_same_account(house):
    house.spotify.sends_account_ids = False
    assert said(await link(house, "1", "ada"), Outcome.LINKED)
    house.spotify.sends_account_ids = True
    assert said(await link(house, "2", "ada"), Outcome.TAKEN)
    assert said(await link(house, "1", "ada"), Outcome.LINKED)
    offer = await house.service.start("2", "Ben", None)
    assert offer.seats == Seats(1, 2)
