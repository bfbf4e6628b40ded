"""Fetches in processes of their own that commit often, so that a test which kills them meets every step.

They are forked off a server that has imported all there is to import: ccxt alone takes seconds.
"""

import asyncio
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.process import BaseProcess

import pytest

from tests.doubles.processes import UNMEASURED

__all__ = ["fetching"]

_CONTEXT = multiprocessing.get_context("forkserver")


@contextmanager
def fetching(store: str, *entries: tuple[str, str]) -> Iterator[BaseProcess]:
    """Fetch all daily candles since 2024 from exchanges (name, URL); exit code 1 if a series failed."""
    _CONTEXT.set_forkserver_preload(["ccxt.async_support", "cripto.market.collector", "cripto.market.exchange"])
    process = _CONTEXT.Process(target=_run, args=(store, entries))
    with pytest.MonkeyPatch.context() as patched:
        for name, value in UNMEASURED.items():
            patched.setenv(name, value)
        process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def _run(store: str, entries: tuple[tuple[str, str], ...]) -> None:
    sys.exit(asyncio.run(_fetch(store, entries)))


async def _fetch(store: str, entries: tuple[tuple[str, str], ...]) -> int:
    from cripto.domain.clock import SystemClock
    from cripto.domain.universe import Universe
    from cripto.market.collector import Collector
    from cripto.market.exchange import Exchange
    from cripto.market.lake import open_lake
    from cripto.storage import open_store
    from tests.doubles.candles import DAILY, START

    async with AsyncExitStack() as stack:
        sources = [
            await stack.enter_async_context(Exchange(name, clock=SystemClock(), url=url, rate=0.0005))
            for name, url in entries
        ]
        collector = Collector(
            sources, open_lake(store), open_store(store), clock=SystemClock(), batch_rows=400, batch_seconds=0.05
        )
        choice = await collector.choose(Universe(), ("USDT", "USD"))
        report = await collector.fetch(choice.targets, [DAILY], START)
    return int(bool(report.failed))
