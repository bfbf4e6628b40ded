from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from cripto.domain.interval import INTERVALS
from cripto.market._rows import closed_candles, from_ms, to_ms
from cripto.market.schema import CANDLE_SCHEMA
from cripto.market.source import Pair

HOUR = INTERVALS["1h"]
START = datetime(2025, 1, 1, tzinfo=UTC)
BTC = Pair("BTC", "USDT")


def row(hour: int, close: float | None = 1.0) -> list[float | None]:
    return [float(to_ms(START + timedelta(hours=hour))), 1.0, 2.0, 0.5, close, 10.0]


def closed(rows: list[list[float | None]], before: datetime) -> pl.DataFrame:
    return closed_candles(rows, BTC, HOUR, "binance", before)


def test_rows_are_sorted_each_once_and_the_last_counts() -> None:
    found = closed([row(2), row(0), row(1, 5.0), row(1, 6.0)], START + timedelta(days=1))
    assert found.schema == CANDLE_SCHEMA
    assert found["time"].to_list() == [START + timedelta(hours=hour) for hour in range(3)]
    assert found["close"].to_list() == [1.0, 6.0, 1.0]
    assert found.select("symbol", "quote", "interval", "source").unique().rows() == [
        ("BTC", "USDT", "1h", "binance")
    ]


@pytest.mark.parametrize(("millisecond", "count"), [(-1, 1), (0, 2), (1, 2)])
def test_a_candle_is_closed_at_its_close(millisecond: int, count: int) -> None:
    before = START + timedelta(hours=2, milliseconds=millisecond)
    assert closed([row(0), row(1)], before).height == count


def test_a_value_not_given_is_null_and_no_candle_is_left_out_for_it() -> None:
    assert closed([row(0, None)], START + timedelta(days=1))["close"].to_list() == [None]


def test_no_rows_are_no_candles_in_all_columns() -> None:
    assert closed([], START).schema == CANDLE_SCHEMA


@pytest.mark.parametrize("bad", [[None, 1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
def test_what_is_no_row_is_refused(bad: list[float | None]) -> None:
    with pytest.raises(ValueError, match="a row without a time"):
        closed([bad], START)


def test_times_survive_the_way_to_milliseconds_and_back() -> None:
    time = START + timedelta(milliseconds=123)
    assert from_ms(to_ms(time)) == time
