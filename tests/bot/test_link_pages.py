"""Every way through the linking pages, over sockets, with the sandbox's Spotify at the other end."""

import asyncio
import hashlib
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from sqlalchemy import select

from bot.link_pages import WORDS
from bot.page import Pages
from bot.services.link import LIFE, LinkService, Outcome
from bot.services.link_message import LinkStep
from bot.services.unlink import UnlinkService
from bot.sources import Source
from bot.spotify.oauth import SCOPES
from bot.storage.schema import account, interaction, link_request, listing, member, track
from sandbox.browser import Browser
from tests.bot.linking import consent, everything_on_disk, linking, walk


@pytest.fixture
async def house(database):
    async with linking(database) as house:
        for user in ("ada", "ben"):
            house.spotify.add_user(user, user.title())
        yield house


@pytest.fixture
async def browser():
    async with Browser() as browser:
        yield browser


async def accounts(house):
    async with house.database.read() as connection:
        return (await connection.execute(select(account).order_by(account.c.id))).all()


async def stages(house):
    async with house.database.read() as connection:
        return list(await connection.scalars(select(link_request.c.stage).order_by(link_request.c.id)))


def said(page, outcome):
    """The page is this outcome's, with its status."""
    assert (page.heading, page.status) == (WORDS[outcome].title, WORDS[outcome].status)
    return True


async def test_from_the_link_to_the_account(house, browser):
    url = await house.offer()
    await house.service.sent(1, "7", "8")
    page = await browser.open(url)
    assert "Ada (@ada)" in page.text
    assert "Home" in page.text
    page = await browser.submit(page)
    assert urlsplit(page.url).netloc == urlsplit(house.spotify.accounts_url).netloc
    asked = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    assert asked["scope"].split() == list(SCOPES)
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 43
    page = await browser.submit(page, user="ada", decision="agree")
    assert said(page, Outcome.LINKED)
    assert "Ada" in page.text

    (row,) = await accounts(house)
    me = house.spotify.users["ada"]
    assert (row.source, row.user_id, row.status, row.display_name) == ("spotify", "ada", "linked", "Ada")
    assert row.external_id == me.account_id != me.id
    assert row.authorised_at == row.linked_at == house.clock.now
    assert row.token_expires_at == house.clock.now + timedelta(hours=1)
    assert sorted(row.scope.split()) == sorted(SCOPES)
    assert await stages(house) == ["done"]
    await house.followed_up()
    assert [(event.discord_id, event.member_id, event.account_id) for event in house.linked] == [("100", 1, row.id)]
    ((channel, message, news),) = house.shown.edits
    assert (channel, message, news.step, news.spotify_name) == ("7", "8", LinkStep.COLLECTING, "Ada")


async def test_nothing_secret_lies_readable_in_the_database(house, browser, caplog):
    caplog.set_level("DEBUG")
    url = await house.offer()
    page = await consent(browser, url)
    state = parse_qs(urlsplit(page.url).query)["state"][0]
    cookie = next(iter(browser._session.cookie_jar)).value
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.LINKED)
    tokens = [*house.spotify.accounts._access_tokens, *house.spotify.accounts._refresh_tokens]
    assert len(tokens) == 2
    assert await house.tokens.token(1) == tokens[0]
    token = url.rsplit("/", 1)[1]
    kept, logged = everything_on_disk(house.database), caplog.text
    for secret in (*tokens, token, state, cookie):
        assert secret.encode() not in kept
        assert secret not in logged
        if secret not in tokens:
            assert hashlib.sha256(secret.encode()).hexdigest().encode() in kept


async def test_looking_changes_nothing(house, browser):
    url = await house.offer()
    async with Browser() as crawler:
        for _ in range(3):
            assert (await crawler.open(url)).status == 200
    assert await stages(house) == ["sent"]
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


async def test_pages_are_not_framed_cached_or_referred_and_escape_names(house):
    url = await house.offer(name="<b>Ada</b> & co", guild="<script>alert(1)</script>")
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        text = await response.text()
        cookie = response.headers["Set-Cookie"]
        headers = response.headers
    assert "&lt;b&gt;Ada&lt;/b&gt; &amp; co" in text
    assert "<script" not in text
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert re.search(r"default-src 'none'; style-src 'sha256-[^']+='", headers["Content-Security-Policy"])
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # plain http on the loopback address


def test_https_gets_a_cookie_that_only_this_host_can_set():
    pages = Pages("https://bot.example/specrec", "link", LIFE)
    response = pages.remember(aiohttp.web.Response(), "x" * 43)
    assert response.cookies["__Host-link"].OutputString().endswith("Path=/; SameSite=Lax; Secure")


async def test_asked_for_in_a_direct_message(house, browser):
    page = await browser.open(await house.offer(guild=None))
    assert "a direct message" in page.text


async def test_cancelled_and_then_linked_through_the_same_link(house, browser):
    url = await house.offer()
    page = await walk(browser, url, "ada", "cancel")
    assert said(page, Outcome.CANCELLED)
    assert "another 10 minutes" in page.text
    assert await stages(house) == ["cancelled"]
    assert await accounts(house) == []
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


async def test_a_link_lives_ten_minutes(house, browser):
    url = await house.offer()
    house.clock.turn(minutes=9, seconds=59)
    page = await browser.open(url)
    assert page.status == 200
    house.clock.turn(seconds=1)
    assert said(await browser.open(url), Outcome.EXPIRED)
    assert said(await browser.submit(page), Outcome.EXPIRED)
    assert await stages(house) == ["sent"]


async def test_a_state_lives_ten_minutes(house, browser):
    page = await consent(browser, await house.offer())
    house.spotify.accounts.code_life = timedelta(hours=1)
    house.clock.turn(minutes=10)
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.EXPIRED)
    assert await accounts(house) == []
    assert house.spotify.accounts.count("/api/token") == 0


async def test_a_code_that_is_too_old_for_spotify(house, browser):
    url = await house.offer()
    page = await consent(browser, url)
    house.spotify.accounts.code_life = timedelta(0)
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.STALE)
    house.spotify.accounts.code_life = timedelta(minutes=1)
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


async def test_an_answer_counts_once(house, browser):
    url = await house.offer()
    page = await walk(browser, url, "ada")
    assert said(await browser.open(page.url), Outcome.USED)
    assert said(await browser.open(url), Outcome.USED)
    assert len(await accounts(house)) == 1


async def test_two_callbacks_with_one_state_at_once(house, browser):
    page = await consent(browser, await house.offer())
    hold = house.spotify.accounts.hold("/api/token")
    form = page.forms[0]
    answer = {**form.fields, "user": "ada", "decision": "agree"}
    async with browser._session.post(
        f"{house.spotify.accounts_url}/authorize", data=answer, allow_redirects=False
    ) as back:
        callback = back.headers["Location"]
    first = asyncio.create_task(browser.open(callback))
    await hold.arrived.wait()
    assert said(await browser.open(callback), Outcome.USED)
    hold.release()
    assert said(await first, Outcome.LINKED)
    assert house.spotify.accounts.count("/api/token") == 1


async def test_many_callbacks_at_once_have_one_winner(house, browser):
    page = await consent(browser, await house.offer())
    answer = {**page.forms[0].fields, "user": "ada", "decision": "agree"}
    async with browser._session.post(
        f"{house.spotify.accounts_url}/authorize", data=answer, allow_redirects=False
    ) as back:
        callback = back.headers["Location"]
    pages = await asyncio.gather(*(browser.open(callback) for _ in range(8)))
    assert sorted(page.status for page in pages) == [200] + [409] * 7
    assert house.spotify.accounts.count("/api/token") == 1
    await house.followed_up()
    assert len(house.linked) == 1


async def test_two_clicks_in_one_browser_go_on_with_the_newer(house, browser):
    url = await house.offer()
    page = await browser.open(url)
    first, second = await browser.submit(page), await browser.submit(page)
    assert first.url != second.url
    assert said(await browser.submit(first, user="ada", decision="agree"), Outcome.UNKNOWN)
    assert said(await browser.submit(second, user="ada", decision="agree"), Outcome.LINKED)


async def test_two_continues_at_the_same_moment_in_one_browser(house, browser):
    page = await browser.open(await house.offer())
    both = await asyncio.gather(browser.submit(page), browser.submit(page))
    ends = [await browser.submit(one, user="ada", decision="agree") for one in both]
    assert sorted(end.status for end in ends) == [200, 404]


async def test_two_browsers_at_the_same_moment_have_one_winner(house, browser):
    url = await house.offer()
    async with Browser() as other:
        pages = await asyncio.gather(browser.open(url), other.open(url))
        ends = await asyncio.gather(browser.submit(pages[0]), other.submit(pages[1]))
    assert sorted(end.status for end in ends) == [200, 403]


async def test_forwarded_after_the_first_browser_started(house, browser):
    url = await house.offer()
    await consent(browser, url)
    async with Browser() as stranger:
        page = await stranger.open(url)
        assert said(page, Outcome.OTHER_BROWSER)
        assert "Ada" not in page.text
        async with stranger._session.post(url) as response:
            assert response.status == 403
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


async def test_forwarded_before_says_whose_account_it_is(house, browser):
    url = await house.offer()
    async with Browser() as stranger:
        page = await stranger.open(url)
        assert "Ada (@ada)" in page.text
        assert "Not you? Then close this page" in page.text


async def test_an_answer_in_another_browser_links_nothing_and_ends_nothing(house, browser):
    page = await consent(browser, await house.offer())
    answer = {**page.forms[0].fields, "user": "ben", "decision": "agree"}
    async with browser._session.post(
        f"{house.spotify.accounts_url}/authorize", data=answer, allow_redirects=False
    ) as back:
        callback = back.headers["Location"]
    async with Browser() as stranger:
        assert said(await stranger.open(callback), Outcome.OTHER_BROWSER)
        await stranger.open(await house.offer("200", "Eve"))  # with a cookie of its own
        assert said(await stranger.open(callback), Outcome.OTHER_BROWSER)
    assert await accounts(house) == []
    assert said(await browser.open(callback), Outcome.LINKED)


async def test_a_newer_link_replaces_the_older(house, browser):
    old = await house.offer()
    page = await consent(browser, old)
    new = await house.offer()
    other = await house.offer("200", "Ben")
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.REPLACED)
    assert said(await browser.open(old), Outcome.REPLACED)
    assert await accounts(house) == []
    assert said(await walk(browser, new, "ada"), Outcome.LINKED)
    assert (await browser.open(other)).status == 200


async def test_replaced_while_the_code_is_redeemed(house, browser):
    page = await consent(browser, await house.offer())
    hold = house.spotify.accounts.hold("/api/token")
    end = asyncio.create_task(browser.submit(page, user="ada", decision="agree"))
    await hold.arrived.wait()
    new = await house.offer()
    hold.release()
    assert said(await end, Outcome.REPLACED)
    assert await accounts(house) == []
    assert said(await walk(browser, new, "ada"), Outcome.LINKED)


@pytest.mark.parametrize("fault", ["token 503", "token gone", "token nonsense", "me 500", "me 429"])
async def test_spotify_is_down_and_the_same_link_works_later(house, browser, fault):
    url = await house.offer()
    accounts_service, api = house.spotify.accounts, house.spotify
    match fault:
        case "token 503":
            accounts_service.fail_next("/api/token", 503, body="<h1>Service Unavailable</h1>")
        case "token gone":
            accounts_service.disconnect("/api/token", 1)
        case "token nonsense":
            accounts_service.fail_next("/api/token", 200, body="<h1>Welcome</h1>")
        case "me 500":
            api.fail_next("/me", 500, None)
        case "me 429":
            api.fail_next("/me", 429, retry_after=3600)
    page = await walk(browser, url, "ada")
    assert said(page, Outcome.UNAVAILABLE)
    assert "another 10 minutes" in page.text
    assert await accounts(house) == []
    api.clear_faults()
    house.clock.turn(minutes=3)
    if fault == "me 429":
        house.clock.turn(minutes=60)
        url = await house.offer()
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("temporarily_unavailable", Outcome.UNAVAILABLE),
        ("server_error", Outcome.UNAVAILABLE),
        ("invalid_scope", Outcome.REFUSED),
    ],
)
async def test_spotify_sends_an_error_back(house, browser, error, outcome):
    page = await consent(browser, await house.offer())
    state = page.forms[0].fields["state"]
    callback = page.forms[0].fields["redirect_uri"]
    assert said(await browser.open(f"{callback}?error={error}&state={state}"), outcome)
    assert await stages(house) == ["failed"]


async def test_the_host_has_a_wrong_secret(house, browser, caplog):
    house.spotify.accounts._client_secret = "another"
    assert said(await walk(browser, await house.offer(), "ada"), Outcome.REFUSED)
    assert "SPOTIFY_CLIENT_SECRET" in caplog.text
    assert house.spotify.client_secret not in caplog.text


@pytest.mark.parametrize("plain_text", [False, True])
async def test_an_account_that_the_host_has_not_registered(house, browser, plain_text):
    house.spotify.allow_list("ben", plain_text=plain_text)
    url = await house.offer()
    assert said(await walk(browser, url, "ada"), Outcome.NOT_REGISTERED)
    assert await accounts(house) == []
    house.spotify.allow_list("ada", "ben")
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


async def test_the_first_member_keeps_an_account(house, browser):
    assert said(await walk(browser, await house.offer("100", "Ada"), "ada"), Outcome.LINKED)
    before = await accounts(house)
    async with Browser() as other:
        url = await house.offer("200", "Ben")
        assert said(await walk(other, url, "ada"), Outcome.TAKEN)
        assert await accounts(house) == before
        async with house.database.read() as connection:
            assert list(await connection.scalars(select(member.c.discord_id))) == ["100"]
        assert said(await walk(other, url, "ben"), Outcome.LINKED)


async def test_another_spotify_account_needs_unlink_first(house, browser):
    await walk(browser, await house.offer(), "ada")
    before = await accounts(house)
    assert said(await walk(browser, await house.offer(), "ben"), Outcome.ANOTHER_LINKED)
    assert await accounts(house) == before
    await UnlinkService(house.database, timedelta(days=5), house.clock).unlink("100")
    assert said(await walk(browser, await house.offer(), "ben"), Outcome.LINKED)


async def test_linking_again_renews_the_tokens_and_keeps_everything(house, browser):
    await walk(browser, await house.offer(), "ada")
    now = house.clock.now
    async with house.database.write() as connection:
        await connection.execute(track.insert().values(id=1, title="a", source="spotify", updated_at=now))
        await connection.execute(listing.insert().values(id=1, member_id=1, source=Source.SPOTIFY, key="saved"))
        seen = {"first_seen": now, "last_seen": now, "count": 1, "kind": "saved", "source": Source.SPOTIFY}
        await connection.execute(interaction.insert().values(member_id=1, track_id=1, listing_id=1, **seen))
        await connection.execute(account.update().values(status="needs_reconnect", last_synced_at=now))
    house.clock.turn(days=30)
    (before,) = await accounts(house)
    assert (await house.service.start("100", "Ada", "Home")).linked_as == "Ada"
    assert said(await walk(browser, await house.offer(), "ada"), Outcome.LINKED)
    (after,) = await accounts(house)
    assert (after.id, after.linked_at, after.last_synced_at, after.status) == (before.id, now, now, "linked")
    assert after.authorised_at == house.clock.now
    assert after.refresh_token != before.refresh_token
    async with house.database.read() as connection:
        assert len((await connection.execute(select(interaction))).all()) == 1


async def test_an_account_linked_by_id_is_known_again_by_account_id(house, browser):
    await walk(browser, await house.offer(), "ada")
    async with house.database.write() as connection:  # as an app saw it before account ids came
        await connection.execute(account.update().values(external_id="ada"))
    async with Browser() as other:
        assert said(await walk(other, await house.offer("200", "Ben"), "ada"), Outcome.TAKEN)
    assert said(await walk(browser, await house.offer(), "ada"), Outcome.LINKED)
    assert [row.external_id for row in await accounts(house)] == [house.spotify.users["ada"].account_id]


async def test_what_was_never_given_out(house, browser):
    callback = f"{house.service._public_url}/spotify/callback"
    for address in (f"{house.service._public_url}/link/{'x' * 43}", f"{callback}?state=x&code=y", callback):
        assert said(await browser.open(address), Outcome.UNKNOWN)
    page = await consent(browser, await house.offer())
    state = page.forms[0].fields["state"]
    assert said(await browser.open(f"{callback}?state={state}"), Outcome.UNKNOWN)
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.LINKED)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Origin": "null"}, 303),
        ({}, 303),
    ],
)
async def test_continue_counts_on_our_own_page_only(house, headers, status):
    url = await house.offer()
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, headers=headers, allow_redirects=False) as response,
    ):
        assert response.status == status
    assert await stages(house) == ["consent" if status == 303 else "sent"]


async def test_unlink_ends_a_link_under_way(house, browser):
    await walk(browser, await house.offer(), "ada")
    page = await consent(browser, await house.offer())
    await UnlinkService(house.database, timedelta(days=5), house.clock).unlink("100")
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.UNKNOWN)
    assert await accounts(house) == []


async def test_killed_while_the_code_was_redeemed(house, browser):
    """The same link starts again: nothing waits for a redeeming that nobody does any more."""
    url = await house.offer()
    page = await consent(browser, url)
    async with house.database.write() as connection:
        await connection.execute(link_request.update().values(stage="exchange"))
    assert said(await browser.submit(page, user="ada", decision="agree"), Outcome.USED)
    assert said(await walk(browser, url, "ada"), Outcome.LINKED)


async def test_old_requests_are_purged(house):
    await house.offer()
    house.clock.turn(days=1, seconds=1)
    await house.offer("200", "Ben")
    assert len(await stages(house)) == 1


async def test_a_failure_on_our_side_has_a_code_and_no_details(house, browser, caplog, monkeypatch):
    url = await house.offer()

    async def fail(*_):
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(LinkService, "look", fail)
    page = await browser.open(url)
    assert page.status == 500
    assert "secret" not in page.text
    code = re.search(r"[0-9A-F]{6}", page.text)
    assert code is not None
    assert f"[{code[0]}]" in caplog.text


def test_every_outcome_has_its_words():
    assert set(WORDS) == set(Outcome) - {Outcome.READY}
