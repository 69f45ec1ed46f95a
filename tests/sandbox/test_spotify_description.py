"""What the local Spotify answers, held against Spotify's own description of its Web API."""

import asyncio

import aiohttp
import pytest

from sandbox.community import make_community
from sandbox.spotify_server import SpotifyServer
from tests.sandbox.contracts import GONE, spotify_description


def names_in(answer):
    if isinstance(answer, list):
        for one in answer:
            yield from names_in(one)
    elif isinstance(answer, dict):
        yield from answer
        for one in answer.values():
            yield from names_in(one)


class Reader:
    """Asks with one member's token, follows every next, and holds each exchange against the description."""

    def __init__(self, spotify, session, token, description):
        self.spotify, self.session, self.description = spotify, session, description
        self.headers = {"Authorization": f"Bearer {token}"}
        self.faults = []

    async def ask(self, address, status=200, method="GET", body=None):
        if address.startswith("/"):
            address = self.spotify.api_url + address
        async with self.session.request(method, address, headers=self.headers, json=body) as response:
            assert response.status == status, await response.text()
            answer = await response.json()
        exchange = {
            "method": method,
            "path": response.url.path.removeprefix("/v1"),
            "query": dict(response.url.query),
            "request": body,
            "status": status,
            "response": answer,
        }
        self.faults += await asyncio.to_thread(self.description.faults, exchange)
        self.faults += [f"{exchange['path']}: {name} is gone" for name in GONE & set(names_in(answer))]
        return answer

    async def every_item(self, address):
        items = []
        while address:
            answer = await self.ask(address)
            page = answer.get("artists", answer)
            items += page["items"]
            address = page["next"]
        return items


@pytest.fixture
async def reader():
    """As the community's members in turn: `reader(member)`."""
    description = spotify_description()
    async with SpotifyServer() as spotify, aiohttp.ClientSession() as session:
        community = make_community(11)
        community.load_into(spotify)

        def reader(member):
            return Reader(spotify, session, spotify.token(member.user), description)

        yield community, reader


async def test_what_every_member_has(reader):
    community, as_member = reader
    local_files = 0
    for member in community.members:
        reading = as_member(member)
        await reading.ask("/me")
        for listing in (
            "/me/tracks?limit=50",
            "/me/player/recently-played?limit=50",
            "/me/following?type=artist&limit=10",
            "/me/top/tracks?time_range=long_term&limit=50",
            "/me/top/artists?time_range=short_term",
        ):
            await reading.every_item(listing)
        for playlist in await reading.every_item("/me/playlists?limit=2"):
            if playlist is None:
                continue
            readable = playlist["owner"]["id"] == member.user.id or playlist["collaborative"]
            await reading.ask(f"/playlists/{playlist['id']}?additional_types=track,episode")
            items = f"/playlists/{playlist['id']}/items?limit=50&additional_types=track,episode"
            if readable:
                local_files += sum(entry["is_local"] for entry in await reading.every_item(items))
            else:
                await reading.ask(items, 403)
        assert reading.faults == []
    assert local_files == 3


async def test_the_catalogue_search_writing_and_refusals(reader):
    community, as_member = reader
    member = community.members[0]
    reading = as_member(member)
    track = await reading.ask(f"/tracks/{member.library[0].id}?market=DE")
    await reading.ask(f"/albums/{track['album']['id']}")
    await reading.ask(f"/albums/{track['album']['id']}/tracks")
    artist = track["artists"][0]["id"]
    await reading.ask(f"/artists/{artist}")
    await reading.every_item(f"/artists/{artist}/albums?limit=2")
    await reading.ask("/search?q=the&type=track,artist,album,playlist&limit=10")
    made = await reading.ask("/me/playlists", 201, "POST", {"name": "Ten for you"})
    await reading.ask(f"/playlists/{made['id']}/items", 201, "POST", {"uris": [track["uri"]]})
    await reading.ask("/artists/abcdefghijklmnopqrstuv/top-tracks", 403)
    reading.spotify.fail_next("/me", 429, retry_after=1)
    await reading.ask("/me", 429)
    reading.spotify.expire_access_tokens()
    await reading.ask("/me", 401)
    assert reading.faults == []
