"""Work that must not be felt by requests: on a thread of its own, which gives way to the one that answers them."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")

_NICE = 10
"""A ninth of the processor where requests want all of it, so that what is served still gets renewed."""


async def aside(work: Callable[[], T]) -> T:
    """Run ``work`` on a daemon thread of lower priority, and return or raise what it does.

    For what happens now and then: each call starts a thread. If the waiting task is cancelled the thread goes on
    and its outcome is dropped; it does not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        _give_way()
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # a loop that has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await outcome


def _give_way() -> None:
    # Linux alone gives each thread a priority of its own
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
