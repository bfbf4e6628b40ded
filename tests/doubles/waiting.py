"""A sleep that takes no time: it moves the clock it is given, and keeps what it was asked for."""

from collections.abc import Callable
from datetime import timedelta

from cripto.domain.clock import FixedClock

__all__ = ["Waits"]


class Waits:
    """Use as ``sleep``; ``slept`` are the seconds asked for, ``before_waking`` runs at the end of each."""

    def __init__(self, clock: FixedClock, before_waking: Callable[[], None] = lambda: None) -> None:
        self.clock = clock
        self.slept: list[float] = []
        self.before_waking = before_waking

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.time += timedelta(seconds=seconds)
        self.before_waking()
