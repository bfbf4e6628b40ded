"""A source of candles in memory that lists, ages and fails as it is told."""

from collections import Counter
from datetime import datetime, timedelta

import polars as pl

from cripto.domain.clock import FixedClock
from cripto.domain.interval import INTERVALS, Interval
from cripto.errors import CriptoError, UnknownPair
from cripto.market.source import CandlePage, Pair

__all__ = ["ToySource"]


class ToySource:
    """Tells ``candles`` (all CANDLE_COLUMNS) in pages of ``page``, those closed at its own time.

    Its time is ``clock``'s and ``ahead``. ``failing`` is raised by every question about candles, ``unlisted`` by
    those for the list; ``late`` is for how long after its close a candle is not told.
    """

    def __init__(
        self, name: str, candles: pl.DataFrame, clock: FixedClock, *, page: int = 1000, ahead: float = 0.0
    ) -> None:
        self.name = name
        self.book = candles
        self.clock = clock
        self.page = page
        self.ahead = timedelta(seconds=ahead)
        self.late = timedelta(0)
        self.failing: CriptoError | None = None
        self.unlisted: CriptoError | None = None
        self.asked: Counter[str] = Counter()
        self.inactive: set[str] = set()
        self.lists = 0

    async def pairs(self, *, volumes: bool = False) -> list[Pair]:
        self.lists += 1
        if self.unlisted is not None:
            raise self.unlisted
        found = self.book.select("symbol", "quote").unique().sort("symbol", "quote").rows()
        return [Pair(base, quote, base not in self.inactive) for base, quote in found]

    async def server_time(self) -> datetime:
        return self.clock.now() + self.ahead

    async def candles(
        self, pair: Pair, interval: Interval, since: datetime, until: datetime | None = None
    ) -> CandlePage:
        self.asked[str(pair)] += 1
        if self.failing is not None:
            raise self.failing
        series = self.book.filter(symbol=pair.base, quote=pair.quote)
        if series.is_empty():
            raise UnknownPair(self.name, str(pair))
        step = INTERVALS[interval.name].step
        closed = series.filter(
            (pl.col("interval") == interval.name)
            & (pl.col("time") >= since)
            & (pl.col("time") + step + self.late <= self.clock.now() + self.ahead)
        ).sort("time")
        told = closed.head(self.page)
        following = told["time"][-1] + step if closed.height > self.page else None
        if until is not None:
            told = told.filter(pl.col("time") < until)
        return CandlePage(told.with_columns(source=pl.lit(self.name)), following)
