"""Exchanges to candles: the collector as the settings describe it, and what a stop signal does to it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cripto.cli.wiring import Installation

if TYPE_CHECKING:
    from cripto.market.collector import Collector
    from cripto.market.exchange import Exchange

__all__ = ["collecting", "exchanges", "stopping", "unless"]

# As many as the collector has under way: at a quarter of a second an answer, fewer would not reach the rate limit.
_AT_ONCE = 8
_Result = TypeVar("_Result")


@asynccontextmanager
async def collecting(
    parts: Installation, entries: Sequence[tuple[str, str | None]] | None = None
) -> "AsyncIterator[Collector]":
    """Yield a collector of the installation's exchanges, or of other ``entries``; close their connections.

    Raises `InvalidInput` for a name that is no exchange's, `OperatorError` where ccxt is not installed.
    """
    from cripto.market.collector import Collector

    chosen = parts.settings.exchange_entries if entries is None else entries
    async with exchanges(parts, chosen, concurrency=_AT_ONCE) as sources:
        yield Collector(sources, parts.lake, parts.store, clock=parts.clock)


@asynccontextmanager
async def exchanges(
    parts: Installation, entries: Sequence[tuple[str, str | None]], **options: Any
) -> "AsyncIterator[list[Exchange]]":
    """Yield a client of each of ``entries``, made with ``options``; close their connections. Raises as above."""
    from cripto.market.exchange import Exchange

    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Exchange(name, clock=parts.clock, url=url, **options))
            for name, url in entries
        ]


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """Yield an event that Ctrl+C or SIGTERM sets, within a running loop; the second signal ends the process."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def heard() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, heard)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """The result of ``work``, or ``None`` if it is told to stop before."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopped):
            task.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)
