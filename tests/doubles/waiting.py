"""A sleep that takes next to no time: it moves the clock it is given, and keeps what it was asked for."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from cripto.domain.clock import FixedClock

__all__ = ["Waits"]


class Waits:
    """Use as ``sleep``; ``slept`` are the seconds asked for, ``before_waking`` is told them at the end of each.

    ``real`` is how long each truly takes, in seconds: what others do meanwhile happens before the clock moves.
    """

    def __init__(self, clock: FixedClock, before_waking: Callable[[float], None] = lambda seconds: None) -> None:
        self.clock = clock
        self.real = 0.0
        self.slept: list[float] = []
        self.before_waking = before_waking

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(self.real)  # others go on meanwhile
        self.clock.time += timedelta(seconds=seconds)
        self.before_waking(seconds)
