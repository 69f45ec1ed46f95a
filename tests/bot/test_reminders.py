"""Consents end after six months: agreed to, told in time, once each, and stopped with a button."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from bot.errors import NeedsReconnectError
from bot.replies.privacy import overview_page
from bot.services.privacy import PrivacyService
from bot.services.reminders import Delivery, ReminderService
from bot.spotify.oauth import consent_ends
from bot.storage.schema import account
from sandbox.accounts_server import six_months_after
from sandbox.browser import Browser
from tests.bot.linking import linking


@dataclass
class Mail:
    """Stands where Discord's direct messages are."""

    sent: list[tuple[str, datetime]] = field(default_factory=list)
    broke: list[str] = field(default_factory=list)
    delivery: Delivery = Delivery.SENT

    async def remind(self, discord_id: str, ends_at: datetime) -> Delivery:
        self.sent.append((discord_id, ends_at))
        return self.delivery

    async def lost(self, discord_id: str) -> Delivery:
        self.broke.append(discord_id)
        return self.delivery


@pytest.fixture
async def house(database):
    async with linking(database) as house:
        house.spotify.add_user("ada", "Ada")
        yield house


@pytest.fixture
def mail():
    return Mail()


async def link(house, remind="yes"):
    async with Browser() as browser:
        page = await browser.open(await house.offer())
        assert "30 and 7 days before" in page.text
        page = await browser.submit(page, remind=remind)
        page = await browser.submit(page, user="ada", decision="agree")
        assert page.status == 200
    await house.followed_up()


async def live_through(house, service, days):
    """A look every day; returns the days on which something was sent."""
    mailed = []
    for day in range(days):
        before = len(service._messages.sent)
        await service.send_due()
        if len(service._messages.sent) > before:
            mailed.append(day)
        house.clock.turn(days=1)
    return mailed


async def test_thirty_and_seven_days_before_once_each(house, mail):
    await link(house)
    ends = consent_ends(house.clock.now)
    whole = (ends - house.clock.now).days
    mailed = await live_through(house, ReminderService(house.database, mail, house.clock), whole + 30)
    assert mailed == [whole - 30, whole - 7]
    assert mail.sent == [("100", ends)] * 2


@pytest.mark.parametrize("remind", ["yes", None])
async def test_what_was_agreed_to_stands_among_what_is_held(house, remind):
    await link(house, remind)
    privacy = PrivacyService(house.database, [], timedelta(days=5), house.clock)
    shown = str(overview_page(await privacy.overview("100")).to_dict())
    assert ("with your agreement to be told" in shown) is (remind == "yes")


async def test_nobody_is_told_who_did_not_agree(house, mail):
    await link(house, remind=None)
    house.clock.turn(days=170)
    assert await live_through(house, ReminderService(house.database, mail, house.clock), 20) == []


async def test_the_stop_button_stops_them_until_the_next_link(house, mail):
    service = ReminderService(house.database, mail, house.clock)
    await link(house)
    house.clock.turn(days=155)
    await service.send_due()
    await service.stop("100")
    house.clock.turn(days=20)
    await service.send_due()
    assert len(mail.sent) == 1
    await link(house)
    whole = (consent_ends(house.clock.now) - house.clock.now).days
    assert await live_through(house, service, 200) == [whole - 30, whole - 7]


async def test_reconnecting_begins_anew(house, mail):
    service = ReminderService(house.database, mail, house.clock)
    await link(house)
    house.clock.turn(days=178)
    await service.send_due()
    await link(house)
    await service.send_due()
    assert len(mail.sent) == 1
    async with house.database.read() as connection:
        row = (await connection.execute(select(account))).one()
    assert (row.authorised_at, row.reminded_days) == (house.clock.now, None)


async def test_whoever_takes_no_messages_is_not_tried_again_and_an_outage_is(house, mail):
    service = ReminderService(house.database, mail, house.clock)
    await link(house)
    house.clock.turn(days=160)
    mail.delivery = Delivery.AWAY
    await service.send_due()
    await service.send_due()
    assert len(mail.sent) == 2
    mail.delivery = Delivery.CLOSED
    await service.send_due()
    await service.send_due()
    assert len(mail.sent) == 3


async def test_a_bot_that_was_away_says_the_last_word_only(house, mail):
    await link(house)
    house.clock.turn(days=178)
    service = ReminderService(house.database, mail, house.clock)
    await service.send_due()
    await service.send_due()
    house.clock.turn(days=30)
    await service.send_due()  # it has ended: /status and /sync say what to do
    assert len(mail.sent) == 1


async def test_a_link_that_broke_is_told_once_and_a_day_later(house, mail):
    """So late that one which was given up wrongly has come back by itself."""
    service = ReminderService(house.database, mail, house.clock)
    await link(house)
    house.clock.turn(days=40)
    house.spotify.users["ada"].revoke()
    with pytest.raises(NeedsReconnectError):
        await house.tokens.token(1)
    await service.tell_lost()
    assert mail.broke == []
    house.clock.turn(days=1)
    mail.delivery = Delivery.AWAY
    assert await service.tell_lost() is False
    mail.delivery = Delivery.SENT
    for _ in range(3):
        assert await service.tell_lost() is True
        house.clock.turn(days=1)
    assert mail.broke == ["100", "100"]  # the first did not go out
    assert await service.send_due() is True
    assert mail.sent == []
    await link(house)
    house.clock.turn(days=155)
    await service.send_due()
    assert len(mail.sent) == 1


@pytest.mark.parametrize("remind", ["yes", None])
async def test_whom_nothing_is_told_of_a_broken_link(house, mail, remind):
    """Whoever did not agree; and whose six months are over, which they were told before."""
    await link(house, remind)
    house.clock.turn(days=190 if remind else 40)
    house.spotify.users["ada"].revoke()
    with pytest.raises(NeedsReconnectError):
        await house.tokens.token(1)
    house.clock.turn(days=2)
    await ReminderService(house.database, mail, house.clock).tell_lost()
    assert mail.broke == []


@pytest.mark.parametrize(
    "given",
    [datetime.fromisoformat(f"{day}T23:59:00Z") for day in ("2026-08-31", "2027-08-29", "2026-01-01", "2026-12-31")],
)
def test_six_months_as_spotify_counts_them(given):
    assert consent_ends(given) == six_months_after(given)
    assert timedelta(days=180) < consent_ends(given) - given < timedelta(days=185)
