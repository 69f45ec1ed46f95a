"""Spotify's own numbers, for the few applications that had extended access before November 2024."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bot.audio_features.base import AudioFeatures, SourceClosedError, Wanted, read_features
from bot.errors import AudioFeaturesError, ForbiddenError, SpotifyError

IDS_PER_CALL = 100


class SpotifyFeatures:
    """`ask` gets at most a hundred Spotify ids and gives as many objects, None for the unknown; `is_closed` says
    whether this application is known not to be let in."""

    name = "spotify"
    batch = IDS_PER_CALL

    def __init__(self, ask: Callable[[Sequence[str]], Awaitable[Sequence[Any]]], is_closed: Callable[[], bool]) -> None:
        self._ask = ask
        self._is_closed = is_closed

    @property
    def is_open(self) -> bool:
        return not self._is_closed()

    async def look_up(self, wanted: Sequence[Wanted]) -> Mapping[int, AudioFeatures]:
        try:
            rows = await self._ask([one.spotify_id for one in wanted])
        except ForbiddenError as error:
            raise SourceClosedError(str(error)) from error
        except SpotifyError as error:
            raise AudioFeaturesError(str(error)) from error
        found: dict[int, AudioFeatures] = {}
        for one, row in zip(wanted, rows, strict=True):
            if isinstance(row, dict) and not (features := read_features(row)).is_empty:
                found[one.track_id] = features
        return found
