import hashlib
import struct
from datetime import timedelta

import polars as pl

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.errors import HistoryGap, InsufficientHistory
from cripto.forecasting.windows import LastCandle, Window, read_windows
from tests.unit.forecasting.toys import COUNT, DAILY, LAST_CLOSE, candles

LOOKBACK = 10


def window(frame: pl.DataFrame, symbol: str = "BTC") -> Window:
    found = read_windows(frame, DAILY, LOOKBACK).by_symbol[symbol]
    assert isinstance(found, Window)
    return found


def test_a_window_is_the_last_candles_of_its_symbol() -> None:
    frame = candles("BTC", "ETH")
    found = window(frame, "ETH")
    assert found.candles.equals(frame.filter(pl.col("symbol") == "ETH").tail(LOOKBACK))
    assert (found.symbol, found.quote, found.source, found.sample) == ("ETH", "USDT", "binance", False)
    assert found.closed == LAST_CLOSE
    assert found.opened == LAST_CLOSE - DAILY.step
    assert found.price == found.candles["close"][-1]


def test_the_digest_is_that_of_the_documented_bytes() -> None:
    frame = candles("BTC")
    expected = b"BTC\nUSDT\n1d\n"
    for row in frame.tail(LOOKBACK).iter_rows(named=True):
        microseconds = round(row["time"].timestamp()) * 1_000_000
        expected += struct.pack(
            "<q5d", microseconds, row["open"], row["high"], row["low"], row["close"], row["volume"]
        )
    assert window(frame).digest == f"sha256:{hashlib.sha256(expected).hexdigest()}"


def test_candles_before_the_window_do_not_reach_the_digest() -> None:
    frame = candles("BTC")
    assert window(frame).digest == window(frame.tail(LOOKBACK)).digest


def test_every_number_in_the_window_reaches_the_digest() -> None:
    frame = candles("BTC")
    first = COUNT - LOOKBACK
    for column in ("open", "high", "low", "close", "volume"):
        changed = frame.with_columns(
            pl.when(pl.int_range(pl.len()) == first)
            .then(pl.col(column) * 1.5)
            .otherwise(pl.col(column))
            .alias(column)
        )
        assert window(changed).digest != window(frame).digest


def test_one_sample_candle_makes_the_window_a_sample() -> None:
    frame = candles("BTC")
    place = pl.int_range(pl.len())

    def sample_at(row: int) -> pl.DataFrame:
        source = pl.when(place == row).then(pl.lit(SAMPLE_SOURCE)).otherwise(pl.col("source"))
        return frame.with_columns(source.alias("source"))

    assert window(sample_at(COUNT - LOOKBACK)).sample
    assert not window(sample_at(COUNT - LOOKBACK - 1)).sample


def test_too_few_candles_say_how_many_there_are() -> None:
    windows = read_windows(candles("BTC", count=LOOKBACK - 1), DAILY, LOOKBACK)
    problem = windows.by_symbol["BTC"]
    assert isinstance(problem, InsufficientHistory)
    assert (problem.available, problem.needed) == (LOOKBACK - 1, LOOKBACK)
    assert windows.last_opens == {"BTC": LAST_CLOSE - DAILY.step}


def test_what_has_no_window_still_says_where_its_candles_end() -> None:
    frame = candles("BTC", count=LOOKBACK - 1, source="kraken", quote="EUR")
    (last,) = read_windows(frame, DAILY, LOOKBACK).last_candles
    assert last == LastCandle("BTC", "EUR", LAST_CLOSE - DAILY.step, "kraken", sample=False)
    (last,) = read_windows(candles("BTC", count=3, source=SAMPLE_SOURCE), DAILY, LOOKBACK).last_candles
    assert last.sample


def test_a_page_begins_after_a_symbol_that_need_not_be_there() -> None:
    windows = read_windows(candles("BTC", "ETH", "LTC"), DAILY, LOOKBACK)

    def page(after: str, limit: int) -> list[str]:
        return [last.symbol for last in windows.after(after, limit)]

    assert page("", 2) == ["BTC", "ETH"]
    assert page("BTC", 5) == ["ETH", "LTC"]
    assert page("C", 1) == ["ETH"]
    assert page("LTC", 5) == []


def test_a_gap_in_the_window_says_where_the_latest_is() -> None:
    frame = candles("BTC")
    times = frame["time"].to_list()
    missing = [times[-3], times[-4], times[-7]]
    problem = read_windows(frame.filter(~pl.col("time").is_in(missing)), DAILY, LOOKBACK).by_symbol["BTC"]
    assert isinstance(problem, HistoryGap)
    assert (problem.after, problem.before) == (times[-5], times[-2])
    assert problem.before - problem.after == timedelta(days=3)


def test_a_gap_before_the_window_does_no_harm() -> None:
    frame = candles("BTC")
    times = frame["time"].to_list()
    assert window(frame.filter(pl.col("time") != times[-LOOKBACK - 1])) == window(frame)


def test_no_candles_make_no_windows() -> None:
    assert read_windows(candles("BTC").clear(), DAILY, LOOKBACK).by_symbol == {}
