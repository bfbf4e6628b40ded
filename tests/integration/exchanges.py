"""A local exchange of each dialect with candles of its own, and the real client that reads it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from cripto.domain.clock import FixedClock
from cripto.domain.interval import Interval
from cripto.market.exchange import DEFAULT_PATIENCE, Exchange
from cripto.market.schema import empty_candles
from cripto.market.source import Pair, history
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.exchange_server import Book, ExchangeServer, exchange_server
from tests.doubles.waiting import Waits

__all__ = ["COUNT", "NAMES", "NOON", "Desk", "desk"]

NAMES = ("binance", "kraken", "coinbaseexchange")
QUOTES = {"binance": "USDT", "mercado": "BRL"}
COUNT = 700
NOON = START + timedelta(days=COUNT - 1, hours=12)
"""The last of the candles is under way."""


class Desk:
    """A server, its book, and clients that wait in no time; ``waits.slept`` says for how long they would have."""

    def __init__(self, name: str, server: ExchangeServer, clock: FixedClock) -> None:
        self.name = name
        self.server = server
        self.book = server.book
        self.clock = clock
        self.waits = Waits(clock, self._pass_time)
        self.quote = QUOTES.get(name, "USD")
        self.btc = Pair("BTC", self.quote)

    def client(self, **options: Any) -> Exchange:
        settings: dict[str, Any] = {"patience": DEFAULT_PATIENCE, "chance": lambda: 0.5, "rate": 0.0005, **options}
        return Exchange(self.name, clock=self.clock, sleep=self.waits, url=self.server.url, **settings)

    def read(
        self,
        pair: Pair | None = None,
        since: datetime = START,
        until: datetime | None = None,
        interval: Interval = DAILY,
        **options: Any,
    ) -> pl.DataFrame:
        """All of a series, as one frame."""

        async def collect() -> pl.DataFrame:
            async with self.client(**options) as exchange:
                pages = [page async for page in history(exchange, pair or self.btc, interval, since, until)]
            return pl.concat([empty_candles(), *pages])

        return asyncio.run(collect())

    def expected(self, symbol: str = "BTC", count: int = COUNT - 1) -> pl.DataFrame:
        """The first candles of a series, as a client must give them."""
        held = self.book.candles.filter(symbol=symbol).sort("time").head(count)
        return held.with_columns(source=pl.lit(self.name))

    def _pass_time(self, seconds: float) -> None:
        """The server's clock goes as fast as ours."""
        self.book.now += timedelta(seconds=seconds)


@contextmanager
def desk(name: str, *, skew: timedelta = timedelta(0), now: datetime = NOON) -> Iterator[Desk]:
    """An exchange whose clock says ``now``, and whose time is ``skew`` ahead of ours."""
    candles = random_walk(["BTC", "ETH", "LTC"], COUNT, quote=QUOTES.get(name, "USD"))
    with exchange_server(name, Book(candles, now)) as server:
        yield Desk(name, server, FixedClock(now - skew))
