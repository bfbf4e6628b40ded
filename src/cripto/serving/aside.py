"""Work that must not be felt by requests: on a thread of its own, which gives way to the one that answers them."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

__all__ = ["aside", "give_way", "libraries_give_way"]

T = TypeVar("T")

_NICE = 13
"""A nineteenth of a processor that requests want all of: candles still arrive within seconds then."""


async def aside(work: Callable[[], T], *, urgent: bool = False) -> T:
    """Run ``work`` on a daemon thread of lower priority, and return or raise what it does.

    With ``urgent`` its priority is the usual one: for what requests wait for. Whoever watches the steps of the
    caller watches those of the work too.

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
        if not urgent:
            give_way()
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # a loop that has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=copy_context().run, args=(run,), name="aside", daemon=True).start()
    return await outcome


def give_way() -> None:
    """Lower the priority of this thread."""
    _give_way(0)


def libraries_give_way() -> None:
    """Lower the priority of the threads that libraries have started.

    A thread has the priority of the one that started it: pools that were started by urgent work would go on with
    the usual one. Those that answer requests are Python's, and stay as they are.
    """
    ours = {thread.native_id for thread in threading.enumerate()}
    with suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            if int(task.name) not in ours:
                with suppress(OSError):  # it may have ended
                    _give_way(int(task.name))


def _give_way(thread: int) -> None:
    # Linux alone gives each thread a priority of its own
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, thread, max(_NICE, os.getpriority(os.PRIO_PROCESS, thread)))
