"""The upload page in a real browser: choosing, dropping, reloading, and losing the connection.

SCREENSHOTS=FOLDER keeps a picture of every page.
"""

import json

import pytest

from bot.services.upload import Outcome
from bot.upload_pages import WORDS
from tests.bot.exports import AUDIO, as_json, episode, extended, play
from tests.bot.test_link_browser import CHROMIUM, chromium, picture, visit
from tests.bot.uploading import docking

__all__ = ["chromium", "visit"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the PATH"),
]
ZIP = "application/zip"


@pytest.fixture
async def dock(database, tmp_path):
    async with docking(database, tmp_path / "incoming") as dock:
        yield dock


def large(plays):
    """20 kB each, so that it takes several pieces."""
    return b"[" + b",".join(json.dumps(play(number, padding="x" * 20_000)).encode() for number in range(plays)) + b"]"


async def choose(page, *files):
    await page.locator("#choose").set_input_files(
        [{"name": name, "mimeType": ZIP, "buffer": content} for name, content in files]
    )


async def fits(page):
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def summed_up(page, title):
    await page.get_by_role("heading", name=title).wait_for(timeout=90_000)  # others use the machine too
    await fits(page)
    return await page.locator("#sum").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_an_export_is_chosen_and_imported(dock, visit, scheme):
    page = await visit(color_scheme=scheme)
    await page.goto(await dock.offer(name="Ada Lovelace (@ada)", guild="The Analytical Engine"))
    assert await page.get_by_text("Ada Lovelace (@ada)").is_visible()
    await fits(page)
    await picture(page, f"import-{scheme}")
    rows = [*(play(number) for number in range(40)), play(50, ms_played=9, reason_end="fwdbtn"), episode()]
    await choose(page, ("my_spotify_data.zip", extended(*rows)), ("holiday.zip", b"PK\x03\x04 no archive"))
    text = await summed_up(page, "A part of your history is imported")
    assert "40 new plays and saved tracks" in text
    assert "left out: 1 play shorter than 30 seconds" in text
    assert "left out: 1 podcast, audiobook or video" in text
    assert await page.get_by_text("It is cut short or damaged.").is_visible()
    await picture(page, f"imported-{scheme}")
    await page.reload()
    assert text == await summed_up(page, "A part of your history is imported")
    await choose(page, ("my_spotify_data.zip", extended(*rows)))
    await page.get_by_text("was there already").first.wait_for()


async def test_files_are_dropped(dock, visit):
    page = await visit()
    await page.goto(await dock.offer())
    transfer = await page.evaluate_handle(
        """([name, text]) => {
            const data = new DataTransfer();
            data.items.add(new File([text], name, {type: "application/json"}));
            return data;
        }""",
        [AUDIO, as_json([play(1), play(2)]).decode()],
    )
    await page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    assert "over" in await page.locator("#drop").get_attribute("class")
    await page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    assert "2 new plays" in await summed_up(page, "Your history is imported")


async def test_a_reload_in_the_middle_goes_on_where_it_ended(dock, visit):
    page = await visit()
    await page.goto(await dock.offer())
    content, sent = large(240), []

    async def stop_after_three(route):
        sent.append(route.request.url)
        await (route.continue_() if len(sent) <= 3 else route.abort())

    await page.route("**/files/*", stop_after_three)
    await choose(page, (AUDIO, content))
    await page.get_by_text("The connection was lost. It goes on by itself when it is back.").wait_for()
    await picture(page, "import-lost")
    await page.reload()
    await page.get_by_text("choose it again to go on").wait_for()
    await page.unroute("**/files/*")
    await picture(page, "import-broken-off")
    seen = []
    page.on("request", lambda request: seen.append(request.url) if request.method == "PUT" else None)
    await choose(page, (AUDIO, content))
    assert "240 new plays" in await summed_up(page, "Your history is imported")
    assert seen[0].endswith("?from=3000000")


async def test_a_lost_connection_goes_on_by_itself(dock, visit):
    page = await visit()
    await page.goto(await dock.offer())
    sent = []

    async def lose_the_third(route):
        sent.append(route.request.url)
        await (route.abort() if len(sent) == 3 else route.continue_())

    await page.route("**/files/*", lose_the_third)
    await choose(page, (AUDIO, large(200)))
    assert "200 new plays" in await summed_up(page, "Your history is imported")
    assert sent[2] == sent[3]


async def test_nothing_imported_is_not_called_done(dock, visit):
    page = await visit()
    await page.goto(await dock.offer())
    await choose(page, ("notes.txt", b"hello"), (AUDIO, as_json([episode()])))
    text = await summed_up(page, "Nothing was imported")
    assert "left out: 1 podcast" in text
    assert "The lines above say why" in text
    assert await page.get_by_text("It is not one of the files of Spotify's export").is_visible()
    await picture(page, "import-nothing")


async def test_other_browsers_and_old_pages(dock, visit):
    first, second = await visit(), await visit()
    url = await dock.offer()
    await second.goto(url)
    await first.goto(url)
    await choose(first, (AUDIO, as_json([play(1)])))
    await summed_up(first, "Your history is imported")
    await choose(second, (AUDIO, as_json([play(2)])))
    await second.get_by_text(WORDS[Outcome.OTHER_BROWSER].title).wait_for()
    assert not await second.locator("#drop").is_visible()
    await second.goto(url)
    await second.get_by_role("heading", name=WORDS[Outcome.OTHER_BROWSER].title).wait_for()
    await picture(second, "import-other-browser")
    await dock.offer()
    await first.goto(url)
    await first.get_by_role("heading", name=WORDS[Outcome.REPLACED].title).wait_for()


async def test_without_scripts_another_way_is_named(dock, visit):
    page = await visit(java_script_enabled=False)
    await page.goto(await dock.offer())
    assert "This page needs JavaScript." in await page.locator("main").inner_text()
    assert not await page.locator("#drop").is_visible()
    await picture(page, "import-no-script")
