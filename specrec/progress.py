"""What a training run says on its way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: `fraction` (0-1) of the whole run; `step` and `loss` while a part of the network trains."""

    stage: str
    fraction: float
    step: int | None = None
    loss: float | None = None


def silent(progress: Progress) -> None:
    """Nobody watches."""
