"""The whole product on a tour, as `make demo` plays it: what it came to, what it printed, what it recorded."""

import json
import re
from collections import Counter

import pytest

from tests.sandbox.contracts import DESCRIPTIONS, told

FAR_ENDS = {"discord", "spotify", "accounts", "reccobeats", "listenbrainz", "labs", "lastfm"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(660)]


def test_everybody_links_and_nothing_goes_wrong(tour):
    assert tour.report["errors"] == []
    assert tour.code == 0
    assert tour.report["linked"] == tour.report["members"] >= 12


def test_lists_differ_and_fit_their_owners(tour):
    assert tour.report["mean_jaccard"] <= 0.2
    assert tour.report["genre_hit_rate"] >= 0.8


def test_everybody_gets_ten_tracks_with_a_reason_each(tour):
    lists = tour.report["recommendations"]
    assert len(lists) == tour.report["members"]
    for lines in lists.values():
        assert len({line["track_id"] for line in lines}) == 10
        assert 1 <= sum(line["known"] for line in lines) <= 4
        for line in lines:
            assert line.keys() == {"track_id", "title", "artist", "match", "reason", "known"}
            assert re.fullmatch(r"[0-9A-Za-z]{22}", line["track_id"])
            assert all(line[part] for part in ("title", "artist", "reason"))
            assert 0 <= line["match"] <= 1


def test_those_who_come_through_other_doors_get_their_ten_too(tour):
    others = tour.report["others"]
    assert Counter(one["door"] for one in others.values()) == {"lastfm": 2, "listenbrainz": 2, "export": 2}
    for one in others.values():
        lines = one["recommendations"]
        assert len({line["track_id"] for line in lines}) == 10
        assert 1 <= sum(line["known"] for line in lines) <= 4
    assert tour.report["others_genre_hit_rate"] >= 0.6


def test_the_report_has_numbers_where_numbers_stand(tour):
    report = tour.report
    assert report.keys() == {
        "members",
        "linked",
        "training",
        "recommendations",
        "mean_jaccard",
        "genre_hit_rate",
        "others",
        "others_genre_hit_rate",
        "reply_ms",
        "errors",
    }
    assert report["training"]["seconds"] > 0
    assert {"help", "link", "recommend", "status", "sync", "model retrain"} <= report["reply_ms"].keys()
    for taken in report["reply_ms"].values():
        assert 0 < taken["p50"] <= taken["p99"] <= taken["max"]


def test_the_transcript_tells_the_visit(tour):
    for heading in (
        "Members link their Spotify accounts",
        "Their tracks are collected",
        "The admin trains the model",
        "Everybody asks for ten tracks",
        "Some say what they think, and ask again",
        "What it came to",
    ):
        assert f"\n{heading} ─" in tour.output
    for name in tour.report["recommendations"]:
        assert f"\n{name}  /recommend" in tour.output
    assert re.search(r" {2}▎ 10\. .+ · ", tour.output)
    assert "Traceback" not in tour.output
    assert " INFO " not in tour.output


def test_the_recording_holds_every_far_end_and_no_token(tour):
    assert {exchange["server"] for exchange in tour.exchanges} == FAR_ENDS
    keys = {"server", "method", "path", "query", "request", "status", "response"}
    assert all(exchange.keys() == keys for exchange in tour.exchanges)
    text = json.dumps(tour.exchanges).replace("0" * 64, "the application's verify_key, which is public")
    # Every token, code, state and one-time link has 43 characters or more; nothing else runs on for so long.
    assert not re.search(r"[\w-]{43,}", text)
    assert not re.search(r"/link/(?!blanked)", text)
    tokens = [exchange for exchange in tour.exchanges if exchange["path"] == "/api/token"]
    grants = Counter(exchange["request"]["grant_type"] for exchange in tokens)
    assert grants == {"authorization_code": tour.report["linked"], "client_credentials": 1}  # one for the catalogue
    assert {exchange["response"]["access_token"] for exchange in tokens} == {"blanked"}
    assert {type(exchange["response"]["expires_in"]) for exchange in tokens} == {int}


@pytest.mark.parametrize(("service", "least"), [("discord", 100), ("spotify", 100)])
def test_it_agrees_with_the_services_own_descriptions(service, least, request):
    """What the bot sends, and what the sandbox answers."""
    DESCRIPTIONS[service]()  # skips before a tour is played for nothing
    exchanges = request.getfixturevalue("tour").exchanges
    assert sum(one["server"] == service for one in exchanges) >= least
    faults = told(exchanges, service)
    assert faults == [], "\n".join(faults[:20])
