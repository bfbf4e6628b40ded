"""Where candles come from: the protocol every source keeps, and a whole series read from one page by page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from cripto.domain.interval import Interval

__all__ = ["CandlePage", "CandleSource", "Pair", "history"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A spot pair as an exchange lists it, in capitals.

    ``active`` is false for what the exchange says is not traded any more; ``quote_volume`` is that of the last
    24 hours in the quote's unit, where it was asked for and is told.
    """

    base: str
    quote: str
    active: bool = True
    quote_volume: float | None = None

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class CandlePage:
    """Closed candles, sorted by time, each once (columns of ``cripto.market.schema``; values may be null).

    ``next`` is the open from which to ask on, ``None`` when there is nothing after these. ``certain`` is false
    where the source answered for another time than was asked: a candle which is not here may exist all the same.
    """

    candles: pl.DataFrame
    next: datetime | None
    certain: bool = True


class CandleSource(Protocol):
    """A place that lists pairs and tells their candles.

    Besides what each method says it raises, any may raise `ExchangeUnavailable` (try again later) and
    `ExchangeDenied` (another place is needed).
    """

    @property
    def name(self) -> str:
        """What stands in ``source`` of each candle."""
        ...

    async def pairs(self, *, volumes: bool = False) -> list[Pair]:
        """Every spot pair listed now, sorted; with what was traded of each where ``volumes`` asks for it."""
        ...

    async def server_time(self) -> datetime:
        """The source's own time, UTC."""
        ...

    async def candles(
        self, pair: Pair, interval: Interval, since: datetime, until: datetime | None = None
    ) -> CandlePage:
        """One page of the candles that open at ``since`` or later, and before ``until`` where that is given.

        Only candles that are closed by the source's clock. Raises `UnknownPair`, and `InvalidInput` for an
        interval the source does not have.
        """
        ...


async def history(
    source: CandleSource, pair: Pair, interval: Interval, since: datetime, until: datetime | None = None
) -> AsyncIterator[pl.DataFrame]:
    """Every closed candle from ``since`` on (before ``until``), page by page, each candle once.

    Raises what `CandleSource.candles` does; pages given before that hold. A source whose pages do not advance
    ends the series.
    """
    start: datetime | None = since
    while start is not None and (until is None or start < until):
        page = await source.candles(pair, interval, start, until)
        if not page.candles.is_empty():
            yield page.candles
        start = page.next if page.next is not None and page.next > start else None
