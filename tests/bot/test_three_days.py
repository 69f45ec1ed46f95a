"""Three days of a server of twelve, lived through in seconds: two hundred requests a day, libraries of forty requests
each, and on the second day an outage in which Spotify refuses to renew every link."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from bot.spotify.kinds import CallKind
from bot.storage.schema import account, interaction
from sandbox.spotify.quota import Quota
from tests.bot.collecting import Desk, collecting

MEMBERS = 12
PLAYLISTS = 33  # of a page each; with their list and six other listings forty requests
STEP = timedelta(hours=1)
OUTAGE = (timedelta(hours=23), timedelta(hours=31))


@dataclass
class Diary:
    """What members could read at each step, and what they were promised."""

    notes: set[str] = field(default_factory=set)
    statuses: set[str] = field(default_factory=set)
    promised: dict[str, datetime] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    async def write(self, desk: Desk) -> None:
        now = desk.clock.now
        for row in await desk.rows(select(account)):
            self.statuses.add(row.status)
            if row.sync_note is not None:
                self.notes.add(row.sync_note)
            promised = self.promised.pop(row.user_id, None)
            if promised is not None and promised <= now and row.sync_resumes_at == promised:
                self.broken.append(f"{row.user_id} was promised {promised}, and at {now} nothing had gone on")
            if row.sync_resumes_at is not None:
                self.promised[row.user_id] = row.sync_resumes_at
                told = re.search(r"(\d\d \w+, \d\d:\d\d) UTC", row.sync_note or "")
                if told and told[1] != f"{row.sync_resumes_at:%d %B, %H:%M}":
                    self.broken.append(f"{row.user_id} reads {told[1]}, but it goes on at {row.sync_resumes_at}")


async def settle(desk: Desk) -> None:
    for number in range(MEMBERS):
        user = desk.spotify.add_user(f"member{number}", f"Member {number}")
        songs = desk.songs(PLAYLISTS + 4, f"Song of {number}", known=False)
        for place in range(PLAYLISTS):
            user.add_playlist(f"List {place}", songs[place : place + 1])
        user.save(songs[PLAYLISTS : PLAYLISTS + 2])
        user.set_top("short_term", songs[PLAYLISTS + 2 : PLAYLISTS + 3])
        user.play(songs[PLAYLISTS + 3], desk.clock())
        await desk.link(user, token_life=timedelta(hours=1))


@pytest.mark.timeout(1200)  # half a minute of work, but many round trips on a busy machine
async def test_three_days(database) -> None:
    """The host does not know the quota: the bot's own budget lies above it, so that Spotify has to say no."""
    budgets = {CallKind.PLAYLISTS: 400, CallKind.OTHER: 400}
    async with collecting(database, budgets=budgets) as desk:
        await settle(desk)
        desk.spotify.quota = Quota(200)
        daily = desk.daily()
        diary, begun, outage = Diary(), desk.clock.now, None
        while (passed := desk.clock.now - begun) < timedelta(days=3):
            if outage is None and passed >= OUTAGE[0]:
                outage = desk.spotify.accounts.refuse_refreshes()
            elif outage is not None and passed >= OUTAGE[1]:
                outage.clear()
            await daily.tick()
            await diary.write(desk)
            desk.clock.now += STEP

        rows = await desk.rows(select(account))
        assert all(row.last_synced_at is not None and row.sync_started_at is None for row in rows)
        query = select(interaction.c.member_id, interaction.c.kind, interaction.c.track_id)
        held = [(row.member_id, row.kind) for row in await desk.rows(query)]
        kinds = ("playlist", *["playlist"] * (PLAYLISTS - 1), "saved", "saved", "top", "recently_played")
        assert sorted(held) == sorted((row.member_id, kind) for row in rows for kind in kinds)

        assert diary.statuses == {"linked"}
        assert not [note for note in diary.notes if "/link" in note or "econnect" in note]
        assert diary.broken == []
        assert outage is not None
        assert outage.hits > 0
        assert desk.spotify.quota.wasted == 0
        assert 0 < desk.spotify.quota.refused <= 3
