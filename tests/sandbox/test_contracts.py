"""What holds a tour against the services' own descriptions finds faults itself: so that it cannot agree for nothing."""

import copy

from tests.sandbox.contracts import told


def exchange(server, path, *, method="GET", query=None, request=None, status=200, response=None):
    return {
        "server": server,
        "method": method,
        "path": path,
        "query": query or {},
        "request": request,
        "status": status,
        "response": response,
    }


PAGE = {"href": "x", "items": [], "limit": 50, "next": None, "offset": 0, "previous": None, "total": 0}


def test_the_check_itself_finds_faults():
    good = exchange("spotify", "/me/tracks", query={"limit": "50"}, response=PAGE)
    assert told([good], "spotify") == []
    for change in (
        {"path": "/me/nothing"},
        {"method": "PATCH"},
        {"query": {"limit": "51"}},
        {"query": {"page": "1"}},
        {"status": 302},
        {"response": None},
        {"response": {**PAGE, "total": None}},
        {"response": {**PAGE, "items": [{"track": {"id": 5}}]}},
    ):
        assert told([copy.deepcopy(good) | change], "spotify"), change

    message = {"content": "hello"}
    good = exchange("discord", "/channels/1/messages", method="POST", request=message, status=403)
    good["response"] = {"message": "Missing Permissions", "code": 50013}
    assert told([good], "discord") == []
    assert told([good | {"response": {"code": 50013}}], "discord")
    sent = good | {"status": 200, "response": {"id": "1"}}
    assert any("answer $" in fault for fault in told([sent], "discord"))
    long = sent | {"request": {"content": "x" * 4001}}
    assert any("request $.content" in fault for fault in told([long], "discord"))


def test_numbers_for_ids_are_the_only_numbers_for_text():
    opening = exchange("discord", "/users/@me/channels", method="POST", request={"recipient_id": 123456}, status=200)
    requests = [fault for fault in told([opening], "discord") if "request" in fault]
    assert requests == []
    wrong = opening | {"request": {"recipient_id": 123456, "nick": 5, "access_tokens": 7}}
    assert any("request" in fault for fault in told([wrong], "discord"))
