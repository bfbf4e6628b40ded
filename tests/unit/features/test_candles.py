import re
from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest

from cripto.errors import InvalidInput
from cripto.features._candles import NEEDED_COLUMNS, read_candles
from tests.doubles.candles import DAILY, HOURLY, START, random_walk

CANDLES = random_walk(["ADA", "BTC"], 5)
THIRD = (pl.col("symbol") == "BTC") & (pl.col("time") == START + timedelta(days=2))
NUMBERS = ("open", "high", "low", "close", "volume")


def changed(column: str, value: float | None) -> pl.DataFrame:
    return CANDLES.with_columns(pl.when(THIRD).then(value).otherwise(pl.col(column)).alias(column))


def test_rows_are_sorted_and_extra_columns_left_out() -> None:
    rows = read_candles(CANDLES.reverse(), DAILY)
    assert rows.keys.equals(CANDLES.select("symbol", "time"))
    assert rows.candles.close.tolist() == CANDLES["close"].to_list()


def test_runs_begin_anew_at_each_symbol_and_gap() -> None:
    rows = read_candles(CANDLES.filter(~THIRD), DAILY)
    assert rows.run.tolist() == [0, 1, 2, 3, 4, 0, 1, 0, 1]
    assert rows.last.tolist() == [False] * 4 + [True] + [False] * 3 + [True]


def test_candles_of_another_interval_are_not_contiguous() -> None:
    assert read_candles(CANDLES, HOURLY).run.tolist() == [0] * 10


def test_candles_off_the_grid_never_count_as_contiguous() -> None:
    # Steps of 1.5 and 0.5 days: three candles span two days, as if none were missing.
    times = [START, START + timedelta(days=1.5), START + timedelta(days=2)]
    rows = read_candles(CANDLES.head(3).with_columns(pl.Series("time", times)), DAILY)
    assert rows.run.tolist() == [0, 0, 0]


def test_cutting_keeps_the_last_candles_and_what_is_known_of_those_before() -> None:
    rows = read_candles(CANDLES, DAILY).cut_to_last(2)
    assert rows.keys["symbol"].to_list() == ["ADA", "ADA", "BTC", "BTC"]
    assert rows.run.tolist() == [3, 4, 3, 4]
    assert (
        rows.candles.volume.tolist() == CANDLES.group_by("symbol", maintain_order=True).tail(2)["volume"].to_list()
    )


def test_cutting_to_more_than_there_is_keeps_everything() -> None:
    rows = read_candles(CANDLES, DAILY)
    assert rows.cut_to_last(5) is rows


def test_an_empty_frame_has_no_rows() -> None:
    rows = read_candles(CANDLES.clear(), DAILY)
    assert rows.keys.schema == {"symbol": pl.String, "time": pl.Datetime("us", "UTC")}
    assert len(rows.run) == len(rows.last) == 0
    assert rows.cut_to_last(3) is rows


@pytest.mark.parametrize("column", NEEDED_COLUMNS)
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InvalidInput, match=f"lack the columns {column}$"):
        read_candles(CANDLES.drop(column), DAILY)


@pytest.mark.parametrize("column", NEEDED_COLUMNS)
def test_a_column_with_nulls_is_named(column: str) -> None:
    holed = CANDLES.with_columns(pl.when(~THIRD).then(pl.col(column)).alias(column))
    with pytest.raises(InvalidInput, match=f"nulls in the columns {column}$"):
        read_candles(holed, DAILY)


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e31])
def test_an_unusable_number_is_named_with_its_candle(column: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=rf"candle of BTC at 2024-01-03T00:00:00\+00:00 .*{column}"):
        read_candles(changed(column, value), DAILY)


def test_a_price_of_zero_is_refused_and_a_volume_of_zero_is_not() -> None:
    with pytest.raises(InvalidInput, match="no usable price in open"):
        read_candles(changed("open", 0.0), DAILY)
    assert read_candles(changed("volume", 0.0), DAILY).candles.volume.min() == 0.0


@pytest.mark.parametrize(("column", "factor", "fault"), [("high", 0.5, "high below"), ("low", 2.0, "low above")])
def test_an_impossible_bar_is_refused(column: str, factor: float, fault: str) -> None:
    impossible = CANDLES.with_columns(pl.when(THIRD).then(factor).otherwise(1.0).alias(column) * pl.col(column))
    with pytest.raises(InvalidInput, match=f"BTC at 2024-01-03.* {fault} its open or close$"):
        read_candles(impossible, DAILY)


def test_a_candle_that_is_there_twice_is_named_and_others_counted() -> None:
    with pytest.raises(
        InvalidInput, match=re.escape("ADA at 2024-01-01T00:00:00+00:00 is there twice (and 9 more)")
    ):
        read_candles(pl.concat([CANDLES, CANDLES]), DAILY)


def test_equal_times_of_neighbouring_symbols_are_no_duplicates() -> None:
    one = pl.concat([random_walk([symbol], 1) for symbol in ("ADA", "BTC")])
    assert read_candles(one, DAILY).run.tolist() == [0, 0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda time: time.dt.replace_time_zone(None),
        lambda time: time.dt.convert_time_zone("America/Sao_Paulo"),
        lambda time: time.dt.date(),
        lambda time: time.dt.to_string(),
        lambda time: time.dt.epoch(),
    ],
    ids=["naive", "another zone", "date", "text", "number"],
)
def test_a_time_that_is_not_utc_is_refused(spoil: Callable[[pl.Expr], pl.Expr]) -> None:
    with pytest.raises(InvalidInput, match="time must be a UTC time"):
        read_candles(CANDLES.with_columns(spoil(pl.col("time"))), DAILY)


def test_a_price_that_is_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="column low must be a number, not String"):
        read_candles(CANDLES.with_columns(pl.col("low").cast(pl.String)), DAILY)


def test_other_forms_of_the_same_values_are_read() -> None:
    whole = CANDLES.with_columns(pl.col(*NUMBERS).round().cast(pl.Int64))
    other = whole.with_columns(
        pl.col("time").cast(pl.Datetime("ms", "UTC")), pl.col("symbol").cast(pl.Categorical)
    )
    same = whole.with_columns(pl.col(*NUMBERS).cast(pl.Float64))
    left, right = read_candles(other, DAILY), read_candles(same, DAILY)
    assert left.keys.equals(right.keys)
    assert left.candles.closed.tolist() == right.candles.closed.tolist()
    assert left.candles.high.tolist() == right.candles.high.tolist()
