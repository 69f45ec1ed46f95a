"""Tokens at rest and in use: renewed early, once at a time, sealed with the newest key, and lost in plain sight."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.errors import NeedsReconnectError, SpotifyError, UnavailableError
from bot.services.unlink import UnlinkService
from bot.spotify.vault import Vault
from bot.storage.schema import account
from sandbox.browser import Browser
from tests.bot.linking import NEW_KEY, OLD_KEY, linking, walk


@pytest.fixture
async def house(database):
    """Ada is linked."""
    async with linking(database) as house:
        house.spotify.add_user("ada", "Ada")
        await link(house)
        yield house


async def link(house):
    async with Browser() as browser:
        page = await walk(browser, await house.offer(), "ada")
        assert page.status == 200, page.heading
    await house.followed_up()
    house.spotify.accounts.requests.clear()


def refreshes(house):
    return house.spotify.accounts.count("/api/token")


async def row(database):
    async with database.read() as connection:
        return (await connection.execute(select(account))).one()


async def works(house, token):
    """Spotify takes this token."""
    found = house.spotify.accounts.access_token(token)
    return found is not None and not found.grant.revoked and found.expires_at > house.clock.now


async def test_a_good_token_is_handed_out_without_a_call(house):
    token = await house.tokens.token(1)
    assert await works(house, token)
    house.clock.turn(minutes=58, seconds=59)
    assert await house.tokens.token(1) == token
    assert refreshes(house) == 0


async def test_renewed_a_minute_before_it_ends(house):
    token = await house.tokens.token(1)
    house.clock.turn(minutes=59)
    newer = await house.tokens.token(1)
    assert newer != token
    assert await works(house, newer)
    stored = await row(house.database)
    assert stored.token_expires_at == house.clock.now + timedelta(hours=1)
    assert Vault([OLD_KEY]).open(stored.access_token) == newer
    assert await house.tokens.token(1) == newer
    assert refreshes(house) == 1


async def test_many_at_once_are_one_renewal(house):
    house.clock.turn(hours=2)
    hold = house.spotify.accounts.hold("/api/token")
    asking = [asyncio.create_task(house.tokens.token(1)) for _ in range(10)]
    await hold.arrived.wait()
    asking += [asyncio.create_task(house.tokens.renewed(1, "a refused one")) for _ in range(5)]
    await asyncio.sleep(0.05)
    hold.release()
    assert len(set(await asyncio.gather(*asking))) == 1
    assert refreshes(house) == 1
    await asyncio.sleep(0)
    assert house.tokens._renewals == {}


async def test_the_old_refresh_token_stays_when_none_comes(house):
    vault = Vault([OLD_KEY])
    before = vault.open((await row(house.database)).refresh_token)
    house.clock.turn(hours=2)
    await house.tokens.token(1)
    assert vault.open((await row(house.database)).refresh_token) == before


async def test_a_rotated_refresh_token_takes_the_old_one_s_place(house):
    house.spotify.accounts.rotate_refresh_tokens = True
    vault = Vault([OLD_KEY])
    seen = {vault.open((await row(house.database)).refresh_token)}
    for _ in range(3):
        house.clock.turn(hours=2)
        assert await works(house, await house.tokens.token(1))
        seen.add(vault.open((await row(house.database)).refresh_token))
    assert len(seen) == 4


async def test_a_rotation_is_stored_even_if_nobody_waits_for_it_any_more(house):
    house.spotify.accounts.rotate_refresh_tokens = True
    house.clock.turn(hours=2)
    hold = house.spotify.accounts.hold("/api/token")
    asking = asyncio.create_task(house.tokens.token(1))
    await hold.arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    hold.release()
    await house.tokens.close()
    assert await works(house, await house.tokens.token(1))
    assert refreshes(house) == 1


async def test_a_refused_token_is_renewed_before_its_time(house):
    token = await house.tokens.token(1)
    house.spotify.expire_access_tokens()
    newer = await house.tokens.renewed(1, token)
    assert newer != token
    assert await works(house, newer)
    assert await house.tokens.renewed(1, token) == newer  # a second caller, late, with the same refused one
    assert refreshes(house) == 1


async def test_a_revoked_consent_is_marked_and_nothing_is_deleted(house):
    before = await row(house.database)
    house.spotify.users["ada"].revoke()
    house.clock.turn(hours=2)
    with pytest.raises(NeedsReconnectError):
        await house.tokens.token(1)
    stored = await row(house.database)
    marked = {"status": "needs_reconnect", "refused_at": house.clock.now}
    assert dict(stored._mapping) == dict(before._mapping) | marked
    with pytest.raises(NeedsReconnectError):
        await house.tokens.token(1)
    assert refreshes(house) == 1  # it is not asked again
    await link(house)
    assert await works(house, await house.tokens.token(1))


async def test_six_months_after_consent(house):
    house.clock.turn(days=190)
    with pytest.raises(NeedsReconnectError):
        await house.tokens.token(1)
    assert (await row(house.database)).status == "needs_reconnect"


@pytest.mark.parametrize("fault", [500, 503, 429, "gone"])
async def test_an_outage_loses_nothing(house, fault):
    before = await row(house.database)
    house.clock.turn(hours=2)
    if fault == "gone":
        house.spotify.accounts.disconnect("/api/token", 1)
    else:
        house.spotify.accounts.fail_next("/api/token", fault)
    with pytest.raises(UnavailableError):
        await house.tokens.token(1)
    assert await row(house.database) == before
    assert await works(house, await house.tokens.token(1))


async def test_a_wrong_secret_is_the_hosts_matter_and_loses_nothing(house):
    before = await row(house.database)
    house.clock.turn(hours=2)
    house.spotify.accounts._client_secret = "another"
    with pytest.raises(SpotifyError) as refused:
        await house.tokens.token(1)
    assert not isinstance(refused.value, NeedsReconnectError)
    assert await row(house.database) == before


async def test_linked_anew_while_the_old_consent_is_refused(house):
    """The renewal of the old token must not end the new consent."""
    grant = house.spotify.users["ada"].grants[0]
    house.clock.turn(hours=2)
    hold = house.spotify.accounts.hold("/api/token")
    asking = asyncio.create_task(house.tokens.token(1))
    await hold.arrived.wait()
    grant.revoked = True
    fresh = house.spotify.accounts.issue(house.spotify.users["ada"])
    vault = Vault([OLD_KEY])
    async with house.database.write() as connection:
        await connection.execute(
            update(account).values(
                access_token=vault.seal(fresh["access_token"]),
                refresh_token=vault.seal(fresh["refresh_token"]),
                token_expires_at=house.clock.now + timedelta(hours=1),
            )
        )
    hold.release()
    assert await asking == fresh["access_token"]
    assert (await row(house.database)).status == "linked"


async def test_unlinked_while_a_token_is_renewed(house):
    house.clock.turn(hours=2)
    hold = house.spotify.accounts.hold("/api/token")
    asking = asyncio.create_task(house.tokens.token(1))
    await hold.arrived.wait()
    await UnlinkService(house.database, timedelta(days=5), house.clock).unlink("100")
    hold.release()
    with pytest.raises(NeedsReconnectError):
        await asking
    async with house.database.read() as connection:
        assert (await connection.execute(select(account))).all() == []


async def test_a_new_key_seals_anew_what_is_used(database, house):
    old = await row(database)
    async with linking(database, (NEW_KEY, OLD_KEY)) as rotated:
        rotated.clock.now = house.clock.now
        token = await rotated.tokens.token(1)
    new = await row(database)
    only_new = Vault([NEW_KEY])
    assert only_new.open(new.access_token) == token
    assert only_new.open(new.refresh_token) == Vault([OLD_KEY]).open(old.refresh_token)
    async with linking(database, (NEW_KEY,)) as later:
        later.clock.now = house.clock.now
        assert await later.tokens.token(1) == token


async def test_tokens_that_no_key_opens(database, house):
    async with linking(database, (NEW_KEY,)) as other:
        other.clock.now = house.clock.now
        with pytest.raises(NeedsReconnectError):
            await other.tokens.token(1)
        assert (await row(database)).status == "needs_reconnect"
        assert refreshes(other) == 0
        await other.tokens.open()
        assert (await row(database)).status == "needs_reconnect"


@pytest.mark.parametrize("hours", [0, 2])
async def test_the_missing_key_put_back_opens_them_again(database, house, hours):
    before = await row(database)
    async with linking(database, (NEW_KEY,)) as other:
        other.clock.now = house.clock.now + timedelta(hours=hours)
        with pytest.raises(NeedsReconnectError):
            await other.tokens.token(1)
    lost = await row(database)
    assert dict(lost._mapping) | {"status": "linked"} == dict(before._mapping)
    house.clock.turn(hours=hours)
    await house.tokens.open()  # as at the next start, with the old key
    assert (await row(database)).status == "linked"
    assert await works(house, await house.tokens.token(1))


async def test_a_revoked_consent_does_not_come_back_by_itself(house):
    house.spotify.users["ada"].revoke()
    house.clock.turn(hours=2)
    with pytest.raises(NeedsReconnectError):
        await house.tokens.token(1)
    await house.tokens.open()
    assert (await row(house.database)).status == "needs_reconnect"


async def test_expired_tokens_that_no_key_opens(database, house):
    async with linking(database, (NEW_KEY,)) as other:
        other.clock.now = house.clock.now + timedelta(hours=2)
        with pytest.raises(NeedsReconnectError):
            await other.tokens.token(1)
        assert (await row(database)).status == "needs_reconnect"
