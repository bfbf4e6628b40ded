"""Collectors over the real client and local exchanges, with a lake and a store in memory, waiting in no time."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import polars as pl

from cripto.domain.candle import CANDLE_KEY
from cripto.domain.interval import Interval
from cripto.domain.universe import Universe, parse_universe
from cripto.market.collector import Collector, Since
from cripto.market.fetch_report import FetchReport
from cripto.market.lake import CandleLake, MemoryLake
from cripto.market.universe import Choice
from cripto.storage import MemoryStore, ObjectStore
from tests.doubles.candles import DAILY, START
from tests.integration.exchanges import Desk

__all__ = ["QUOTES", "Station", "candle_requests", "rows_of", "same_rows"]

QUOTES = ("USDT", "USDC", "USD", "EUR", "BRL")


class Station:
    """Fetches from desks into its ``lake``; ``choice`` and ``collector`` are those of the last fetch.

    ``between`` is called after the lists were read and before candles are.
    """

    def __init__(self, *desks: Desk, lake: CandleLake | None = None, store: ObjectStore | None = None) -> None:
        self.desks = desks
        self.lake = lake or MemoryLake()
        self.store = store or MemoryStore()
        self.choice = Choice(())

    def fetch(
        self,
        universe: Universe | str = "all",
        since: Since = START,
        intervals: Sequence[Interval] = (DAILY,),
        *,
        between: Any = None,
        client: dict[str, Any] | None = None,
        **options: Any,
    ) -> FetchReport:
        wanted = parse_universe(universe) if isinstance(universe, str) else universe

        async def run() -> FetchReport:
            async with AsyncExitStack() as stack:
                sources = [await stack.enter_async_context(desk.client(**(client or {}))) for desk in self.desks]
                clock, waits = self.desks[0].clock, self.desks[0].waits
                collector = Collector(sources, self.lake, self.store, clock=clock, sleep=waits, batch_rows=300)
                self.choice = await collector.choose(wanted, QUOTES)
                if between is not None:
                    between()
                report = await collector.fetch(self.choice.targets, intervals, since, **options)
                report.unknown = self.choice.unknown
                return report

        return asyncio.run(run())

    def expected(self, *symbols: str, desk: Desk | None = None, closed: timedelta = timedelta(0)) -> pl.DataFrame:
        """The closed candles of a desk's book (of some symbols), as the lake must hold them."""
        desk = desk or self.desks[0]
        book = desk.book.candles.filter(pl.col("time") + DAILY.step <= desk.book.now - closed)
        held = book.filter(pl.col("symbol").is_in(symbols)) if symbols else book
        return held.with_columns(source=pl.lit(desk.name)).sort("symbol", "quote", "time")


def candle_requests(desk: Desk) -> int:
    """How many pages of candles the desk's server was asked for."""
    return sum(
        any(word in target.partition("?")[0] for word in ("klines", "OHLC", "/candles"))
        for target in desk.server.seen
    )


def rows_of(lake: CandleLake, interval: Interval = DAILY) -> pl.DataFrame:
    """All candles of a lake, each key once (or this fails)."""
    candles = lake.read(interval.name)
    assert not candles.select(CANDLE_KEY).is_duplicated().any()
    return candles


def same_rows(lake: CandleLake, expected: pl.DataFrame) -> None:
    """Fail unless the lake holds exactly these daily candles."""
    from polars.testing import assert_frame_equal

    assert_frame_equal(rows_of(lake), expected)
