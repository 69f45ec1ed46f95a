"""Several sources as one, in the order that the host chose: each is asked only for what those before it do not know."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bot.audio_features.base import AudioFeatures, FeatureSource, SourceClosedError, Wanted
from bot.errors import AudioFeaturesError


@dataclass(frozen=True, slots=True)
class Answer:
    source: str
    asked: tuple[int, ...]  # track ids; those that are not in `found` are misses
    found: Mapping[int, AudioFeatures]


class Chain:
    def __init__(self, sources: Sequence[FeatureSource]) -> None:
        self._sources = sources

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sources that this host is let in to."""
        return tuple(source.name for source in self._sources if source.is_open)

    @property
    def batch(self) -> int:
        return max((source.batch for source in self._sources if source.is_open), default=0)

    async def look_up(self, wanted: Sequence[Wanted]) -> AsyncIterator[Answer]:
        """One answer a question. A source that fails is passed over; if tracks are left that it might have known,
        `AudioFeaturesError` is raised after the other sources had their turn."""
        rest = list(wanted)
        failure: AudioFeaturesError | None = None
        for source in [one for one in self._sources if one.is_open]:
            asked = [one for one in rest if source.name not in one.missed_by]
            for start in range(0, len(asked), source.batch):
                part = asked[start : start + source.batch]
                try:
                    found = await source.look_up(part)
                except SourceClosedError:
                    break
                except AudioFeaturesError as error:
                    failure = error
                    break
                yield Answer(source.name, tuple(one.track_id for one in part), found)
                rest = [one for one in rest if one.track_id not in found]
        if failure is not None and rest:
            raise failure
