"""Linking in a real browser: forms, cookies, redirects and the content policy as Chromium understands them.

SCREENSHOTS=FOLDER keeps a picture of every page.
"""

import os
import shutil
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from bot.link_pages import WORDS
from bot.services.link import Outcome
from tests.bot.linking import linking

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the PATH"),
]
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def house(database):
    async with linking(database) as house:
        for user in ("ada", "ben"):
            house.spotify.add_user(user, user.title())
        yield house


@pytest.fixture
async def chromium():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        await browser.close()


@pytest.fixture
async def visit(chromium):
    """A person with a browser of their own; whatever the page complains about fails the test."""
    complaints, contexts = [], []

    async def open_one(**options):
        context = await chromium.new_context(viewport=PHONE, **options)
        contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if "Policy" in message.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        await context.close()
    assert complaints == []


async def picture(page, name):
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def to_spotify(page, url):
    await page.goto(url)
    await page.get_by_role("button", name="Continue to Spotify").click()
    await page.get_by_role("button", name="Agree").wait_for()


async def decide(page, user, decision="Agree"):
    if decision == "Agree":
        await page.get_by_label(user, exact=True).check()
    await page.get_by_role("button", name=decision).click()


async def shows(page, outcome):
    """The heading; and that nothing is wider than a phone."""
    await page.get_by_role("heading", name=WORDS[outcome].title).wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    await picture(page, outcome)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_whole_way(house, visit, scheme):
    page = await visit(color_scheme=scheme, java_script_enabled=scheme == "light")
    await page.goto(await house.offer(name="Ada Lovelace (@ada)", guild="The Analytical Engine"))
    assert await page.get_by_text("Ada Lovelace (@ada)").is_visible()
    assert await page.get_by_text("The Analytical Engine").is_visible()
    await picture(page, f"link-{scheme}")
    await page.get_by_role("button", name="Continue to Spotify").click()
    await decide(page, "Ada")
    await page.get_by_role("heading", name=WORDS[Outcome.LINKED].title).wait_for()
    await picture(page, f"linked-{scheme}")
    await house.followed_up()
    assert len(house.linked) == 1


async def test_the_style_is_applied(house, visit):
    """The content policy names our one style sheet; a policy that did not fit would leave the page bare."""
    page = await visit()
    await page.goto(await house.offer())
    radius = await page.evaluate("getComputedStyle(document.querySelector('button')).borderRadius")
    assert radius == "32px"


async def test_a_forwarded_link_in_a_second_browser(house, visit):
    first, second = await visit(), await visit()
    url = await house.offer()
    await second.goto(url)
    assert await second.get_by_text("Not you? Then close this page.").is_visible()
    await to_spotify(first, url)
    await second.get_by_role("button", name="Continue to Spotify").click()
    await shows(second, Outcome.OTHER_BROWSER)
    await second.goto(url)
    await shows(second, Outcome.OTHER_BROWSER)
    await decide(first, "Ada")
    await shows(first, Outcome.LINKED)


async def test_a_consent_page_passed_on_to_a_second_browser(house, visit):
    first, second = await visit(), await visit()
    await to_spotify(first, await house.offer())
    await second.goto(first.url)
    await decide(second, "Ben")
    await shows(second, Outcome.OTHER_BROWSER)
    await decide(first, "Ada")
    await shows(first, Outcome.LINKED)


async def test_a_double_click_on_continue(house, visit):
    page = await visit()
    await page.goto(await house.offer())
    await page.get_by_role("button", name="Continue to Spotify").dblclick()
    await page.get_by_role("button", name="Agree").wait_for()
    await decide(page, "Ada")
    await shows(page, Outcome.LINKED)


async def test_back_to_the_link_and_continue_again(house, visit):
    page = await visit()
    url = await house.offer()
    await to_spotify(page, url)
    await page.go_back()
    await page.get_by_role("button", name="Continue to Spotify").click()
    await decide(page, "Ada")
    await shows(page, Outcome.LINKED)
    await page.reload()
    await shows(page, Outcome.USED)


async def test_cancelled_then_down_then_linked(house, visit):
    page = await visit()
    url = await house.offer()
    await to_spotify(page, url)
    await decide(page, "Ada", "Cancel")
    await shows(page, Outcome.CANCELLED)
    house.spotify.accounts.fail_next("/api/token", 503)
    await to_spotify(page, url)
    await decide(page, "Ada")
    await shows(page, Outcome.UNAVAILABLE)
    await to_spotify(page, url)
    await decide(page, "Ada")
    await shows(page, Outcome.LINKED)


async def test_refusals(house, visit):
    page, other = await visit(), await visit()
    house.spotify.allow_list("ben")
    url = await house.offer()
    await to_spotify(page, url)
    await decide(page, "Ada")
    await shows(page, Outcome.NOT_REGISTERED)
    await to_spotify(page, url)
    await decide(page, "Ben")
    await shows(page, Outcome.LINKED)
    await to_spotify(other, await house.offer("200", "Eve"))
    await decide(other, "Ben")
    await shows(other, Outcome.TAKEN)
    house.spotify.allow_list("ada", "ben")
    await to_spotify(page, await house.offer())
    await decide(page, "Ada")
    await shows(page, Outcome.ANOTHER_LINKED)
    old = await house.offer()
    late = await house.offer()
    await page.goto(old)
    await shows(page, Outcome.REPLACED)
    house.clock.turn(minutes=10)
    await page.goto(late)
    await shows(page, Outcome.EXPIRED)
    await page.goto(late + "x")
    await shows(page, Outcome.UNKNOWN)
