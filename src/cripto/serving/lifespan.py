"""The background of an application: it loads, looks for news, and never keeps the server from starting."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from random import uniform
from typing import TypeVar

from anyio import create_task_group, sleep
from fastapi import FastAPI

from cripto.serving.aside import aside, libraries_give_way
from cripto.serving.services import Services

__all__ = ["background"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_FIRST_RETRY_SECONDS = 0.5
_LONGEST_DOUBLING = 16
_STORE_MAY_TAKE_SECONDS = 2.0
# a clock that is set is noticed so late at most
_LONGEST_UNTOLD = 30.0
_BEAT_SECONDS = 1.0


def background(
    services: Services,
    refresh_seconds: float,
    store_may_take: float = _STORE_MAY_TAKE_SECONDS,
    candle_seconds: float | None = None,
    loaded: Callable[[], None] = lambda: None,
    beat: Callable[[], None] | None = None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan that refreshes ``services`` every ``refresh_seconds``, and sooner until all can predict.

    One after the other, and one that never can keeps no other from it. Every ``candle_seconds`` between, those
    that can predict look for candles alone.

    Where the store has not answered ``store_may_take`` seconds after the start, the last good release on disk is
    taken up meanwhile. The answers of the next candle interval are encoded before it begins. ``loaded`` is called
    once, when each has been looked at and one can predict; ``beat``, which may block, every second.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with create_task_group() as tasks:
            tasks.start_soon(_keep_fresh, services, refresh_seconds, loaded)
            if candle_seconds is not None and candle_seconds < refresh_seconds:
                tasks.start_soon(_keep_up, services, candle_seconds)
            tasks.start_soon(_keep_told, services)
            tasks.start_soon(_start_from_disk, services, store_may_take)
            if beat is not None:
                tasks.start_soon(_keep_beating, beat)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    return lifespan


async def _tried(work: Callable[[], T], *, urgent: bool = False) -> T | None:
    """What `aside` returns, or ``None`` where an error that nobody foresaw is met, which is logged.

    It would end all that runs in the background, and the server would tell the same for ever: a thread that cannot
    be started, where a pod has used up its processes, is a matter of a moment.
    """
    try:
        return await aside(work, urgent=urgent)
    except Exception:
        _LOG.exception("work in the background failed and is done at the next occasion")
        return None


async def _keep_fresh(services: Services, refresh_seconds: float, loaded: Callable[[], None]) -> None:
    failures, given_way, told = 0, False, False
    while True:
        # a store that hangs must not keep the process from stopping: the thread ends by its own time limit
        # and the first load, which everybody waits for, gives way to nothing
        for service in services:
            await _tried(partial(services.refresh, service), urgent=not given_way)
            if services.predict and not given_way:
                given_way = True
                libraries_give_way()
        if given_way and not told:
            told = True
            loaded()
        if services.all_predict:
            failures = 0
            wait = refresh_seconds
        else:
            wait = min(refresh_seconds, _FIRST_RETRY_SECONDS * 2 ** min(failures, _LONGEST_DOUBLING))
            failures += 1
        # replicas started together must not ask together for ever
        await sleep(wait * uniform(0.75, 1.25))  # noqa: S311


async def _keep_up(services: Services, candle_seconds: float) -> None:
    while True:
        await sleep(candle_seconds * uniform(0.75, 1.25))  # noqa: S311 as above
        for service in services:
            if service.snapshot.board is not None:
                await _tried(partial(services.follow, service))


async def _start_from_disk(services: Services, store_may_take: float) -> None:
    await sleep(store_may_take)
    if not all(service.ready for service in services):
        await _tried(services.recall)


async def _keep_told(services: Services) -> None:
    while True:
        wait = await _tried(services.keep_told)
        await sleep(_LONGEST_UNTOLD if wait is None else min(wait, _LONGEST_UNTOLD))


async def _keep_beating(beat: Callable[[], None]) -> None:
    while True:
        await _tried(beat)
        await sleep(_BEAT_SECONDS)
