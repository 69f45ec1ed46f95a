"""What Discord refuses in a message, how often one may ask, and planned faults."""

import io
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest

from sandbox.discord.limits import GLOBAL_PER_SECOND, INVALID_PER_TEN_MINUTES, RateLimits
from sandbox.discord_server import DiscordServer
from tests.sandbox.discord_bot import SmallBot, ask, running

MIB = 1024 * 1024


class Scene:
    bot: SmallBot
    call: Callable[..., Awaitable[Any]]
    channel: str

    def __init__(self) -> None:
        self.server = DiscordServer()
        self.ann = self.server.add_user("Ann")
        self.home = self.server.add_guild("Home", self.ann)

    async def refusal(self, doing):
        """What discord.py makes of the server's answer to what the bot does in a command."""
        _, outcome = await ask(self.server, self.bot, self.ann, doing, self.home)
        assert isinstance(outcome, discord.HTTPException), outcome
        return outcome


@pytest.fixture
async def scene():
    scene = Scene()
    async with scene.server, running(scene.server, SmallBot()) as scene.bot:
        yield scene


@pytest.fixture
async def raw():
    """The server without a bot, and a session with its token: for what discord.py does not let through."""
    scene = Scene()
    headers = {"Authorization": f"Bot {scene.server.token}"}
    async with scene.server, aiohttp.ClientSession(headers=headers) as session:

        async def call(method, path, **options):
            async with session.request(method, scene.server.api_url + path, **options) as response:
                body = await response.json() if response.content_type == "application/json" else None
                return response.status, body, response.headers

        scene.call = call
        scene.channel = f"/channels/{scene.home.general.id}/messages"
        yield scene


def row(*pieces):
    return {"type": 1, "components": list(pieces)}


def button(number=1, **changes):
    return {"type": 2, "style": 1, "label": "x", "custom_id": f"b{number}"} | changes


def menu(options, **changes):
    return {"type": 3, "custom_id": "m", "options": options} | changes


def field(**changes):
    return {"type": 4, "style": 1, "label": "x", "custom_id": "f"} | changes


def option(number):
    return {"label": f"o{number}", "value": f"v{number}"}


async def test_longest_content_and_one_more(scene):
    interaction, _ = await ask(
        scene.server, scene.bot, scene.ann, lambda it: it.response.send_message("x" * 2000), scene.home
    )
    assert len((await interaction.reply()).content) == 2000
    refused = await scene.refusal(lambda it: it.response.send_message("x" * 2001))
    assert (refused.status, refused.code) == (400, 50035)
    assert "In data.content: Must be 2000 or fewer in length." in refused.text


async def test_embeds_of_6001_characters_together(scene):
    fits = [discord.Embed(description="x" * 3000), discord.Embed(description="y" * 3000)]
    interaction, _ = await ask(
        scene.server, scene.bot, scene.ann, lambda it: it.response.send_message(embeds=fits), scene.home
    )
    assert len((await interaction.reply()).embeds) == 2
    fits[0].title = "z"
    refused = await scene.refusal(lambda it: it.response.send_message(embeds=fits))
    assert "Embed size exceeds maximum size of 6000" in refused.text


async def test_whitespace_around_embed_texts_does_not_count(scene):
    embed = discord.Embed(title=" " * 100 + "t" * 256 + "\n")
    interaction, _ = await ask(
        scene.server, scene.bot, scene.ann, lambda it: it.response.send_message(embed=embed), scene.home
    )
    assert (await interaction.reply()).embeds[0]["title"] == "t" * 256


EMBEDS = {
    "title": ({"title": "x" * 257}, "title"),
    "description": ({"description": "x" * 4097}, "description"),
    "footer": ({"footer": {"text": "x" * 2049}}, "text"),
    "author": ({"author": {"name": "x" * 257}}, "name"),
    "field name": ({"fields": [{"name": "x" * 257, "value": "y"}]}, "name"),
    "field value": ({"fields": [{"name": "x", "value": "y" * 1025}]}, "value"),
    "empty field": ({"fields": [{"name": " ", "value": "y"}]}, "name"),
    "fields": ({"fields": [{"name": "x", "value": "y"}] * 26}, "fields"),
    "address": ({"title": "x", "url": "ftp://example.org/x"}, "url"),
    "nothing": ({}, "description"),
}


@pytest.mark.parametrize("case", EMBEDS)
async def test_embed_limits(raw, case):
    embed, place = EMBEDS[case]
    status, body, _ = await raw.call("POST", raw.channel, json={"embeds": [embed]})
    assert (status, body["code"]) == (400, 50035)
    assert f'"{place}": {{"_errors"' in str(body["errors"]).replace("'", '"')


COMPONENTS = {
    "duplicate custom id": ([row(button(1), button(1))], "COMPONENT_CUSTOM_ID_DUPLICATED"),
    "duplicate in two rows": ([row(button(1)), row(button(1))], "COMPONENT_CUSTOM_ID_DUPLICATED"),
    "26 options": ([row(menu([option(n) for n in range(26)]))], "BASE_TYPE_BAD_LENGTH"),
    "no options": ([row(menu([]))], "BASE_TYPE_REQUIRED"),
    "same value twice": ([row(menu([option(1), option(1)]))], "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED"),
    "long option label": ([row(menu([{"label": "x" * 101, "value": "v"}]))], "BASE_TYPE_MAX_LENGTH"),
    "long placeholder": ([row(menu([option(1)], placeholder="x" * 151))], "BASE_TYPE_MAX_LENGTH"),
    "26 values": ([row(menu([option(1)], max_values=26))], "NUMBER_TYPE_MAX"),
    "six rows": ([row(button(n)) for n in range(6)], "BASE_TYPE_MAX_LENGTH"),
    "six buttons in a row": ([row(*[button(n) for n in range(6)])], "BASE_TYPE_BAD_LENGTH"),
    "menu beside a button": ([row(menu([option(1)]), button(1))], "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
    "empty row": ([row()], "BASE_TYPE_REQUIRED"),
    "long label": ([row(button(label="x" * 81))], "BASE_TYPE_MAX_LENGTH"),
    "long custom id": ([row(button(custom_id="x" * 101))], "BASE_TYPE_MAX_LENGTH"),
    "no custom id": ([row(button(custom_id=None))], "BASE_TYPE_REQUIRED"),
    "link with custom id": ([row(button(style=5, url="https://example.org"))], "BUTTON_COMPONENT_INVALID_FIELD"),
    "link without address": ([row(button(style=5, custom_id=None))], "BASE_TYPE_REQUIRED"),
    "long address": ([row(button(style=5, custom_id=None, url="https://" + "x" * 505))], "BASE_TYPE_MAX_LENGTH"),
    "nothing to read": ([row(button(label=None))], "BASE_TYPE_REQUIRED"),
    "layout without its flag": ([{"type": 10, "content": "x"}], "UNION_TYPE_CHOICES"),
}


@pytest.mark.parametrize("case", COMPONENTS)
async def test_component_limits(raw, case):
    components, code = COMPONENTS[case]
    status, body, _ = await raw.call("POST", raw.channel, json={"content": "x", "components": components})
    assert (status, body["code"]) == (400, 50035)
    assert code in str(body["errors"])
    assert raw.server.messages(raw.home.general) == []


async def test_layout_of_components(raw):
    container = {"type": 17, "components": [{"type": 10, "content": "x"}, row(button(1))]}
    flag = {"flags": 1 << 15}
    status, body, _ = await raw.call("POST", raw.channel, json={"components": [container], **flag})
    assert status == 200
    assert body["flags"] == 1 << 15
    assert raw.server.messages(raw.home.general)[0].text == "x"
    many = {"type": 17, "components": [{"type": 10, "content": "x"}] * 40}
    for wrong in ({"components": [many]}, {"components": [container], "content": "and text"}):
        status, body, _ = await raw.call("POST", raw.channel, json=wrong | flag)
        assert (status, body["code"]) == (400, 50035)
    message = raw.server.messages(raw.home.general)[0]
    status, body, _ = await raw.call("PATCH", f"{raw.channel}/{message.id}", json={"content": "text after all"})
    assert (status, body["code"]) == (400, 50035)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"title": "x" * 46}, "title"),
        ({"title": ""}, "title"),
        ({"custom_id": "x" * 101}, "custom_id"),
        ({"components": []}, "components"),
        ({"components": [row(field(custom_id=str(n))) for n in range(6)]}, "components"),
        ({"components": [row(field(), field())]}, "components"),
        ({"components": [row(field()), row(field())]}, "custom_id"),
        ({"components": [row(field(label="x" * 46))]}, "label"),
        ({"components": [row(field(label=None))]}, "label"),
        ({"components": [row(field(placeholder="x" * 101))]}, "placeholder"),
        ({"components": [row(button())]}, "type"),
    ],
)
async def test_form_limits(scene, changes, place):
    form = {
        "title": "t",
        "custom_id": "c",
        "components": [row({"type": 4, "custom_id": "a", "label": "x", "style": 1})],
    }

    async def doing(interaction):
        adapter = discord.webhook.async_.async_context.get()
        params = discord.webhook.async_.interaction_response_params(9, form | changes)
        session = interaction._session
        await adapter.create_interaction_response(interaction.id, interaction.token, session=session, params=params)

    refused = await scene.refusal(doing)
    assert refused.code == 50035
    assert place in refused.text


async def test_autocomplete_limits(scene):
    for choices in (
        [{"name": str(n), "value": str(n)} for n in range(26)],
        [{"name": "x" * 101, "value": "x"}],
        [{"name": "x", "value": "x" * 101}],
        [{"name": "", "value": "x"}],
    ):
        interaction = await scene.server.autocomplete(scene.ann, "colour", {"name": "r"}, "name", guild=scene.home)
        await interaction.wait_until(lambda it: it.completed_at)
        interaction.answer = None  # the bot's answer was fine: ask the same question again, by hand
        url = f"{scene.server.api_url}/interactions/{interaction.id}/{interaction.token}/callback"
        async with aiohttp.ClientSession() as session:
            response = await session.post(url, json={"type": 8, "data": {"choices": choices}})
            assert (response.status, (await response.json())["code"]) == (400, 50035)


async def test_nothing_to_send(raw):
    bodies: list[dict[str, object]] = [{}, {"content": "  "}, {"embeds": []}]
    for body in bodies:
        assert (await raw.call("POST", raw.channel, json=body))[1]["code"] == 50006


async def test_ten_mebibytes_and_one_more(scene):
    def send(size):
        return lambda it: it.response.send_message(file=discord.File(io.BytesIO(b"x" * size), "big.bin"))

    interaction, _ = await ask(scene.server, scene.bot, scene.ann, send(10 * MIB), scene.home)
    assert len((await interaction.reply()).attachments[0].content) == 10 * MIB
    refused = await scene.refusal(send(10 * MIB + 1))
    assert (refused.status, refused.code) == (413, 40005)


async def test_same_nonce_is_one_message(raw):
    first = await raw.call("POST", raw.channel, json={"content": "a", "nonce": "7", "enforce_nonce": True})
    again = await raw.call("POST", raw.channel, json={"content": "a", "nonce": "7", "enforce_nonce": True})
    other = await raw.call("POST", raw.channel, json={"content": "a", "nonce": "8", "enforce_nonce": True})
    assert first[1]["id"] == again[1]["id"] != other[1]["id"]
    assert (await raw.call("POST", raw.channel, json={"content": "a", "nonce": "8" * 26}))[1]["code"] == 50035


async def test_lost_answer_does_not_post_twice(scene):
    scene.server.fail_next("POST", "/channels/*/messages", 502, applied=True)
    await scene.bot.get_channel(int(scene.home.general.id)).send("once")
    assert [message.content for message in scene.server.messages(scene.home.general)] == ["once"]


async def test_three_500s_then_200(raw):
    raw.server.fail_next("GET", "/users/*", 500, times=3)
    answers = [(await raw.call("GET", "/users/@me"))[0] for _ in range(4)]
    assert answers == [500, 500, 500, 200]


async def test_discord_py_tries_again_after_a_500(scene):
    scene.server.fail_next("POST", "/interactions/*", 500)
    interaction = await scene.server.command(scene.ann, "echo", {"text": "at last"}, guild=scene.home)
    assert (await interaction.reply()).content == "at last"
    assert interaction.answered_at - interaction.dispatched_at >= 1


async def test_429_with_via_is_waited_for(scene, caplog):
    scene.server.rate_limit_next("/users/*", 0.3)
    begin = time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert (await scene.bot.fetch_user(int(scene.ann.id))).name == "ann"
    assert time.monotonic() - begin >= 0.3
    assert "Retrying in 0.30 seconds" in caplog.text


async def test_429_without_via_is_a_ban(scene):
    scene.server.rate_limit_next("/users/*", 0.3, via=False)
    with pytest.raises(discord.HTTPException) as raised:
        await scene.bot.fetch_user(int(scene.ann.id))
    assert raised.value.status == 429


async def test_channel_takes_five_messages_in_five_seconds(raw):
    answers = [await raw.call("POST", raw.channel, json={"content": str(n)}) for n in range(6)]
    assert [status for status, *_ in answers] == [200] * 5 + [429]
    headers = [headers for *_, headers in answers]
    assert [head["X-RateLimit-Remaining"] for head in headers] == ["4", "3", "2", "1", "0", "0"]
    assert {"X-RateLimit-Bucket", "X-RateLimit-Reset", "X-RateLimit-Reset-After", "Retry-After", "Via"} <= set(
        headers[5]
    )
    assert (headers[5]["X-RateLimit-Scope"], answers[5][1]["global"]) == ("user", False)
    assert 0 < answers[5][1]["retry_after"] <= 5
    dm = raw.server.dm_channel(raw.ann)
    assert (await raw.call("POST", f"/channels/{dm.id}/messages", json={"content": "elsewhere"}))[0] == 200


def test_windows_reopen_and_fifty_a_second():
    now = 0.0
    limits = RateLimits(lambda: now)
    waits = [limits.take("POST", "/channels/{channel}/messages", "1")[1] for _ in range(6)]
    assert waits == [0, 0, 0, 0, 0, 5]
    assert limits.take("POST", "/channels/{channel}/messages", "2")[1] == 0
    assert [limits.take_global() for _ in range(GLOBAL_PER_SECOND + 1)] == [0] * GLOBAL_PER_SECOND + [1]
    now = 5.0
    assert limits.take("POST", "/channels/{channel}/messages", "1")[1] == 0
    assert limits.take_global() == 0


def test_ten_thousand_invalid_requests_are_a_ban():
    now = 0.0
    limits = RateLimits(lambda: now)
    for _ in range(INVALID_PER_TEN_MINUTES):
        assert not limits.banned
        limits.count_invalid()
    assert limits.banned
    now = 600.0
    assert not limits.banned


async def test_global_limit_spares_interactions(raw):
    for number in range(GLOBAL_PER_SECOND):
        await raw.call("GET", f"/users/{number}")
    status, body, headers = await raw.call("GET", "/gateway/bot")
    assert (status, body["global"], headers["X-RateLimit-Scope"]) == (429, True, "global")
    status, body, _ = await raw.call("POST", "/interactions/1/unknown/callback", json={"type": 4})
    assert (status, body["code"]) == (404, 10062)


async def test_wrong_token_version_and_path(raw):
    status, body, _ = await raw.call("GET", "/users/@me", headers={"Authorization": "Bot wrong"})
    assert (status, body["code"]) == (401, 40001)
    assert (await raw.call("GET", "/no/such/thing"))[0] == 404
    old = raw.server.api_url.replace("v10", "v9")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {raw.server.token}"}) as session:
        response = await session.get(old + "/users/@me")
        assert (response.status, (await response.json())["code"]) == (400, 50041)
