"""Where answers that are not at hand are worked out: a few threads, and a queue that does not grow for ever."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from cripto.errors import Overloaded

__all__ = ["Desk"]

T = TypeVar("T")

_MAY_WAIT = 512


class Desk:
    """Runs blocking work off the event loop, on at most ``threads`` threads at once.

    Where ``may_wait`` callers wait for one already, another is told so at once: it would wait for longer than
    callers do, and what it holds meanwhile is taken from the others.
    """

    def __init__(self, threads: int, may_wait: int = _MAY_WAIT) -> None:
        self._limiter = CapacityLimiter(threads)
        self._may_wait = may_wait

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``; raises `Overloaded`, or what the work raises."""
        if self._limiter.statistics().tasks_waiting >= self._may_wait:
            raise Overloaded
        return await to_thread.run_sync(work, limiter=self._limiter)
