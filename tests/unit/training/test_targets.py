import math
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from cripto.training.targets import next_log_return, rises
from tests.doubles.candles import DAILY, HOURLY, START, random_walk


def candles(*rows: tuple[str, int, float]) -> pl.DataFrame:
    """Rows of (symbol, days after START, close)."""
    return pl.DataFrame(
        {
            "symbol": [symbol for symbol, _, _ in rows],
            "time": [START + timedelta(days=day) for _, day, _ in rows],
            "close": [close for _, _, close in rows],
        },
        schema={"symbol": pl.String, "time": pl.Datetime("us", "UTC"), "close": pl.Float64},
    )


def targets(frame: pl.DataFrame) -> dict[tuple[str, datetime], float | None]:
    rows = next_log_return(frame, DAILY).iter_rows()
    return {(symbol, time): value for symbol, time, value in rows}


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def test_target_is_the_log_return_of_the_next_candle() -> None:
    found = targets(candles(("A", 0, 100.0), ("A", 1, 110.0), ("A", 2, 99.0)))
    assert found["A", day(0)] == pytest.approx(math.log(110 / 100))
    assert found["A", day(1)] == pytest.approx(math.log(99 / 110))


def test_last_candle_has_no_target() -> None:
    assert targets(candles(("A", 0, 100.0), ("A", 1, 110.0)))["A", day(1)] is None


def test_candle_before_a_gap_has_no_target() -> None:
    found = targets(candles(("A", 0, 1.0), ("A", 1, 2.0), ("A", 3, 4.0), ("A", 4, 8.0)))
    assert found["A", day(1)] is None
    assert found["A", day(3)] == pytest.approx(math.log(2))


def test_hourly_candles_a_day_apart_are_gaps() -> None:
    frame = candles(("A", 0, 1.0), ("A", 1, 2.0))
    assert next_log_return(frame, HOURLY)["log_return"].null_count() == 2


def test_assets_do_not_run_into_each_other() -> None:
    found = targets(candles(("A", 0, 1.0), ("B", 1, 50.0)))
    assert set(found.values()) == {None}


def test_order_of_rows_does_not_matter() -> None:
    frame = random_walk(["BTC", "ETH"], 30)
    assert next_log_return(frame.reverse(), DAILY).equals(next_log_return(frame, DAILY))


@pytest.mark.parametrize("broken", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_closes_give_no_target(broken: float) -> None:
    found = targets(candles(("A", 0, 1.0), ("A", 1, broken), ("A", 2, 3.0)))
    assert set(found.values()) == {None}


def test_no_candles_give_no_rows() -> None:
    assert next_log_return(candles(), DAILY).is_empty()


def test_unchanged_price_does_not_rise() -> None:
    assert rises(np.array([-0.1, 0.0, 0.1])).tolist() == [False, False, True]
