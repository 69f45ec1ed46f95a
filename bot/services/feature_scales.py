"""Audio features of several sources on one scale: each source is standardised apart, by the median and spread of what
it measured itself, and read in the units of one of them. What a track is like does not depend on who measured it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from bot.clock import Clock
from bot.storage.database import Database
from bot.storage.feature_scales import Lines, put_scales, samples, scales
from specrec.features import FEATURES, Scaling

log = logging.getLogger(__name__)

FEW = 50  # tracks: from fewer no spread can be told, and the source is taken as it is
SAMPLE = 20_000  # tracks of each source, which is plenty

Measured = Mapping[str, Sequence[tuple[float | None, ...]]]


class FeatureScaleService:
    """`order`: the sources as the host wants them asked; the first of them that has enough is the reference."""

    def __init__(self, database: Database, order: Sequence[str], clock: Clock) -> None:
        self._database = database
        self._order = list(order)
        self._clock = clock

    async def measure(self) -> None:
        """Anew from what is stored; the catalogue reads every track by it from then on."""
        async with self._database.read() as connection:
            before = await scales(connection)
            measured = await samples(connection, FEATURES, SAMPLE)
        lines = await asyncio.to_thread(lines_to_reference, measured, self._order)
        if lines != before:
            async with self._database.write() as connection:
                await put_scales(connection, lines, self._clock())
            log.info("audio features of %s are read on one scale with the others'", ", ".join(lines) or "no source")


def lines_to_reference(measured: Measured, order: Sequence[str]) -> dict[str, Lines]:
    """For each source but the reference: what brings its numbers to the reference's scale. `measured`: the nine of each
    track, None where unknown. Sources that are not in `order` come last, by their names."""
    fitted = {
        source: Scaling.fit(np.array(rows, dtype=np.float32).reshape(-1, len(FEATURES)))
        for source, rows in measured.items()
        if len(rows) >= FEW
    }
    ranked = sorted(fitted, key=lambda source: (order.index(source) if source in order else len(order), source))
    if len(ranked) < 2:
        return {}
    reference, others = fitted[ranked[0]], ranked[1:]
    return {source: _lines(fitted[source], reference) for source in others}


def _lines(own: Scaling, reference: Scaling) -> Lines:
    factors = reference.spread.astype(np.float64) / own.spread
    shifts = reference.centre - own.centre * factors
    return tuple(
        (round(float(factor), 6), round(float(shift), 6)) for factor, shift in zip(factors, shifts, strict=True)
    )
