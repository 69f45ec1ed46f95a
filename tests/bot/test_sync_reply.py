"""What /sync and /status show, for every stage and within Discord's limits."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.replies.status import status_page
from bot.replies.sync import sync_page
from bot.services.progress import Progress, Stage
from bot.services.status import Next, Status
from bot.sources import Source
from bot.spotify.records import Skip
from bot.storage.holdings import Holding
from bot.storage.syncs import SyncAccount
from specrec.interactions import Kind

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def words(embed):
    assert len(embed) <= 6000
    for field in embed.fields:
        assert 0 < len(field.value) <= 1024
    return "\n".join(
        [embed.title, embed.description or "", *(f"{field.name}: {field.value}" for field in embed.fields)]
    )


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("full", [False, True])
def test_every_stage_has_a_page(stage, full):
    progress = Progress(stage)
    if full:
        big = 10**7
        progress = Progress(
            stage, big, big, big, big, big, big, Counter(dict.fromkeys(Skip, big)), big, big, big, big, "R" * 300, NOON
        )
    assert words(sync_page(progress))
    assert words(sync_page(progress, joined=True, left_alone=True))


def test_one_and_many():
    text = words(sync_page(Progress(Stage.COMPLETE, entries=1, added=1, tracks=1, skipped=Counter({Skip.EPISODE: 2}))))
    assert "I know 1 track of yours." in text
    assert "1 entry read, 1 of them new" in text
    assert "Left out: 2 podcast episodes" in text


def test_nothing_found_says_what_to_do():
    assert "play or save some music" in words(sync_page(Progress(Stage.COMPLETE)))


def test_a_sync_that_outlives_its_message_says_where_to_look():
    assert "`/status`" in words(sync_page(Progress(Stage.PLAYLISTS, playlists=9, playlists_done=3), left_alone=True))


def account(**changes):
    values: dict[str, Any] = {
        "id": 1,
        "member_id": 1,
        "discord_id": "1",
        "source": "spotify",
        "user_id": "ada",
        "status": "linked",
        "linked_at": NOON,
        "last_synced_at": None,
        "started_at": None,
        "resumes_at": None,
        "note": None,
        "authorised_at": NOON,
    }
    return SyncAccount(**values | changes)


@pytest.mark.parametrize("following", Next)
def test_every_status_has_a_page(following):
    everything = tuple(Holding(source, kind, 10**6, 10**6) for source in Source for kind in Kind)
    for linked in (None, account(), account(status="needs_reconnect", note="N" * 300, resumes_at=NOON)):
        for progress in (None, Progress(Stage.SAVED)):
            for holdings in ((), everything):
                assert words(status_page(Status(True, linked, progress, holdings, len(holdings), 1, following)))


def test_a_single_track_is_one_track():
    liked = (Holding("discord", "liked", 1, 1),)
    assert "Altogether: 1 track; features known for 100 % of your tracks." in words(
        status_page(Status(True, None, None, liked, 1, 1, Next.LINK))
    )


def test_a_kind_or_source_from_a_newer_version_does_no_harm():
    strange = (Holding("spotify", "hummed", 2, 1), Holding("minidisc", "saved", 1, 1))
    text = words(status_page(Status(True, account(), None, strange, 3, 0, Next.RECOMMEND)))
    assert "2 tracks hummed" in text
    assert "From minidisc: 1 track saved" in text
