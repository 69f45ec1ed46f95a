"""The upload page over sockets: whose it is, files in pieces, interruptions, refusals, and what becomes of them."""

import asyncio
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot.services.importing import FILE_LIMIT, FILES_LIMIT
from bot.services.upload import Outcome
from bot.storage.accounts import erase_source
from bot.storage.members import ensure_member
from bot.storage.schema import interaction, listen, member, upload_request
from bot.upload_pages import WORDS
from tests.bot.exports import AUDIO, as_json, extended, play
from tests.bot.linking import everything_on_disk
from tests.bot.ports import free_port
from tests.bot.uploading import Sender, docking

EXPORT = extended(*(play(number) for number in range(1, 41)))


@pytest.fixture
async def dock(database, tmp_path):
    async with docking(database, tmp_path / "incoming") as dock:
        yield dock


async def until(sender, holds):
    """The progress, once that holds of it."""
    async with asyncio.timeout(20):
        while True:
            state = await sender.progress()
            if holds(state):
                return state
            await asyncio.sleep(0.02)


async def ended(sender):
    return await until(sender, lambda state: state["over"])


async def count(dock, column):
    async with dock.database.read() as connection:
        return await connection.scalar(select(func.count(column)))


def said(answer, outcome):
    status, body = answer
    text = body if isinstance(body, str) else body["message"]
    return status == WORDS[outcome].status and WORDS[outcome].title in text.replace("&#39;", "'")


async def test_a_file_in_pieces_is_imported(dock):
    async with Sender(await dock.offer()) as ada:
        status, page = await ada.open()
        assert status == 200
        assert "Ada (@ada)" in page
        assert "Home" in page
        assert (await ada.progress())["files"] == []
        await ada.send("my_spotify_data.zip", EXPORT, piece=500)
        state = await ended(ada)
        (file,) = state["files"]
        assert (file["name"], file["stage"], file["new"]) == ("my_spotify_data.zip", "done", 40)
        assert (state["new"], state["already_there"], state["skipped"]) == (40, 0, [])
        await ada.send("again.zip", EXPORT)
        assert (await ended(ada))["already_there"] == 40
    assert await count(dock, listen.c.play) == 40
    assert list(Path(dock.scratch).iterdir()) == []


async def test_looking_and_crawlers_change_nothing(dock):
    url = await dock.offer()
    async with Sender(url) as crawler, Sender(url) as ada:
        assert (await crawler.open())[0] == 200
        assert (await ada.open())[0] == 200
        await ada.send(AUDIO, as_json([play(1)]))
        assert said(await crawler.open(), Outcome.OTHER_BROWSER)
        assert said(await crawler.announce(AUDIO, 5), Outcome.OTHER_BROWSER)
        assert said(await crawler.put(0, 0, b"x"), Outcome.OTHER_BROWSER)
        assert "files" not in await crawler.progress()
        assert (await ended(ada))["new"] == 1


async def test_a_browser_without_the_cookie_sends_nothing(dock):
    async with Sender(await dock.offer()) as stranger:
        assert said(await stranger.announce(AUDIO, 5), Outcome.OTHER_BROWSER)


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
async def test_another_site_cannot_send(dock, headers):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        status, answer = await ada.announce(AUDIO, 5, headers=headers)
        assert (status, "another site" in answer["message"]) == (403, True)
        (number,) = [(await ada.announce(AUDIO, 5))[1]["number"]]
        assert (await ada.put(number, 0, b"hello", headers=headers))[0] == 403
        form = b'{"name": "x.zip", "size": 5, "private": false}'
        plain = await ada.announce("", 0, json=None, data=form, headers={"Content-Type": "text/plain"})
        assert plain[0] == 403  # what a form of another site could send without asking


async def test_a_broken_off_file_goes_on_where_it_ended(dock):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        _, slot = await ada.announce("x.zip", len(EXPORT))
        assert await ada.put(slot["number"], 0, EXPORT[:700]) == (200, {"received": 700})
        assert await ada.put(slot["number"], 0, EXPORT[:700]) == (409, {"received": 700})
        assert await ada.put(slot["number"], 900, EXPORT[900:]) == (409, {"received": 700})

        async def broken():
            yield EXPORT[700:1000]
            await asyncio.sleep(0.3)
            raise ConnectionResetError

        with pytest.raises(Exception):  # noqa: B017 - whatever the client makes of it
            await ada.put(slot["number"], 700, broken(), headers={"Content-Length": "5000"})
        await until(ada, lambda state: state["files"][0]["received"] == 1000)
        assert (await ada.announce("x.zip", len(EXPORT)))[1] == {"number": slot["number"], "received": 1000}
        assert (await ada.announce("x.zip", len(EXPORT) + 1))[1]["received"] == 0  # another file
        await ada.send("x.zip", EXPORT)
        await until(ada, lambda state: state["files"][0]["stage"] == "done")
        assert await ada.put(slot["number"], 700, EXPORT[700:]) == (409, {"received": len(EXPORT)})


async def test_more_than_was_announced_is_not_taken(dock):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        content = as_json([play(1)])
        _, slot = await ada.announce(AUDIO, len(content))
        assert await ada.put(slot["number"], 0, content + b"x" * 200_000) == (200, {"received": len(content)})
        assert (await ended(ada))["new"] == 1


async def test_refusals_before_a_byte_came(dock, monkeypatch):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        for name, size, words in (
            ("holiday.jpg", 9, "not one of the files of Spotify's export"),
            ("Streaming_History_Video_2020.json", 9, "not one of the files"),
            ("x.zip", 0, "x.zip is empty."),
            ("x.zip", FILE_LIMIT + 1, "larger than 1,000 MB"),
        ):
            status, answer = await ada.announce(name, size)
            assert status == 422
            assert answer["message"]
            assert words in (await ada.progress())["files"][-1]["reason"]
        monkeypatch.setattr("bot.services.importing.FREE_DISK", 2**62)
        assert (await ada.announce("x.zip", 9))[0] == 422
        assert "does not fit on this host's disk" in (await ada.progress())["files"][-1]["reason"]
    assert await count(dock, member.c.id) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name": "x"}', b'{"name": 1, "size": 1, "private": false}',
                                  b'{"name": "x", "size": -1, "private": false}',
                                  b'{"name": "", "size": 1, "private": false}',
                                  b'{"name": "x", "size": true, "private": 1}', b"[" * 5000])  # fmt: skip
async def test_announcements_that_are_none(dock, body):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        headers = {"Content-Type": "application/json"}
        assert (await ada.announce("", 0, json=None, data=body, headers=headers))[0] == 400
        assert (await ada.put(0, 0, b"x"))[0] == 404
        async with ada.session.put(f"{ada.url}/files/0?from=x", data=b"x") as response:
            assert response.status == 400


async def test_not_endlessly_many_files(dock):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        for number in range(FILES_LIMIT):
            assert (await ada.announce(f"endsong_{number}.json", 9))[0] == 200
        status, answer = await ada.announce("endsong_99.json", 9)
        assert (status, "Too many of your files" in answer["message"]) == (422, True)


async def test_an_address_has_an_end(dock):
    url = await dock.offer()
    async with Sender(url) as ada, Sender(url + "x") as stranger:
        assert said(await stranger.open(), Outcome.UNKNOWN)
        await ada.open()
        dock.clock.turn(minutes=59)
        _, slot = await ada.announce(AUDIO, 999)
        dock.clock.turn(hours=5, minutes=59)
        assert (await ada.put(slot["number"], 0, b"[")) == (200, {"received": 1})
        dock.clock.turn(minutes=1)
        assert said(await ada.put(slot["number"], 1, b" "), Outcome.EXPIRED)
        assert said(await ada.open(), Outcome.EXPIRED)
        dock.uploads.sweep()
        assert dock.uploads._sessions == {}
    async with Sender(await dock.offer()) as late:
        await late.open()
        dock.clock.turn(hours=1)
        assert said(await late.announce(AUDIO, 9), Outcome.EXPIRED)


async def test_a_newer_page_takes_the_place(dock):
    async with Sender(await dock.offer()) as old:
        await old.open()
        await old.send(AUDIO, as_json([play(1)]))
        await ended(old)
        async with Sender(await dock.offer()) as new, Sender(await dock.offer("200", "Ben")) as ben:
            assert said(await old.announce(AUDIO, 9), Outcome.REPLACED)
            assert said(await old.open(), Outcome.REPLACED)
            assert (await new.open())[0] == 200
            assert (await ben.open())[0] == 200


async def test_private_sessions_as_asked_for(dock):
    async with Sender(await dock.offer(private=True)) as ada:
        assert re.search(r'id="private" checked', (await ada.open())[1])
        content = as_json([play(1, incognito_mode=True), play(2)])
        await ada.send(AUDIO, content)
        state = await ended(ada)
        assert (state["new"], state["skipped"]) == (1, [["play in a private session", 1]])
        await ada.send(AUDIO, content, private=True)
        assert (await ended(ada))["new"] == 2


async def test_the_page_survives_a_restart_of_the_bot(database, tmp_path):
    port = free_port()
    async with docking(database, tmp_path / "incoming", port=port) as dock:
        ada = await Sender(await dock.offer()).__aenter__()
        await ada.open()
        _, slot = await ada.announce("x.zip", len(EXPORT))
        await ada.put(slot["number"], 0, EXPORT[:700])
    async with docking(database, tmp_path / "incoming", port=port):
        assert (await ada.put(slot["number"], 700, EXPORT[700:]))[0] == 404
        await ada.send("x.zip", EXPORT)
        assert (await ended(ada))["new"] == 40
        await ada.session.close()


async def test_nothing_secret_and_nothing_on_its_way_lies_readable(dock, caplog):
    caplog.set_level("DEBUG")
    url = await dock.offer(name="<b>Ada</b>", guild=None)
    async with Sender(url) as ada:
        _, page = await ada.open()
        assert "&lt;b&gt;Ada&lt;/b&gt;" in page
        await ada.send("x.zip", EXPORT)
        await ended(ada)
        cookie = next(iter(ada.session.cookie_jar)).value
        async with ada.session.get(url) as response:
            policy = response.headers["Content-Security-Policy"]
            assert {"HttpOnly", "SameSite=Lax"} <= set(response.headers["Set-Cookie"].split("; "))
            assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for secret in (url.rsplit("/", 1)[1], cookie, "secretname"):
        assert secret.encode() not in everything_on_disk(dock.database)
        assert secret not in caplog.text


async def test_a_member_who_deletes_their_data_stops_what_is_on_its_way(dock):
    async with Sender(await dock.offer()) as ada:
        await ada.open()
        await ada.send("x.zip", EXPORT)
        await ended(ada)
        _, slot = await ada.announce("y.zip", len(EXPORT))
        await ada.put(slot["number"], 0, EXPORT[:700])
        await dock.uploads.forget("100")
        async with dock.database.write() as connection:
            await erase_source(connection, await ensure_member(connection, "100", dock.clock()), "export")
        assert said(await ada.put(slot["number"], 700, EXPORT[700:]), Outcome.UNKNOWN)
    assert await count(dock, interaction.c.track_id) == 0
    assert await count(dock, upload_request.c.id) == 0
