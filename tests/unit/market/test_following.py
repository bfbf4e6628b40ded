"""Following over several closes, with a clock that only moves when somebody sleeps."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from cripto.domain.candle import CANDLE_KEY
from cripto.domain.clock import FixedClock
from cripto.domain.interval import INTERVALS, Interval
from cripto.domain.universe import parse_universe
from cripto.errors import CriptoError, ExchangeUnavailable, StorageUnavailable
from cripto.market.collector import Collector
from cripto.market.fetch_report import FetchReport
from cripto.market.following import Following
from cripto.market.lake import MemoryLake, Optimization, Upsert
from cripto.storage import MemoryStore
from tests.doubles.candle_sources import ToySource
from tests.doubles.candles import HOURLY, START, random_walk
from tests.doubles.waiting import Waits

MINUTE = INTERVALS["1m"]
BEGIN = START + timedelta(minutes=30, seconds=40)


class ToyLake(MemoryLake):
    """A lake that may fail, and counts how often it was optimized."""

    failing: CriptoError | None = None
    optimized = 0

    def upsert(self, candles: pl.DataFrame, *, replace: bool = True) -> Upsert:
        if self.failing is not None:
            raise self.failing
        return super().upsert(candles, replace=replace)

    def optimize(self, **options: Any) -> Optimization:
        self.optimized += 1
        if self.failing is not None:
            raise self.failing
        return super().optimize(**options)


class Watch:
    """A toy exchange with minutes of two coins, followed until ``until``; ``at`` does things at given times."""

    def __init__(
        self, *, skew: float = 0.0, minutes: int = 400, chance: float = 0.0, universe: str = "all"
    ) -> None:
        self.clock = FixedClock(BEGIN - timedelta(seconds=skew))
        self.waits = Waits(self.clock, self._woke)
        book = random_walk(["BTC", "ETH"], minutes, MINUTE, volatility=0.001)
        self.source = ToySource("one", book, self.clock, ahead=skew)
        self.lake = ToyLake()
        self.reports: list[tuple[datetime, FetchReport]] = []
        self.events: list[tuple[datetime, Callable[[], None]]] = []
        self.intervals: list[Interval] = [MINUTE]
        self.chance = chance
        self.universe = parse_universe(universe)
        self._stop = asyncio.Event()
        self._until = BEGIN

    def follow(self, minutes: float, **options: Any) -> None:
        self._until = self.source_time() + timedelta(minutes=minutes)
        self._stop = asyncio.Event()

        async def run() -> None:
            collector = Collector([self.source], self.lake, MemoryStore(), clock=self.clock, sleep=self.waits)
            following = Following(
                collector,
                self.universe,
                ["USDT"],
                self.intervals,
                20,
                self._stop,
                sleep=self.waits,
                chance=lambda: self.chance,
                passed=lambda report: self.reports.append((self.source_time(), report)),
                **options,
            )
            await asyncio.wait_for(following.run(), 120)

        asyncio.run(run())

    def at(self, minutes: float, do: Callable[[], None]) -> None:
        self.events.append((BEGIN + timedelta(minutes=minutes), do))

    def source_time(self) -> datetime:
        return self.clock.time + self.source.ahead

    def _woke(self, seconds: float) -> None:
        for event in [item for item in self.events if item[0] <= self.source_time()]:
            self.events.remove(event)
            event[1]()
        if self.source_time() >= self._until or len(self.waits.slept) > 20_000:
            self._stop.set()

    def held(self, interval: Interval = MINUTE) -> pl.DataFrame:
        held = self.lake.read(interval.name)
        assert not held.select(CANDLE_KEY).is_duplicated().any()
        return held

    def closed(self) -> pl.DataFrame:
        """What must be held at the end: from the first that was asked for to the last close but the newest."""
        last = MINUTE.floor(self.source_time()) - timedelta(minutes=1)
        first = MINUTE.floor(self.reports[0][0]) - timedelta(minutes=20)
        found = self.source.book.filter(pl.col("time").is_between(first, last, closed="left"))
        return found.with_columns(source=pl.lit("one")).sort("symbol", "quote", "time")

    def assert_whole(self) -> None:
        last = self.closed()["time"].max()
        assert self.held().filter(pl.col("time") <= last).equals(self.closed())


@pytest.mark.parametrize("skew", [0.0, 600.0, -600.0])
def test_each_close_is_fetched_just_after_it_by_the_exchanges_clock(skew: float) -> None:
    watch = Watch(skew=skew, chance=0.5)
    watch.follow(10)
    watch.assert_whole()
    after = [(when - MINUTE.floor(when)).total_seconds() for when, _ in watch.reports[1:]]
    assert len(after) == 10
    assert all(2 <= seconds <= 5 for seconds in after)
    assert [report.total("inserted") for _, report in watch.reports] == [40] + [2] * 10
    # a page for each coin at each close, no more
    assert watch.source.asked.total() == 2 * 11


def test_waking_is_jittered() -> None:
    def woken(chance: float) -> float:
        watch = Watch(chance=chance)
        watch.follow(1.5)
        return watch.reports[-1][0].second

    assert woken(0.0) < woken(0.99) < 6


def test_a_candle_that_is_published_late_is_asked_for_again_within_the_minute() -> None:
    watch = Watch()
    watch.follow(2)
    watch.source.late = timedelta(seconds=9)
    before = len(watch.reports)
    watch.follow(1.5)
    later = [(when.second, report.total("inserted")) for when, report in watch.reports[before + 1 :]]
    assert (2, 0) in later
    assert any(seconds < 30 and inserted == 2 for seconds, inserted in later)
    watch.assert_whole()


def test_a_pair_nobody_trades_is_not_asked_for_again_and_again() -> None:
    watch = Watch()
    watch.source.book = watch.source.book.filter(
        (pl.col("symbol") == "BTC") | (pl.col("time") < START + timedelta(minutes=25))
    )
    watch.follow(10)
    assert watch.source.asked["ETH/USDT"] <= 11 + 3
    assert watch.source.asked["BTC/USDT"] == 11


def test_neither_a_failing_exchange_nor_a_failing_store_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    watch.at(2, lambda: setattr(watch.source, "failing", ExchangeUnavailable("one", "down")))
    watch.at(5, lambda: setattr(watch.source, "failing", None))
    watch.at(9, lambda: setattr(watch.lake, "failing", StorageUnavailable("the store is down")))
    watch.at(12, lambda: setattr(watch.lake, "failing", None))
    with caplog.at_level(logging.INFO, "cripto"):
        watch.follow(20)
    watch.assert_whole()
    assert "one gave no usable answer: down" in caplog.text
    assert "the store is down" in caplog.text
    beats = [record for record in caplog.records if record.message == "candles fetched"]
    assert any(record.__dict__["failures"] == 2 for record in beats)
    assert beats[-1].__dict__["failures"] == 0
    assert beats[-1].__dict__["interval"] == "1m"
    assert beats[-1].__dict__["candles"] == 2
    assert 2 <= beats[-1].__dict__["seconds_after_close"] < 6


def test_what_is_kept_out_and_what_nobody_lists_is_said_while_it_follows(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(universe="BTC,NADA")
    bad = pl.col("time") == MINUTE.floor(BEGIN) + timedelta(minutes=2)
    book = watch.source.book
    watch.source.book = book.with_columns(volume=pl.when(bad).then(-1.0).otherwise("volume"))
    watch.follow(5)
    assert "no exchange lists NADA" in caplog.text
    kept_out = [record.__dict__ for record in caplog.records if record.message == "candles were kept out"]
    assert {"negative_volume": 1} in [record["quarantined"] for record in kept_out]


def test_nothing_at_all_at_the_beginning_is_tried_again_within_the_minute() -> None:
    watch = Watch()
    watch.source.unlisted = ExchangeUnavailable("one", "down")
    watch.at(3, lambda: setattr(watch.source, "unlisted", None))
    watch.follow(8)
    watch.assert_whole()


@pytest.mark.parametrize("hours", [-26, -1, 1, 3])
def test_a_clock_that_is_set_neither_spins_nor_stops_it(hours: int) -> None:
    watch = Watch(minutes=3000)
    watch.follow(3)
    slept, reports = len(watch.waits.slept), len(watch.reports)

    def set_clock() -> None:
        # ours is set; the exchange's is not
        watch.clock.time += timedelta(hours=hours)
        watch.source.ahead -= timedelta(hours=hours)

    watch.at(3.5, set_clock)
    watch.follow(10)
    assert len(watch.waits.slept) - slept < 100
    assert len(watch.reports) - reports < 40
    watch.assert_whole()


def test_lists_are_read_again_each_hour_and_new_pairs_followed() -> None:
    watch = Watch()
    more = random_walk(["SOL"], 400, MINUTE, volatility=0.001)
    watch.at(10, lambda: setattr(watch.source, "book", pl.concat([watch.source.book, more])))
    watch.follow(63)
    assert watch.source.lists == 2
    assert set(watch.held()["symbol"]) == {"BTC", "ETH", "SOL"}


def test_a_list_that_cannot_be_read_again_leaves_the_one_before() -> None:
    watch = Watch()
    watch.at(50, lambda: setattr(watch.source, "unlisted", ExchangeUnavailable("one", "down")))
    watch.follow(70)
    watch.assert_whole()


def test_the_lake_is_optimized_once_a_day_and_a_failure_of_that_ends_nothing() -> None:
    watch = Watch()
    watch.intervals = [HOURLY]
    watch.source.book = random_walk(["BTC"], 200, HOURLY)
    watch.follow(60 * 51)
    assert watch.lake.optimized == 3
    assert watch.held(HOURLY).height >= 50
    watch.lake.failing = StorageUnavailable("down")
    watch.follow(61)


def test_only_intervals_that_have_closed_are_fetched() -> None:
    watch = Watch()
    watch.intervals = [HOURLY, MINUTE]
    watch.source.book = pl.concat([watch.source.book, random_walk(["BTC", "ETH"], 5, HOURLY)])
    watch.follow(40)
    hourly = [when for when, report in watch.reports if any(item.interval == "1h" for item in report.outcomes)]
    # once at the beginning, again as ten candles are asked of an exchange that is young, once at the close
    assert sum(when >= START + timedelta(hours=1) for when in hourly) == 1
    assert watch.held(HOURLY).height == 2


def test_being_told_to_stop_while_asleep_ends_it_at_once() -> None:
    watch = Watch()
    watch.follow(0.1)
    assert len(watch.reports) == 1
