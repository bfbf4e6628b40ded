"""Whole fetches with the real client, when all is well: what is asked for, who stands in, what is kept."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.market.asked import AskedBook
from cripto.market.fetch_report import Progress
from tests.doubles.candles import DAILY, HOURLY, START, random_walk
from tests.doubles.exchange_server import Fault, failing
from tests.integration.collecting import Station, candle_requests, rows_of, same_rows
from tests.integration.exchanges import NAMES, NOON, Desk, desk


@pytest.fixture
def at() -> Iterator[Desk]:
    with desk("binance") as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[Desk]:
    """Another exchange that lists the same coins in the same quote, at slightly other prices."""
    with desk("kraken") as opened:
        opened.quote = "USDT"
        opened.book.candles = pl.concat([random_walk(["BTC", "ETH", "LTC", "XRP"], 700)]).with_columns(
            pl.col("open", "high", "low", "close") * 1.001
        )
        yield opened


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fetch_inserts_nothing_and_asks_one_page_of_each_series(name: str) -> None:
    with desk(name) as at:
        station = Station(at)
        first = station.fetch()
        assert first.total("inserted") == 3 * 699
        assert first.upserts <= 8
        before = candle_requests(at)
        again = station.fetch()
        assert (again.total("inserted"), again.total("updated"), again.upserts) == (0, 0, 1)
        assert again.total("unchanged") == 3 * 4
        assert candle_requests(at) - before == 3


def test_what_an_exchange_revises_within_the_last_candles_is_changed(at: Desk) -> None:
    station = Station(at)
    station.fetch()
    late = pl.col("time") == START + timedelta(days=697)
    at.book.candles = at.book.candles.with_columns(volume=pl.when(late).then(77.0).otherwise("volume"))
    assert station.fetch().total("updated") == 3
    same_rows(station.lake, station.expected())


def test_gaps_are_repaired_and_only_what_is_missing_is_asked_for(at: Desk) -> None:
    station = Station(at)
    days = [*range(10), 200, 201, 203, *range(500, 650)]
    whole = station.expected()
    station.lake.upsert(whole.filter(~pl.col("time").is_in([START + timedelta(days=day) for day in days])))
    report = station.fetch()
    assert report.total("inserted") == 3 * len(days)
    # gaps less than a page apart are asked for at once
    assert report.total("unchanged") < 3 * 60
    same_rows(station.lake, whole)


def test_since_is_a_date_or_a_number_of_candles(at: Desk) -> None:
    station = Station(at)
    station.fetch("BTC", since=10)
    assert rows_of(station.lake)["time"].min() == START + timedelta(days=689)
    station.fetch("BTC", since=START + timedelta(days=600, hours=5))
    assert rows_of(station.lake)["time"].min() == START + timedelta(days=601)
    assert rows_of(station.lake).height == 98


def test_several_intervals_are_fetched_into_one_lake(at: Desk) -> None:
    hours = random_walk(["BTC"], 50, HOURLY, start=NOON - timedelta(hours=49))
    at.book.candles = pl.concat([at.book.candles, hours])
    station = Station(at)
    report = station.fetch("BTC", since=400, intervals=[HOURLY, DAILY])
    assert {item.interval: item.inserted for item in report.outcomes} == {"1h": 49, "1d": 400}


def test_sample_candles_count_as_missing_and_are_replaced(at: Desk) -> None:
    station = Station(at)
    station.lake.upsert(station.expected("BTC").with_columns(source=pl.lit(SAMPLE_SOURCE), close=pl.col("open")))
    report = station.fetch("BTC")
    assert report.total("updated") == 699
    same_rows(station.lake, station.expected("BTC"))


def test_what_an_exchange_has_not_is_asked_once_a_week_or_when_told_to(at: Desk) -> None:
    young = (pl.col("symbol") != "BTC") | (pl.col("time") >= START + timedelta(days=400))
    hole = ~pl.col("time").is_between(START + timedelta(days=600), START + timedelta(days=604))
    at.book.candles = at.book.candles.filter(young & hole)
    station = Station(at)
    station.fetch("BTC", since=START - timedelta(days=3000))
    empty = AskedBook(station.store).read().believed(("binance", "BTC", "USDT", "1d"), NOON)
    assert [(item.start - START).days for item in empty] == [-3000, 600]
    assert [(item.end - START).days for item in empty] == [400, 605]
    same_rows(station.lake, station.expected("BTC"))

    def asked(**options: Any) -> list[int]:
        seen = len(at.server.seen)
        station.fetch("BTC", since=START - timedelta(days=3000), **options)
        pages = [target for target in at.server.seen[seen:] if "klines" in target]
        first = START.timestamp() * 1000
        return [
            round((int(part.removeprefix("startTime=")) - first) / 86_400_000)
            for page in pages
            for part in page.split("?")[1].split("&")
            if part.startswith("startTime=")
        ]

    assert asked() == [695]
    assert asked(again=True) == [-3000, 599]
    at.clock.time += timedelta(days=8)
    at.book.now += timedelta(days=8)
    assert asked()[0] == -3000


def test_a_gap_that_was_answered_with_other_candles_is_not_taken_for_empty(at: Desk) -> None:
    station = Station(at)
    days = [START + timedelta(days=day) for day in range(300, 310)]
    station.lake.upsert(station.expected("BTC").filter(~pl.col("time").is_in(days)))
    at.book.stale = 2
    assert station.fetch("BTC").total("inserted") == 0
    assert at.book.stale == 0
    assert AskedBook(station.store).read().empty == {}
    assert station.fetch("BTC").total("inserted") == 10
    same_rows(station.lake, station.expected("BTC"))


def test_progress_and_the_report_add_up(at: Desk) -> None:
    heard: list[Progress] = []
    station = Station(at)
    report = station.fetch(told=heard.append)
    last = heard[-1]
    assert (last.done, last.series, last.candles, last.written) == (3, 3, 3 * 699, 3 * 699)
    told = report.to_json()
    assert (told["inserted"], told["failed"], told["interrupted"]) == (3 * 699, 0, False)
    assert [item["sources"] for item in told["series"]] == [{"binance": 699}] * 3
    assert told["series"][0]["last"] == "2025-11-29T00:00:00Z"


def test_who_is_told_to_stop_writes_what_has_arrived(at: Desk) -> None:
    station = Station(at)
    stop = asyncio.Event()

    def told(progress: Progress) -> None:
        if progress.done:
            stop.set()

    report = station.fetch(stop=stop, told=told)
    assert report.interrupted
    assert "retry" in set(report.remedies())
    held = rows_of(station.lake)
    assert 0 < held.height == report.total("inserted")
    station.fetch()
    same_rows(station.lake, station.expected())


def test_multiples_are_normalised_and_the_undivided_pair_goes_first(at: Desk) -> None:
    at.book.candles = pl.concat([random_walk(["1000SATS", "1000PEPE", "PEPE"], 700)])
    station = Station(at)
    station.fetch()
    book = at.book.candles.filter(pl.col("time") + DAILY.step <= at.book.now)
    sats = book.filter(symbol="1000SATS").with_columns(
        pl.col("open", "high", "low", "close") / 1000, symbol=pl.lit("SATS"), volume=pl.col("volume") * 1000
    )
    expected = pl.concat([book.filter(symbol="PEPE"), sats]).with_columns(source=pl.lit("binance"))
    same_rows(station.lake, expected)


def test_the_most_traded_are_chosen_by_volume_and_what_follows_a_currency_is_left_out(other: Desk) -> None:
    busy = {"BTC": 10.0, "ETH": 1e9, "LTC": 1e10, "XRP": 5.0, "USDC": 1e12, "EUR": 1e12}
    walk = random_walk(list(busy), 700)
    other.book.candles = walk.with_columns(volume=pl.col("symbol").replace_strict(busy))
    station = Station(other)
    station.fetch("top:2", since=5)
    assert [target.symbol for target in station.choice.targets] == ["ETH", "LTC"]


def test_where_an_exchange_fails_the_next_stands_in_and_the_failure_is_paid_once(at: Desk, other: Desk) -> None:
    at.server.faults.append(Fault(failing(503), "candles", 1_000_000))
    station = Station(at, other)
    report = station.fetch()
    assert report.failed == []
    assert {item.symbol: dict(item.sources) for item in report.outcomes} == {
        symbol: {"kraken": 699} for symbol in ("BTC", "ETH", "LTC", "XRP")
    }
    assert all(name == "binance" for item in report.outcomes for name, _ in item.failures)
    same_rows(station.lake, station.expected(desk=other))


def test_an_exchange_whose_list_cannot_be_read_is_left_out_at_once(at: Desk, other: Desk) -> None:
    at.server.faults.append(Fault(failing(503), "pairs", 1_000_000))
    station = Station(at, other)
    report = station.fetch()
    assert set(report.exchanges) == {"binance"}
    assert candle_requests(at) == 0
    assert set(report.remedies()) == {"retry"}
    same_rows(station.lake, station.expected(desk=other))


def test_the_next_exchange_gives_what_the_first_has_not_and_never_its_latest(at: Desk, other: Desk) -> None:
    at.book.candles = at.book.candles.filter(pl.col("time") >= START + timedelta(days=400))
    at.book.candles = at.book.candles.filter(pl.col("time") < START + timedelta(days=697))
    station = Station(at, other)
    station.fetch("BTC")
    held = rows_of(station.lake)
    days = [(time - START).days for time in held["time"]]
    assert days == list(range(697))
    assert held["source"].to_list() == ["kraken"] * 400 + ["binance"] * 297
    before = candle_requests(other)
    station.fetch("BTC")
    assert candle_requests(other) == before


def test_a_jump_that_the_other_exchange_denies_is_replaced_by_its_bar(at: Desk, other: Desk) -> None:
    odd = (pl.col("time") == START + timedelta(days=300)) & (pl.col("symbol") == "BTC")
    spoilt = pl.when(odd).then(pl.col("close") * 50).otherwise("close")
    at.book.candles = at.book.candles.with_columns(close=spoilt, high=pl.max_horizontal("high", spoilt))
    station = Station(at, other)
    report = station.fetch("BTC")
    btc = report.outcomes[0]
    assert [(item.outcome, item.time) for item in btc.doubted] == [("replaced", START + timedelta(days=300))]
    held = rows_of(station.lake)
    true = other.book.candles.filter(symbol="BTC").filter(pl.col("time") == START + timedelta(days=300))
    assert held.row(300, named=True)["close"] == true["close"][0]
    assert held["source"].to_list().count("kraken") == 1
    assert held.height == 699
