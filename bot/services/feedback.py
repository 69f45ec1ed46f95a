"""What a member says about single tracks: liked, disliked, known. Choosing the same again takes it back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.clock import Clock
from bot.errors import MemberError
from bot.storage.database import Database
from bot.storage.feedback import feedback_of, put_feedback, title_of
from specrec.interactions import Kind

FEEDBACK_KINDS = (Kind.LIKED, Kind.DISLIKED, Kind.KNOWN)
_EXCLUDES = {Kind.LIKED: Kind.DISLIKED, Kind.DISLIKED: Kind.LIKED}

Given = frozenset[Kind]
"""What stands for one track: any of FEEDBACK_KINDS, never both liked and disliked."""


@dataclass(frozen=True, slots=True)
class Change:
    """What stood for a track before, and what stands now."""

    track_id: str
    title: str
    before: Given
    now: Given


class FeedbackService:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def toggle(self, discord_id: str, track_id: str, kind: str) -> Change:
        """Give `kind` (liked, disliked or known), or take it back when it stands already. A like replaces a dislike
        and the other way round; "known" goes with either. Raises `MemberError` for a track that is gone."""
        return await self._change(discord_id, track_id, lambda before: toggled(before, Kind(kind)))

    async def restore(self, discord_id: str, track_id: str, given: Given) -> Change:
        """Let exactly `given` stand, as it did before a change: the undo, which may be pressed twice without harm."""
        return await self._change(discord_id, track_id, lambda _before: given)

    async def given(self, discord_id: str, track_ids: Sequence[str]) -> dict[str, Given]:
        """What stands for these tracks; those without anything are left out."""
        async with self._database.read() as connection:
            return _kinds(await feedback_of(connection, discord_id, track_ids))

    async def _change(self, discord_id: str, track_id: str, decide: Callable[[Given], Given]) -> Change:
        async with self._database.write() as connection:
            title = await title_of(connection, track_id)
            if title is None:
                raise MemberError("That track is not in the catalogue any more. Type /recommend for a fresh list.")
            before = _kinds(await feedback_of(connection, discord_id, [track_id])).get(track_id, frozenset())
            now = decide(before)
            await put_feedback(connection, discord_id, track_id, now, self._clock())
            return Change(track_id, title, before, now)


def toggled(before: Given, kind: Kind) -> Given:
    if kind in before:
        return before - {kind}
    return frozenset(one for one in before if one is not _EXCLUDES.get(kind)) | {kind}


def _kinds(rows: dict[str, frozenset[str]]) -> dict[str, Given]:
    return {track_id: frozenset(Kind(kind) for kind in kinds) for track_id, kinds in rows.items()}
