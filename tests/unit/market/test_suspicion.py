from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cripto.domain.interval import INTERVALS, Interval
from cripto.market.schema import CANDLE_SCHEMA
from cripto.market.suspicion import (
    AGREEMENT,
    OPEN_JUMP,
    Close,
    agree,
    close_jump,
    doubt,
    doubted,
    is_possible,
)
from tests.doubles.candles import DAILY, HOURLY, START, random_walk


def bar(opened: float | None = 100.0, close: float | None = 100.0, at: int = 0, **other: Any) -> dict[str, Any]:
    prices = [price for price in (opened, close) if price is not None] or [1.0]
    return {
        "symbol": "BTC",
        "quote": "USDT",
        "interval": "1d",
        "time": START + at * DAILY.step,
        "open": opened,
        "high": max(prices),
        "low": min(prices),
        "close": close,
        "volume": 1.0,
        "source": "one",
        **other,
    }


BEFORE = Close(START - DAILY.step, 100.0)


@pytest.mark.parametrize(
    ("candle", "doubtful"),
    [
        (bar(), False),
        (bar(124.9, 299.9), False),
        (bar(125.1, 130.0), True),
        (bar(79.9, 100.0), True),
        (bar(100.0, 300.1), True),
        (bar(100.0, 33.3), True),
        (bar(100.0, 33.4), False),
    ],
)
def test_a_bar_is_held_against_the_close_before_it(candle: Mapping[str, Any], doubtful: bool) -> None:
    found = doubt(candle, BEFORE, DAILY)
    assert (found is not None) == doubtful
    assert found is None or not found.zero
    assert doubt(candle, None, DAILY) is None


@pytest.mark.parametrize("price", [0.0, -1.0, None, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
def test_a_price_that_is_none_is_a_zero_whatever_was_before(price: float | None, name: str) -> None:
    for before in (None, BEFORE):
        found = doubt(bar() | {name: price}, before, DAILY)
        assert found is not None
        assert found.zero
    assert not is_possible(bar() | {name: price})


def test_after_missing_candles_the_bounds_are_wider() -> None:
    assert doubt(bar(200.0, 300.0, at=3), BEFORE, DAILY) is None
    assert doubt(bar(1000.0, 1000.0, at=3), BEFORE, DAILY) is not None


def test_longer_intervals_have_wider_bounds() -> None:
    jumps = [close_jump(interval) for interval in INTERVALS.values()]
    assert jumps == sorted(jumps)
    assert jumps[0] > OPEN_JUMP


PRICE = st.one_of(st.none(), st.sampled_from([0.0, -1.0, float("nan"), float("inf")]), st.floats(1e-9, 1e9))


@given(
    st.lists(st.tuples(PRICE, PRICE, st.integers(1, 3)), min_size=1, max_size=6),
    st.one_of(st.none(), st.floats(1e-9, 1e9)),
    st.sampled_from([DAILY, HOURLY]),
)
def test_a_page_is_doubted_exactly_if_one_of_its_bars_is_against_the_one_before_it(
    prices: list[tuple[float | None, float | None, int]], before: float | None, interval: Interval
) -> None:
    bars, at = [], 0
    for opened, close, passed in prices:
        at += passed
        values = bar(opened, close, interval=interval.name)
        bars.append(values | {"time": START + at * interval.step, "high": opened, "low": close})
    last = None if before is None else Close(START, before)
    found = False
    for candle in bars:
        found |= doubt(candle, last, interval) is not None
        last = Close(candle["time"], float("nan") if candle["close"] is None else candle["close"])
    frame = pl.DataFrame(bars, schema=CANDLE_SCHEMA, orient="row")
    assert doubted(frame, None if before is None else Close(START, before), interval) == found


def test_two_bars_agree_within_a_tenth() -> None:
    assert agree(bar(100.0, 50.0), bar(100.0 * AGREEMENT * 0.999, 50.0 / AGREEMENT * 1.001))
    assert not agree(bar(100.0, 50.0), bar(100.0, 50.0 * AGREEMENT * 1.001))
    assert not agree(bar(), bar(close=0.0))
    assert not agree(bar(), bar(opened=None))


@pytest.mark.parametrize(
    "wrong", [{"high": 99.0}, {"low": 101.0}, {"volume": -1.0}, {"volume": None}, {"volume": float("nan")}]
)
def test_an_impossible_bar_stands_for_nothing(wrong: dict[str, Any]) -> None:
    assert is_possible(bar())
    assert not is_possible(bar() | wrong)


def test_nothing_invented_by_a_random_walk_is_doubted() -> None:
    assert not doubted(random_walk(["BTC"], 1000), None, DAILY)


def test_of_real_daily_and_hourly_candles_one_is_doubted(daily_file: Path, hourly_file: Path) -> None:
    def doubts(path: Path, interval: Interval) -> list[tuple[str, str]]:
        found = []
        for _, series in pl.read_parquet(path).sort("symbol", "time").group_by("symbol", maintain_order=True):
            if doubted(series, None, interval):
                last = None
                for candle in series.iter_rows(named=True):
                    if doubt(candle, last, interval) is not None:
                        found.append((candle["symbol"], f"{candle['time']:%Y-%m-%d}"))
                    last = Close(candle["time"], candle["close"])
        return found

    assert doubts(daily_file, DAILY) == [("DOGE", "2021-01-28")]
    assert doubts(hourly_file, HOURLY) == []


def test_a_gap_is_no_jump_by_itself() -> None:
    walk = random_walk(["BTC"], 300).filter(~pl.col("time").is_between(START, START + timedelta(days=90)))
    assert not doubted(walk, Close(START - DAILY.step, walk["open"][0] * 1.5), DAILY)
