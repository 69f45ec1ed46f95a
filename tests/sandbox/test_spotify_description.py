"""What the local Spotify answers, held against Spotify's own description of its Web API."""

import asyncio
import gzip
import os
import re
from pathlib import Path

import aiohttp
import jsonschema
import pytest
import yaml

from sandbox.community import make_community
from sandbox.spotify_server import SpotifyServer

FILE = "spotify-openapi.yml.gz"

# In Development Mode these are gone, although the description, which is one for both modes, requires some of them.
GONE = {
    "album_group",
    "available_markets",
    "country",
    "email",
    "explicit_content",
    "label",
    "linked_from",
    "popularity",
    "product",
    "publisher",
}
# Null in real answers, which the description does not say.
NULL = {
    "CursorObject": ("after",),
    "CursorPagingObject": ("next", "cursors"),
    "PlayHistoryObject": ("context", "track"),
    "PlaylistTrackObject": ("added_at", "added_by", "item"),
    "PrivateUserObject": ("display_name",),
    "SavedTrackObject": ("track",),
    "SimplifiedPlaylistObject": ("public",),
    "PlaylistObject": ("public",),
}
NULL_ITEMS = ("PagingPlaylistObject",)


def or_null(schema):
    return {"anyOf": [{"type": "null"}, schema]}


def as_json_schema(value):
    """OpenAPI 3.0's `nullable` in JSON Schema's words, and nothing required that is gone."""
    if isinstance(value, list):
        return [as_json_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    schema = {name: as_json_schema(one) for name, one in value.items() if name not in ("nullable", "discriminator")}
    if isinstance(schema.get("required"), list):
        schema["required"] = [name for name in schema["required"] if name not in GONE]
    return or_null(schema) if value.get("nullable") is True else schema


def parts(schema):
    """A schema and what it is composed of."""
    yield schema
    for part in schema.get("allOf", ()):
        yield from parts(part)


@pytest.fixture(scope="module")
def description():
    folder = os.environ.get("CONTRACTS_DIR")
    if not folder or not (Path(folder) / FILE).exists():
        pytest.skip(f"CONTRACTS_DIR names no folder with {FILE}")
    with gzip.open(Path(folder) / FILE) as file:
        raw = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    converted = as_json_schema({"components": raw["components"], "paths": raw["paths"]})
    schemas = converted["components"]["schemas"]
    for name, fields in NULL.items():
        for field in fields:
            (holder,) = (part["properties"] for part in parts(schemas[name]) if field in part.get("properties", {}))
            holder[field] = or_null(holder[field])
    for name in NULL_ITEMS:
        (holder,) = (part["properties"] for part in parts(schemas[name]) if "items" in part.get("properties", {}))
        holder["items"]["items"] = or_null(holder["items"]["items"])
    return converted


def without_local_files(answer):
    """Their ids, addresses and album fields are null or empty: a shape of their own, tested elsewhere."""
    if isinstance(answer, list):
        return [without_local_files(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    if answer.get("type") == "track" and answer["is_local"]:
        return None
    return {name: without_local_files(one) for name, one in answer.items()}


def names_in(answer):
    if isinstance(answer, list):
        for one in answer:
            yield from names_in(one)
    elif isinstance(answer, dict):
        yield from answer
        for one in answer.values():
            yield from names_in(one)


def faults(description, method, path, status, answer):
    """What does not agree with the description, as texts."""
    templates = [name for name in description["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name), path)]
    template = min(templates, key=lambda name: name.count("{"))
    described = description["paths"][template][method.lower()]["responses"][str(status)]
    if "$ref" in described:
        described = description["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = {"components": description["components"], **described["content"]["application/json"]["schema"]}
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    return [f"{method} {path} {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(answer)]


class Reader:
    """Asks with one member's token, follows every next, and holds each answer against the description."""

    def __init__(self, spotify, session, token, description):
        self.spotify, self.session, self.description = spotify, session, description
        self.headers = {"Authorization": f"Bearer {token}"}
        self.faults = []

    async def ask(self, address, status=200, method="GET", **request):
        if address.startswith("/"):
            address = self.spotify.api_url + address
        async with self.session.request(method, address, headers=self.headers, **request) as response:
            assert response.status == status, await response.text()
            answer = await response.json()
        path = response.url.path.removeprefix("/v1")
        found = await asyncio.to_thread(faults, self.description, method, path, status, without_local_files(answer))
        self.faults += found + [f"{path}: {name} is gone" for name in GONE & set(names_in(answer))]
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
async def reader(description):
    """As the community's members in turn: `reader(member)`."""
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
    made = await reading.ask("/me/playlists", 201, "POST", json={"name": "Ten for you"})
    await reading.ask(f"/playlists/{made['id']}/items", 201, "POST", json={"uris": [track["uri"]]})
    await reading.ask("/artists/abcdefghijklmnopqrstuv/top-tracks", 403)
    reading.spotify.fail_next("/me", 429, retry_after=1)
    await reading.ask("/me", 429)
    reading.spotify.expire_access_tokens()
    await reading.ask("/me", 401)
    assert reading.faults == []


async def test_the_check_itself_finds_faults(description):
    """So that the tests above cannot pass for nothing."""
    good = {"href": "x", "items": [], "limit": 1, "next": None, "offset": 0, "previous": None, "total": 0}
    assert faults(description, "GET", "/me/tracks", 200, good) == []
    assert faults(description, "GET", "/me/tracks", 200, {**good, "total": None})
    assert faults(description, "GET", "/me/tracks", 200, {**good, "items": [{"track": {"id": 5}}]})
    assert faults(description, "GET", "/me/playlists", 200, {**good, "items": [{"owner": {"id": None}}]})
