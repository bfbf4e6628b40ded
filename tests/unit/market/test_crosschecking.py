"""Each way a doubted bar may go, seen in the lake after a whole fetch."""

import asyncio
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.universe import parse_universe
from cripto.errors import CriptoError, ExchangeDenied, ExchangeUnavailable
from cripto.market.asked import AskedBook
from cripto.market.collector import Collector
from cripto.market.fetch_report import SeriesOutcome
from cripto.market.lake import MemoryLake
from cripto.storage import MemoryStore
from tests.doubles.candle_sources import ToySource
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.waiting import Waits

COUNT = 40
ODD = 20
NOW = START + timedelta(days=COUNT, hours=1)


def walk(symbol: str = "BTC", quote: str = "USDT", **odd: float) -> pl.DataFrame:
    """A series whose bar number ODD has other values; high and low stretch to fit, if they are prices."""
    candles = random_walk([symbol], COUNT, quote=quote)
    at = pl.col("time") == START + ODD * DAILY.step
    candles = candles.with_columns(
        pl.when(at).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in odd.items()
    )
    if "high" in odd:
        return candles
    return candles.with_columns(
        high=pl.max_horizontal("high", "open", "close"), low=pl.min_horizontal("low", "open", "close")
    )


class Market:
    """Two or three toy exchanges, and a lake."""

    def __init__(self, *books: pl.DataFrame) -> None:
        self.clock = FixedClock(NOW)
        self.sources = [
            ToySource(name, book, self.clock) for name, book in zip(("one", "two", "three"), books, strict=False)
        ]
        self.lake, self.store = MemoryLake(), MemoryStore()

    def fetch(self, **options: Any) -> SeriesOutcome:
        async def run() -> SeriesOutcome:
            waits = Waits(self.clock)
            collector = Collector(self.sources, self.lake, self.store, clock=self.clock, sleep=waits)
            choice = await collector.choose(parse_universe("BTC"), ("USDT", "USD"))
            report = await collector.fetch(choice.targets, [DAILY], START, **options)
            return report.outcomes[0]

        return asyncio.run(run())

    @property
    def odd_bar(self) -> dict[str, Any] | None:
        found = self.lake.read("1d").filter(pl.col("time") == START + ODD * DAILY.step)
        return found.row(0, named=True) if found.height else None


TRUE = float(walk()["close"][ODD])
JUMP = walk(close=TRUE * 10)
ZERO = walk(close=0.0, low=0.0, high=TRUE * 2)


def test_a_jump_that_another_exchange_tells_too_enters() -> None:
    market = Market(JUMP, walk(close=TRUE * 10.5))
    outcome = market.fetch()
    # and back again: the bar after it jumps as well
    assert [item.outcome for item in outcome.doubted] == ["confirmed", "confirmed"]
    assert market.odd_bar is not None
    assert (market.odd_bar["source"], market.odd_bar["close"]) == ("one", TRUE * 10)
    assert market.sources[1].asked["BTC/USDT"] == 1
    assert market.lake.read("1d").height == COUNT


def test_another_dollar_may_confirm_it() -> None:
    market = Market(JUMP, walk(quote="USD", close=TRUE * 10))
    assert [item.outcome for item in market.fetch().doubted] == ["confirmed", "confirmed"]


@pytest.mark.parametrize("book", [JUMP, ZERO], ids=["jump", "zero"])
def test_the_others_bar_enters_where_it_is_no_jump_with_its_own_source(book: pl.DataFrame) -> None:
    market = Market(book, walk())
    outcome = market.fetch()
    assert [item.outcome for item in outcome.doubted] == ["replaced"]
    assert market.odd_bar is not None
    assert (market.odd_bar["source"], market.odd_bar["close"]) == ("two", TRUE)
    assert (outcome.complete, dict(outcome.rules)) == (True, {})
    assert dict(outcome.sources) == {"one": COUNT - 1, "two": 1}


@pytest.mark.parametrize("book", [JUMP, ZERO], ids=["jump", "zero"])
def test_another_quotes_bar_never_enters_the_odd_one_is_held_back_and_asked_for_again(book: pl.DataFrame) -> None:
    market = Market(book, walk(quote="USD"))
    assert market.fetch().held_back == 1
    assert market.odd_bar is None
    assert market.lake.read("1d").height == COUNT - 1
    assert AskedBook(market.store).read().empty == {}
    market.sources[0].book = walk()
    outcome = market.fetch()
    assert (outcome.held_back, outcome.inserted) == (0, 1)
    assert market.odd_bar is not None


@pytest.mark.parametrize(
    "error",
    [ExchangeUnavailable("two", "down", 600.0), ExchangeUnavailable("two", "down"), ExchangeDenied("two", "no")],
)
@pytest.mark.parametrize("book", [JUMP, ZERO], ids=["jump", "zero"])
def test_where_the_other_cannot_be_asked_the_odd_one_waits(book: pl.DataFrame, error: CriptoError) -> None:
    market = Market(book, walk())
    market.sources[1].failing = error
    outcome = market.fetch()
    assert (outcome.held_back, outcome.complete) == (1, True)
    assert market.odd_bar is None
    market.sources[1].failing = None
    assert [item.outcome for item in market.fetch().doubted] == ["replaced"]
    assert market.odd_bar is not None


def test_where_both_are_odd_in_different_ways_neither_enters() -> None:
    market = Market(JUMP, walk(close=TRUE / 10))
    outcome = market.fetch()
    assert outcome.held_back == 1
    assert market.odd_bar is None


def test_a_third_exchange_decides() -> None:
    market = Market(JUMP, walk(close=TRUE / 10), walk())
    market.fetch()
    assert market.odd_bar is not None
    assert market.odd_bar["source"] == "three"


def test_a_jump_nobody_else_can_deny_enters_and_is_reported() -> None:
    for others in ([], [walk().filter(pl.col("time") < START + timedelta(days=10))], [walk("ETH")]):
        market = Market(JUMP, *others)
        outcome = market.fetch()
        assert {item.outcome for item in outcome.doubted} == {"unconfirmed"}
        assert market.odd_bar is not None
        assert market.lake.read("1d").height == COUNT


def test_a_zero_never_enters() -> None:
    market = Market(ZERO, walk(close=0.0, low=0.0, high=TRUE * 2))
    outcome = market.fetch()
    assert outcome.held_back == 1
    alone = Market(ZERO)
    outcome = alone.fetch()
    assert (dict(outcome.rules), outcome.complete) == ({"non_positive": 1}, True)
    assert market.odd_bar is None
    assert alone.odd_bar is None


def other_coin() -> pl.DataFrame:
    return walk().with_columns(pl.col("open", "high", "low", "close") / 500)


def test_another_coin_under_the_same_name_gets_into_no_gap_of_a_series() -> None:
    """What the second calls BTC is something else, and older."""
    market = Market(walk().filter(~pl.col("time").is_between(START, START + timedelta(days=9))), other_coin())
    market.fetch()
    assert market.lake.read("1d")["source"].unique().to_list() == ["one"]
    # nor is it asked again for a week
    asked = market.sources[1].asked.total()
    market.fetch()
    assert market.sources[1].asked.total() == asked


def test_another_coin_under_the_same_name_does_not_follow_a_series_where_its_exchange_fails() -> None:
    market = Market(walk().head(30), other_coin())
    market.fetch()
    held = market.lake.read("1d")
    assert held.height == 30
    market.sources[0].failing = ExchangeUnavailable("one", "down")
    assert market.fetch().held_back == 10
    assert market.lake.read("1d").equals(held)


def test_another_coin_under_the_same_name_does_not_follow_a_series_that_its_exchange_delisted() -> None:
    market = Market(walk().head(30), other_coin())
    market.fetch()
    held = market.lake.read("1d")
    market.sources[0].book = walk("ETH")
    outcome = market.fetch()
    assert (outcome.held_back, outcome.inserted) == (10, 0)
    assert market.lake.read("1d").equals(held)


def test_candles_after_a_bar_that_was_held_back_are_held_against_the_last_good_one() -> None:
    market = Market(JUMP, walk(quote="USD"))
    assert market.fetch().held_back == 1
    assert market.lake.read("1d").height == COUNT - 1
