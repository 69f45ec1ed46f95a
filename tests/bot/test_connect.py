"""Connecting, collecting and disconnecting over sockets: whose name it is, pages, what is new, matching, refusals."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.errors import HostKeyError, MemberError, NoSuchUserError, NotLinkedError, PrivateUserError, ServiceDownError
from bot.services.listen_progress import ListenStage
from bot.storage.members import set_paused
from bot.storage.schema import account, member, track_alias
from tests.bot.connecting import LASTFM, LISTENBRAINZ, SPRING, connecting, record
from tests.bot.linking import everything_on_disk

DAY = 86_400


@pytest.fixture
async def office(database):
    async with connecting(database) as office:
        yield office


def listens(office, number, *, name="Rob", at=SPRING, carried=True):
    """`number` plays an hour apart, the newest at `at`, of ten songs."""
    user = office.listenbrainz.users.get(name.lower()) or office.listenbrainz.add_user(name)
    for place in range(number):
        song = place % 10
        extra = {"spotify_id": f"https://open.spotify.com/track/{song:022d}"} if carried else {}
        user.listen(at - 3_600 * place, f"Song {song}", f"Artist {song}", f"Album {song}", **extra)
    return user


def scrobbles(office, number, *, name="Rita", at=SPRING):
    user = office.lastfm.users.get(name.lower()) or office.lastfm.add_user(name)
    for place in range(number):
        user.scrobble(at - 3_600 * place, f"Song {place % 10}", f"Artist {place % 10}")
    return user


async def refusal(what):
    with pytest.raises(MemberError) as caught:
        await what
    return str(caught.value)


async def test_listens_and_loves_become_interactions(office):
    user = listens(office, 25)
    user.love(SPRING, "Song 3", "Artist 3", spotify_id=f"spotify:track:{3:022d}")
    progress = await office.connect(user="rob")
    assert progress.stage is ListenStage.COMPLETE
    assert (progress.read, progress.there, progress.counts.new, progress.loved, progress.tracks) == (25, 25, 25, 1, 10)
    assert await office.known("streamed") == {f"Song {n}": 3 if n < 5 else 2 for n in range(10)}
    assert await office.known("liked") == {"Song 3": 1}
    assert (await office.spotify_ids())["Song 7"] == f"{7:022d}"
    [row] = await office.rows(select(account.c.user_id, account.c.external_id, account.c.proven, account.c.status))
    assert row == ("Rob", "rob", False, "linked")


async def test_last_fm_is_matched_by_names_and_nothing_that_plays_now_is_stored(office):
    await office.know(*(record(f"{n:022d}", f"Song {n}", f"Artist {n}") for n in range(6)))
    user = scrobbles(office, 20)
    user.playing = user.scrobbles[0]
    user.love(SPRING, "Song 2", "Artist 2")
    user.love(SPRING, "Song 9", "Artist 9")
    progress = await office.connect(LASTFM, "RITA")
    assert progress.stage is ListenStage.COMPLETE
    assert (progress.read, progress.counts.new, progress.counts.unmatched, progress.waiting) == (20, 20, 8, 8)
    assert (progress.loved, progress.loved_unknown) == (1, 1)
    assert await office.known("streamed") == {f"Song {n}": 2 for n in range(6)}
    await office.know(record("9" * 22, "Song 9", "Artist 9"))
    later = await office.collect()
    assert (later.counts.new, later.waiting, later.loved) == (0, 6, 2)
    assert (await office.known("streamed"))["Song 9"] == 2


@pytest.mark.parametrize(("source", "pages"), [(LISTENBRAINZ, 3), (LASTFM, 12)])
async def test_a_long_history_comes_in_pages_and_the_next_time_only_what_is_new(office, source, pages):
    user = listens(office, 2_300) if source is LISTENBRAINZ else scrobbles(office, 2_300)
    server = office.listenbrainz if source is LISTENBRAINZ else office.lastfm
    first = await office.connect(source, user.name)
    assert (first.counts.new, first.counts.already_there) == (2_300, pages - 1)  # the second at each page's edge again
    server.requests.clear()
    again = await office.collect()
    assert again.counts.new == 0
    assert len(server.requests) <= 3
    if source is LISTENBRAINZ:
        user.listen(SPRING + 500, "Song 1", "Artist 1", spotify_id=f"{1:022d}")
    else:
        user.scrobble(SPRING + 500, "Song 1", "Artist 1")
    assert (await office.collect()).counts.new == 1
    assert (await office.held())["listen"] == 2_301


async def test_older_listens_that_were_added_later_are_found_by_their_number(office):
    user = listens(office, 1_100)
    await office.connect()
    listens(office, 40, at=SPRING - 400 * DAY)
    assert (await office.collect(days=1)).counts.new == 0  # everything anew at most once a week
    assert (await office.collect(days=7)).counts.new == 40
    before = len(office.listenbrainz.requests)
    assert (await office.collect(days=8)).counts.new == 0
    assert len(office.listenbrainz.requests) - before == 3
    assert len(user.listens) == 1_140


async def test_many_listens_at_one_second_end_all_the_same(office):
    user = office.listenbrainz.add_user("Rob")
    for number in range(1_500):
        user.listen(SPRING, f"Song {number}", "Artist", spotify_id=f"{number:022d}")
    listens(office, 5, at=SPRING - DAY)
    progress = await office.connect()
    assert progress.stage is ListenStage.COMPLETE
    assert (await office.known())["Song 0"] >= 1
    assert progress.counts.new == 1_005  # of one second no more than a page can be had


async def test_what_is_not_loved_any_more_is_no_like_any_more(office):
    user = listens(office, 3)
    user.love(SPRING, "Song 1", "Artist 1", spotify_id=f"{1:022d}")
    user.love(SPRING, "Song 2", "Artist 2", spotify_id=f"{2:022d}")
    await office.connect()
    del user.loved[0]
    await office.collect()
    assert await office.known("liked") == {"Song 2": 1}


async def test_a_stop_between_two_pages_loses_nothing_and_goes_on_there(office):
    user = listens(office, 3_000)
    hold = office.listenbrainz.hold("/1/user/*/listens", skip=3)  # who it is, and two pages
    run = await office.service.connect("100", LISTENBRAINZ, "rob")
    await asyncio.wait_for(hold.arrived.wait(), 10)
    await office.service.close()
    assert run.progress.stage is ListenStage.STOPPED
    assert (await office.held())["listen"] == 1_999
    office.listenbrainz.clear_faults()
    office.listenbrainz.requests.clear()
    await office.restart()
    await office.service.start_due(timedelta(days=1))
    await (await office.begin()).wait()
    assert (await office.held())["listen"] == 3_000
    assert office.listenbrainz.count("/1/user/*/listens") == 2
    assert (await office.known())["Song 0"] == 300
    assert len(user.listens) == 3_000


async def test_an_isrc_and_a_name_lead_to_a_known_track_and_the_carried_id_decides(office):
    await office.know(record("a" * 22, "Known", "Band", "QZSBX2600001"), record("b" * 22, "Other", "Band"))
    user = office.listenbrainz.add_user("Rob")
    user.listen(SPRING, "Known (Live)", "The Band", isrc="QZ-SBX-26-00001")
    user.listen(SPRING + 1, "OTHER (feat. Guest)", "Band feat. Guest")
    user.listen(SPRING + 2, "Quite different", "Whoever", origin_url="https://open.spotify.com/track/" + "b" * 22)
    await office.connect()
    assert await office.known() == {"Known": 1, "Other": 2}


async def test_the_labs_are_asked_once_for_what_nobody_knows_here(office):
    office.labs.add("m" * 22, "By Id", "Canonical", "", mbid="8f3471b5-7e6a-48da-86a9-c1c07a0f47ae")
    office.labs.add("n" * 22, "By Name", "Band")
    user = office.listenbrainz.add_user("Rob")
    user.listen(SPRING, "By id", "Somebody", recording_mbid="8f3471b5-7e6a-48da-86a9-c1c07a0f47ae")
    user.listen(SPRING + 60, "By Name", "Band")
    user.listen(SPRING + 120, "By Nobody", "Band")
    user.love(SPRING, "By Name", "Band")
    progress = await office.connect()
    assert (progress.looked_up, progress.waiting, progress.loved) == (3, 1, 1)
    assert await office.known("streamed") == {"By id": 1, "By Name": 1}
    assert await office.spotify_ids() == {"By id": "m" * 22, "By Name": "n" * 22}
    assert len(office.labs.requests) == 2
    await office.collect()
    assert len(office.labs.requests) == 2  # a miss is remembered for a month
    office.labs.add("o" * 22, "By Nobody", "Band")
    later = await office.collect(days=31)
    assert later.waiting == 0
    assert await office.waiting() == []


async def test_several_names_of_one_track_all_lead_to_it(office):
    await office.know(record("a" * 22, "Real Name", "Band"))
    office.labs.add("a" * 22, "Reel Nmae", "Band")
    user = office.listenbrainz.add_user("Rob")
    user.listen(SPRING, "Reel Nmae", "Band")
    await office.connect()
    assert await office.known() == {"Real Name": 1}
    names = await office.rows(select(track_alias.c.value).where(track_alias.c.scheme == "name"))
    assert len(names) == 2


@pytest.mark.parametrize("trouble", ["down", "gone", "nonsense", "absent"])
async def test_without_the_labs_everything_else_goes_on(database, trouble):
    async with connecting(database, with_labs=trouble != "absent") as office:
        listens(office, 5)
        office.listenbrainz.users["rob"].listen(SPRING, "Nobody knows", "Band")
        if trouble == "down":
            office.labs.disconnect()
        elif trouble == "gone":
            await office.labs.stop()
        elif trouble == "nonsense":
            office.labs.fail_next("*", 200, 9, body={"not": "a list"})
        progress = await office.connect()
        assert progress.stage is ListenStage.COMPLETE
        assert (progress.counts.new, progress.waiting) == (6, 1)


async def test_a_token_proves_and_is_kept_nowhere(office, caplog):
    listens(office, 3).token = "a-token-that-nobody-may-see"
    caplog.set_level("INFO")
    caplog.set_level("DEBUG", logger="bot")
    await office.connect(user="ROB", token="a-token-that-nobody-may-see")
    assert await office.rows(select(account.c.proven)) == [(True,)]
    assert b"a-token-that-nobody-may-see" not in everything_on_disk(office.database)
    assert "a-token" not in caplog.text
    assert "rob" not in caplog.text.lower().replace("problem", "")
    await office.connect(user="rob")  # once more without it: what was proved stays
    assert await office.rows(select(account.c.proven)) == [(True,)]


async def test_tokens_that_prove_nothing(office):
    listens(office, 3)
    office.listenbrainz.add_user("Other", token="token-of-somebody-else")
    assert "belongs to another" in await refusal(office.connect(token="token-of-somebody-else"))
    assert "does not know that token" in await refusal(office.connect(token="nonsense"))
    assert "does not know that token" in await refusal(office.connect(token="a\r\nb"))
    assert (await office.held())["account"] == 0


async def test_a_name_is_a_claim_the_first_has_it_and_a_proof_takes_it(office):
    listens(office, 20).token = "t"
    await office.connect(member="100")
    text = await refusal(office.connect(member="200"))
    assert "Another member here has connected this ListenBrainz user already" in text
    assert "`token`" in text
    progress = await office.connect(member="200", token="t")
    assert progress.counts.new == 20
    held = dict(await office.rows(select(account.c.status, account.c.sync_note)))
    assert held["linked"] is None
    assert "proved that the user you had named is theirs" in held["ended"]
    assert (await office.held())["listen"] == 20
    text = await refusal(office.connect(member="100"))
    assert "Another member here has proved" in text
    assert await office.service.start("100") == []
    # The ended one can be cleared away, or another name connected in its place.
    listens(office, 5, name="Somebody")
    assert (await office.connect(member="100", user="somebody")).counts.new == 5
    assert len(await office.rows(select(account))) == 2


async def test_a_proof_in_the_middle_of_the_claims_collection(office):
    listens(office, 1_500).token = "t"
    hold = office.listenbrainz.hold("/1/user/*/listens", skip=2)
    claim = await office.service.connect("100", LISTENBRAINZ, "rob")
    await asyncio.wait_for(hold.arrived.wait(), 10)
    office.listenbrainz.clear_faults()
    await office.connect(member="200", token="t")
    await claim.wait()
    assert claim.progress.stage is ListenStage.GONE
    assert (await office.held())["listen"] == 1_500


async def test_another_name_needs_a_disconnect_first(office):
    listens(office, 2)
    listens(office, 2, name="Other")
    await office.connect()
    assert "`/disconnect service:ListenBrainz`" in await refusal(office.connect(user="Other"))


async def test_last_fm_knows_no_proof_and_says_what_to_do(office):
    scrobbles(office, 2)
    await office.connect(LASTFM, "rita", member="100")
    assert "`/disconnect service:Last.fm` frees it" in await refusal(office.connect(LASTFM, "Rita", member="200"))


async def test_disconnecting_deletes_what_came_from_there_and_counts_it(office):
    user = listens(office, 30)
    user.love(SPRING, "Song 1", "Artist 1", spotify_id=f"{1:022d}")
    user.listen(SPRING + 5, "Nobody knows", "Zanzibar")
    scrobbles(office, 4)
    await office.connect()
    await office.connect(LASTFM, "rita")
    erased = await office.disconnect(LISTENBRAINZ)
    assert (erased.accounts, erased.plays, erased.interactions, erased.tracks) == (1, 31, 11, 10)
    assert await office.held() == {"account": 1, "listing": 2, "listen": 4, "interaction": 4}
    assert await office.waiting() == []
    on_disk = everything_on_disk(office.database)
    assert b"Zanzibar" not in on_disk
    assert b"Rob" not in on_disk
    with pytest.raises(NotLinkedError, match="no ListenBrainz user connected"):
        await office.disconnect(LISTENBRAINZ)
    with pytest.raises(NotLinkedError):
        await office.disconnect(LASTFM, "nobody")


async def test_disconnecting_in_the_middle(office):
    listens(office, 2_500)
    hold = office.listenbrainz.hold("/1/user/*/listens", skip=2)
    run = await office.service.connect("100", LISTENBRAINZ, "rob")
    await asyncio.wait_for(hold.arrived.wait(), 10)
    assert (await office.disconnect(LISTENBRAINZ)).plays == 1_000
    hold.release()
    await run.wait()
    assert run.progress.stage is ListenStage.GONE
    assert await office.held() == {"account": 0, "listing": 0, "listen": 0, "interaction": 0}


async def test_refusals_in_plain_words(office):
    with pytest.raises(NoSuchUserError) as nobody:
        await office.connect(user="nobody")
    assert nobody.value.told == (
        "ListenBrainz knows no user of that name. Look at how it is spelt on your profile page there."
    )
    for typed in ("", "   ", "..", "a/b", "x" * 65, "tab\there"):
        with pytest.raises(NoSuchUserError):
            await office.connect(user=typed)
    with pytest.raises(NoSuchUserError):
        await office.connect(LASTFM, "nobody")
    office.lastfm.add_user("shy", hidden=True)
    with pytest.raises(PrivateUserError) as hidden:
        await office.connect(LASTFM, "shy")
    assert "hides their recent listening on Last.fm" in hidden.value.told
    office.lastfm.suspended = True
    with pytest.raises(HostKeyError) as key:
        await office.connect(LASTFM, "shy")
    assert "does not accept this host's key" in key.value.told
    office.lastfm.suspended, office.lastfm.key = False, "another"
    with pytest.raises(HostKeyError):
        await office.connect(LASTFM, "shy")
    office.listenbrainz.disconnect()
    with pytest.raises(ServiceDownError) as down:
        await office.connect(user="rob")
    assert "ListenBrainz does not answer at the moment" in down.value.told
    assert await office.held() == {"account": 0, "listing": 0, "listen": 0, "interaction": 0}


async def test_a_profiles_address_will_do(office):
    listens(office, 2, name="Rob B")
    assert (await office.connect(user="https://listenbrainz.org/user/Rob%20B/")).counts.new == 2


async def test_a_page_that_is_not_understood_stores_nothing_and_is_no_empty_history(office):
    listens(office, 3)
    await office.connect()
    office.listenbrainz.fail_next("/1/user/*/listens", 200, body={"payload": {"listens": "many"}})
    progress = await office.collect()
    assert progress.stage is ListenStage.STOPPED
    assert "did not answer" in progress.reason or "does not answer" in progress.reason
    assert progress.resumes_at == office.clock() + timedelta(minutes=30)
    assert (await office.held())["listen"] == 3


async def test_a_user_who_is_gone_for_a_week_is_gone_here_too(office):
    listens(office, 3)
    await office.connect()
    del office.listenbrainz.users["rob"]
    progress = await office.collect()
    assert progress.stage is ListenStage.STOPPED
    assert progress.resumes_at == office.clock() + timedelta(days=7)
    assert (await office.held())["listen"] == 3
    progress = await office.collect(days=7)
    assert progress.stage is ListenStage.GONE
    assert (await office.held())["listen"] == 0
    [(status, note)] = await office.rows(select(account.c.status, account.c.sync_note))
    assert status == "ended"
    assert "no such user any more" in note


async def test_a_user_who_comes_back_is_not_gone(office):
    user = listens(office, 3)
    await office.connect()
    del office.listenbrainz.users["rob"]
    await office.collect()
    office.listenbrainz.users["rob"] = user
    await office.collect(days=5)
    del office.listenbrainz.users["rob"]
    assert (await office.collect(days=5)).stage is ListenStage.STOPPED
    assert (await office.held())["listen"] == 3


async def test_the_daily_task_begins_what_is_due_and_some_at_a_time(office):
    for number in range(6):
        listens(office, 2, name=f"user{number}")
        await office.connect(user=f"user{number}", member=str(number))
    await office.service.start_due(timedelta(days=1))
    assert list(office.service._runs) == []
    office.clock.turn(days=1)
    hold = office.listenbrainz.hold("*")
    await office.service.start_due(timedelta(days=1))
    assert len(office.service._runs) == 4
    await office.service.start_due(timedelta(days=1))
    assert len(office.service._runs) == 4
    hold.release()
    await asyncio.gather(*(run.wait() for run in office.service._runs))
    await office.service.start_due(timedelta(days=1))
    assert len(office.service._runs) == 2


async def test_last_fm_keeps_within_its_room(office, monkeypatch):
    scrobbles(office, 450)
    monkeypatch.setattr("bot.imports.lastfm.LastFm.room", 300)
    progress = await office.connect(LASTFM, "rita")
    assert progress.stage is ListenStage.STOPPED
    assert "keep only so much of its data" in progress.reason
    assert (await office.held())["listen"] == 399  # the page that reached it is the last
    assert await office.known() == {}


async def test_whoever_pauses_is_not_read_and_goes_on_afterwards(office):
    listens(office, 2_500)
    hold = office.listenbrainz.hold("/1/user/*/listens", skip=2)
    run = await office.service.connect("100", LISTENBRAINZ, "rob")
    await asyncio.wait_for(hold.arrived.wait(), 10)
    await pause(office, office.clock())
    hold.release()
    await run.wait()
    assert run.progress.stage is ListenStage.STOPPED
    assert "You have paused" in run.progress.reason
    assert (await office.held())["listen"] == 1_000
    assert "You have paused" in await refusal(office.service.start("100"))
    assert "You have paused" in await refusal(office.connect())
    await office.service.start_due(timedelta(days=0))
    assert list(office.service._runs) == []
    await pause(office, None)
    assert (await office.collect()).stage is ListenStage.COMPLETE
    assert (await office.held())["listen"] == 2_500


async def pause(office, since):
    async with office.database.write() as connection:
        await set_paused(connection, 1, since)


@pytest.mark.parametrize("source", [None, LISTENBRAINZ])
async def test_what_is_taken_back_while_the_service_answers_leaves_nothing(office, source):
    """None: /privacy delete, which asks everybody who is at work to forget; else /disconnect."""
    listens(office, 3)
    hold = office.listenbrainz.hold("/1/user/*/listens")
    asked = asyncio.create_task(office.connect())
    await asyncio.wait_for(hold.arrived.wait(), 30)
    await office.service.forget("100", LASTFM)
    await office.service.forget("200")  # somebody else, and another service: nothing to this one
    await office.service.forget("100", source)
    hold.release()
    assert "took that back" in await refusal(asked)
    assert set((await office.held()).values()) == {0}
    assert await office.rows(select(member)) == []
    assert (await office.connect()).stage is ListenStage.COMPLETE  # a new command is a new wish
