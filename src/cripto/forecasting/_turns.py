"""Turns taken by work on thousands of assets with whatever else the interpreter has to do."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, sleep
from typing import TypeVar

__all__ = ["in_turns"]

T = TypeVar("T")

_WORK_SECONDS = 0.0005
_REST_SECONDS = 0.0005


def in_turns(
    items: Iterable[T], clock: Callable[[], float] = perf_counter, rest: Callable[[float], None] = sleep
) -> Iterator[T]:
    """The items; between two of them a short rest whenever half a millisecond was worked.

    A thread that answers requests asks for the interpreter several times a request, and waits each time while
    another thread computes: it would fall behind, and its callers would wait for as long as the whole work takes.
    So it falls behind by half a millisecond. One item is never rested for.
    """
    begun = clock()
    for place, item in enumerate(items):
        if place and clock() - begun > _WORK_SECONDS:
            rest(_REST_SECONDS)
            begun = clock()
        yield item
