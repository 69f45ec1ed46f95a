"""What a recording holds, and what it must not."""

import io
import json

import aiohttp
import pytest
from aiohttp import web

from sandbox.recording import BLANK, Recorder
from sandbox.site import BASE_PATH, SERVER

PUBLIC_URL = "http://127.0.0.1:9999"


async def _answer(request: web.Request) -> web.StreamResponse:
    if request.content_type == "multipart/form-data":
        await request.post()
    if request.path.endswith("/gone"):
        return web.json_response({"message": "Unknown Webhook", "code": 10015}, status=404)
    if request.path.endswith("/empty"):
        return web.Response(status=204)
    if request.path.endswith("/page"):
        return web.Response(text="<p>not JSON</p>", content_type="text/html")
    return web.json_response({"access_token": "BQsecret", "expires_in": 3600, "items": [{"refresh_token": None}]})


@pytest.fixture
async def served():
    """A far end of its own: `(url, lines)`, where `lines()` gives what was recorded."""
    file = io.StringIO()
    app = web.Application(middlewares=[Recorder(file, PUBLIC_URL).middleware])
    app[SERVER], app[BASE_PATH] = "discord", "/api/v10"
    app.router.add_route("*", "/api/v10/webhooks/7/{token}/{rest:.*}", _answer)
    app.router.add_route("*", "/{rest:.*}", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield (
        f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10",
        lambda: [json.loads(line) for line in file.getvalue().splitlines()],
    )
    await runner.cleanup()


async def test_a_json_exchange_is_recorded_as_it_was(served):
    url, lines = served
    async with aiohttp.ClientSession() as session:
        await session.post(f"{url}/webhooks/7/Ssecret/gone", params={"wait": "true"}, json={"content": "hello", "n": 5})
    assert lines() == [
        {
            "server": "discord",
            "method": "POST",
            "path": f"/webhooks/7/{BLANK}/gone",
            "query": {"wait": "true"},
            "request": {"content": "hello", "n": 5},
            "status": 404,
            "response": {"message": "Unknown Webhook", "code": 10015},
        }
    ]


async def test_forms_multipart_and_bodies_that_are_no_json(served):
    url, lines = served
    form = {"grant_type": "authorization_code", "code": "AQsecret", "code_verifier": "Vsecret", "client_secret": "s"}
    parts = aiohttp.FormData()
    parts.add_field("payload_json", json.dumps({"content": "with a file"}), content_type="application/json")
    parts.add_field("files[0]", b"\x89PNG", filename="a.png", content_type="image/png")
    async with aiohttp.ClientSession() as session:
        await session.post(f"{url}/api/token", data=form)
        await session.post(f"{url}/channels/1/messages", data=parts)
        await session.get(f"{url}/page")
        await session.delete(f"{url}/empty")
    token, upload, page, empty = lines()
    assert token["request"] == {name: BLANK if name != "grant_type" else value for name, value in form.items()}
    assert token["response"] == {"access_token": BLANK, "expires_in": 3600, "items": [{"refresh_token": None}]}
    assert upload["request"] == {"content": "with a file"}
    assert (page["request"], page["response"]) == (None, None)
    assert (empty["status"], empty["response"]) == (204, None)


async def test_no_token_or_one_time_link_is_left(served):
    url, lines = served
    link = f"{PUBLIC_URL}/link/abcdefghijklmnopqrstuvwxyz-_0123"
    body = {
        "content": f"Open {link} soon",
        "components": [{"url": link}],
        "track": "https://open.spotify.com/track/" + "x" * 22,
    }
    async with aiohttp.ClientSession(headers={"Authorization": "Bot Bsecret"}) as session:
        await session.get(f"{url}/authorize", params={"state": "Tsecret", "code_challenge": "Csecret"})
        await session.post(f"{url}/channels/1/messages", json=body)
    text = json.dumps(lines())
    assert "secret" not in text
    assert "abcdefgh" not in text
    assert f"Open {PUBLIC_URL}/link/{BLANK} soon" in text
    assert "x" * 22 in text


def test_the_names_of_a_forms_faults_are_no_secrets():
    faults = {"content": {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": "Must be 2000 or fewer in length."}]}}
    refused = {"code": 50035, "message": "Invalid Form Body", "errors": faults}
    assert Recorder(io.StringIO(), PUBLIC_URL).blanked(refused) == refused


async def test_what_is_outside_the_api_is_not_recorded(served):
    url, lines = served
    async with aiohttp.ClientSession() as session:
        await session.get(f"{url.removesuffix('/api/v10')}/attachments/1/a.png")
    assert lines() == []
