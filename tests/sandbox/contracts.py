"""Discord's and Spotify's own descriptions of their APIs, and what in an exchange does not agree with them.

They are found through CONTRACTS_DIR. The known differences, which are all that is allowed:

- discord.py sends some ids as numbers; Discord takes them, the description says strings (`NUMBERS_FOR_IDS`).
- The faults of a form that Discord refuses have names, where the description says that all codes are numbers.
- Spotify's description is one for both modes. In Development Mode some fields are gone although they are required here
  (`GONE`); some are null in real answers, which it does not say (`NULL`); and a local file in a playlist has null or
  empty ids, addresses and album fields.
- spotipy asks for `/me/` with a slash; the description says `/me`.
"""

import gzip
import json
import os
import re
from functools import lru_cache
from pathlib import Path

import jsonschema
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DISCORD, SPOTIFY = "discord-openapi.json.gz", "spotify-openapi.yml.gz"

NUMBERS_FOR_IDS = re.compile(r"(^|\.)(recipient_id|attachments\.id|message_reference\.\w+_id)$")

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

NULL = {
    "CursorObject": ("after",),  # no further page
    "CursorPagingObject": ("next", "cursors"),  # no further page; no plays at all
    "PlayHistoryObject": ("context", "track"),  # played from nowhere in particular; a track that was taken away
    "PlaylistTrackObject": ("added_at", "added_by", "item"),  # very old entries; a track that was taken away
    "PrivateUserObject": ("display_name",),  # never chosen
    "SavedTrackObject": ("track",),  # a track that was taken away
    "SimplifiedPlaylistObject": ("public",),  # not relevant for it
    "PlaylistObject": ("public",),
}
NULL_ITEMS = ("PagingPlaylistObject",)  # a playlist that was taken away


def text_of(file):
    """
    The file's bytes; without it the test is skipped.
    """
    folder = os.environ.get("CONTRACTS_DIR")
    if not folder or not (Path(folder) / file).exists():
        pytest.skip(f"the services' own descriptions are not here: CONTRACTS_DIR names no folder with {file}")
    return gzip.decompress((Path(folder) / file).read_bytes())


@lru_cache
def discord_description():
    return Description("urn:discord", json.loads(text_of(DISCORD)), _as_described)


@lru_cache
def spotify_description():
    raw = yaml.load(text_of(SPOTIFY), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    document = _json_schema({"components": raw["components"], "paths": raw["paths"]})
    schemas = document["components"]["schemas"]
    for name, fields in NULL.items():
        for field in fields:
            for part in _parts(schemas[name]):
                if field in part.get("properties", {}):
                    part["properties"][field] = _or_null(part["properties"][field])
    for name in NULL_ITEMS:
        for part in _parts(schemas[name]):
            if "items" in part.get("properties", {}):
                part["properties"]["items"]["items"] = _or_null(part["properties"]["items"]["items"])
    return Description("urn:spotify", document, _without_local_files)


DESCRIPTIONS = {"discord": discord_description, "spotify": spotify_description}


def told(exchanges, service):
    """The faults of those that went to `service`."""
    description = DESCRIPTIONS[service]()
    return [fault for one in exchanges if one["server"] == service for fault in description.faults(one)]


class Description:
    """
    :param known: takes the known differences out of a body.
    """

    def __init__(self, name, document, known):
        self.document = document
        self._name = name
        self._known = known
        self._registry = Registry().with_resource(name, DRAFT202012.create_resource(document)).crawl()
        self._templates = [
            (re.compile(re.sub(r"\{[^{}]*\}", "[^/]+", template)), template)
            # A path with fewer names in braces is the nearer one: /users/@me before /users/{user_id}.
            for template in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def faults(self, exchange):
        """What in it does not agree, as texts; `exchange` is a line of a recording."""
        path, method, status = exchange["path"].rstrip("/"), exchange["method"].lower(), exchange["status"]
        what = f"{exchange['method']} {path} ({status})"
        template = next((template for pattern, template in self._templates if pattern.fullmatch(path)), None)
        if template is None or method not in self.document["paths"][template]:
            return [f"{what} is not described"]
        operation = self.document["paths"][template][method]
        place = ["paths", template, method]
        faults = self._query_faults(operation, template, exchange["query"])
        described = next((key for key in (str(status), f"{status // 100}XX") if key in operation["responses"]), None)
        if described is None:
            return [*(f"{what}: {fault}" for fault in faults), f"{what}: such an answer is not described"]
        answer, where = self._deref(operation["responses"][described], [*place, "responses", described])
        faults += self._body_faults(answer, where, exchange["response"], "answer")
        if status < 300 and exchange["request"] is not None:
            if "requestBody" not in operation:
                faults.append("a body where none is described")
            else:
                body, where = self._deref(operation["requestBody"], [*place, "requestBody"])
                faults += self._body_faults(body, where, exchange["request"], "request")
        return [f"{what}: {fault}" for fault in faults]

    def _deref(self, thing, place):
        if "$ref" in thing:
            place = thing["$ref"].removeprefix("#/").split("/")
            thing = self.document
            for step in place:
                thing = thing[step]
        return thing, place

    def _body_faults(self, described, place, body, what):
        if "content" not in described:
            return [f"{what}: a body where none is described"] if body is not None else []
        return [
            f"{what} {error.json_path}: {error.message[:200]}"
            for error in self._validator((*place, "content", "application/json", "schema")).iter_errors(
                self._known(body)
            )
        ]

    def _query_faults(self, operation, template, query):
        shared = self.document["paths"][template].get("parameters", [])
        found = [self._deref(one, [])[0] for one in (*shared, *operation.get("parameters", []))]
        described = {one["name"]: one["schema"] for one in found if one["in"] == "query"}
        faults = [f"query {name}: not described" for name in query if name not in described]
        for name in query.keys() & described.keys():
            schema, value = described[name], query[name]
            if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", value):
                value = int(value)
            elif schema.get("type") == "boolean" and value in ("true", "false", "1", "0"):
                value = value in ("true", "1")
            if schema.get("type") != "array" and "$ref" not in schema:
                faults += [f"query {name}: {error.message}" for error in _bare(schema).iter_errors(value)]
        return faults

    @lru_cache  # noqa: B019 - one object a run
    def _validator(self, place):
        pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in place)
        return jsonschema.Draft202012Validator(
            {"$ref": f"{self._name}#/{pointer}"},
            registry=self._registry,
            format_checker=jsonschema.FormatChecker(),
        )


def _bare(schema):
    return jsonschema.Draft202012Validator({key: value for key, value in schema.items() if key != "description"})


def _as_described(value, path=""):
    if isinstance(value, dict):
        return {key: _as_described(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_described(inner, path) for inner in value]
    if isinstance(value, str) and path.endswith("._errors.code"):
        return 0
    return str(value) if type(value) is int and NUMBERS_FOR_IDS.search(path) else value


def _without_local_files(value):
    """A local file in a playlist counts as null once it has the shape that it should have."""
    if isinstance(value, list):
        return [_without_local_files(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("is_local") is True and value.get("type") == "track":
        shape = (value["id"], value["href"], value["uri"].partition("local:")[0])
        assert shape == (None, None, "spotify:"), value
        return None
    return {name: _without_local_files(one) for name, one in value.items()}


def _or_null(schema):
    return {"anyOf": [{"type": "null"}, schema]}


def _json_schema(value):
    """OpenAPI 3.0's `nullable` in JSON Schema's words, and nothing required that is gone."""
    if isinstance(value, list):
        return [_json_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    schema = {name: _json_schema(one) for name, one in value.items() if name not in ("nullable", "discriminator")}
    if isinstance(schema.get("required"), list):
        schema["required"] = [name for name in schema["required"] if name not in GONE]
    return _or_null(schema) if value.get("nullable") is True else schema


def _parts(schema):
    """A schema and what it is composed of."""
    yield schema
    for part in schema.get("allOf", ()):
        yield from _parts(part)
