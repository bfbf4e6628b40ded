import math
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.market.identity import (
    BREAK_RATIO,
    RENAMES,
    after_last_break,
    listed_asset,
    normalised,
    parted,
    renamed,
)
from tests.doubles.candles import DAILY, START, random_walk


def scaled(candles: pl.DataFrame, factor: float) -> pl.DataFrame:
    """The same candles at ``factor`` times the price."""
    return candles.with_columns(pl.col("open", "high", "low", "close") * factor)


def days(candles: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    opened = pl.col("time")
    return candles.filter((opened >= START + first * DAILY.step) & (opened < START + last * DAILY.step))


@pytest.mark.parametrize(
    ("base", "asset"),
    [
        ("BTC", ("BTC", 1)),
        ("1000SATS", ("SATS", 1000)),
        ("10000LADYS", ("LADYS", 10_000)),
        ("100000MOG", ("MOG", 100_000)),
        ("1000000MOG", ("MOG", 1_000_000)),
        ("1MBABYDOGE", ("BABYDOGE", 1_000_000)),
        # coins whose names begin so
        ("1INCH", ("1INCH", 1)),
        ("1MILLION", ("1MILLION", 1)),
        ("1000X", ("1000X", 1)),
        ("1000", ("1000", 1)),
        ("10001INCH", ("10001INCH", 1)),
        ("100BTC", ("100BTC", 1)),
        ("SHIB1000", ("SHIB1000", 1)),
        ("0X0", ("0X0", 1)),
    ],
)
def test_a_base_names_a_coin_or_a_known_multiple_of_one(base: str, asset: tuple[str, int]) -> None:
    assert listed_asset(base) == asset


def test_a_multiples_candles_are_told_per_coin_and_turn_over_the_same() -> None:
    pair = random_walk(["1000SATS"], 5)
    coin = normalised(pair, "SATS", 1000)
    assert coin["symbol"].unique().to_list() == ["SATS"]
    assert coin["close"].to_list() == [price / 1000 for price in pair["close"]]
    assert (coin["close"] * coin["volume"]).to_list() == pytest.approx((pair["close"] * pair["volume"]).to_list())
    assert coin.schema == pair.schema
    assert_frame_equal(normalised(pair, "1000SATS", 1), pair)


def test_what_was_not_told_stays_untold() -> None:
    pair = random_walk(["1000SATS"], 2).with_columns(
        close=pl.lit(None, pl.Float64), volume=pl.lit(None, pl.Float64)
    )
    assert normalised(pair, "SATS", 1000).select("close", "volume").null_count().row(0) == (2, 2)


def test_no_new_name_is_an_old_one_and_a_reused_ticker_is_no_alias() -> None:
    assert not set(RENAMES) & set(RENAMES.values())
    assert not {"LUNA", "GAL"} & set(RENAMES)


def test_an_old_names_candles_are_the_history_of_the_new_one() -> None:
    walk = random_walk(["POL"], 30)
    old = days(walk, 0, 20).with_columns(symbol=pl.lit("MATIC"))
    found = renamed(pl.concat([old, days(walk, 20, 30), random_walk(["BTC"], 30)]))
    assert_frame_equal(found, pl.concat([random_walk(["BTC"], 30), walk]))


def test_what_is_traded_under_the_old_name_after_the_swap_is_left_out() -> None:
    walk = random_walk(["POL"], 30)
    old = scaled(walk, 2.0).with_columns(symbol=pl.lit("MATIC"))
    found = renamed(pl.concat([old, days(walk, 20, 25)]))
    assert found["time"].to_list() == [START + day * DAILY.step for day in range(25)]
    assert_frame_equal(days(found, 20, 25), days(walk, 20, 25))


def test_a_lake_that_knows_only_the_old_name_keeps_it() -> None:
    old = random_walk(["MATIC"], 10)
    assert renamed(old) is old


def test_candles_of_the_old_name_in_a_quote_the_new_one_has_none_in_are_no_series_of_their_own() -> None:
    found = renamed(pl.concat([random_walk(["MATIC"], 30), random_walk(["POL"], 5, quote="USD")]))
    assert_frame_equal(found, random_walk(["POL"], 5, quote="USD"))


def test_two_old_names_of_one_coin_tell_each_time_once() -> None:
    both = pl.concat([random_walk(["OLD"], 10), random_walk(["OLDER"], 10)])
    new = random_walk(["NEW"], 12, start=START + 10 * DAILY.step)
    found = renamed(pl.concat([both, new]), {"OLD": "NEW", "OLDER": "NEW"})
    assert found["time"].to_list() == [START + day * DAILY.step for day in range(22)]
    assert found["symbol"].unique().to_list() == ["NEW"]


@pytest.mark.parametrize("ratio", [1 / 60_000, 1 / (BREAK_RATIO * 1.01), BREAK_RATIO * 1.01, 1000.0])
def test_a_price_that_opens_beyond_reason_begins_another_thing(ratio: float) -> None:
    luna = random_walk(["LUNA"], 40, volatility=0.001)
    candles = pl.concat([days(luna, 0, 25), scaled(days(luna, 25, 40), ratio)])
    assert_frame_equal(after_last_break(candles), scaled(days(luna, 25, 40), ratio))
    assert parted(candles)["part"].to_list() == [0] * 25 + [1] * 15


@pytest.mark.parametrize("ratio", [1 / (BREAK_RATIO * 0.99), 1.0, 2.0, BREAK_RATIO * 0.99])
def test_a_price_that_opens_within_reason_is_the_same_thing(ratio: float) -> None:
    luna = random_walk(["LUNA"], 40, volatility=0.001)
    candles = pl.concat([days(luna, 0, 25), scaled(days(luna, 25, 40), ratio)])
    assert_frame_equal(after_last_break(candles), candles)


def test_a_collapse_from_candle_to_candle_is_no_break() -> None:
    # as LUNA's in May 2022: each day closes at a hundredth, and the next one opens where it closed
    closes = [80.0 * 0.01**day for day in range(5)]
    candles = random_walk(["LUNA"], 5).with_columns(open=pl.Series([90.0, *closes[:-1]]), close=pl.Series(closes))
    assert_frame_equal(after_last_break(candles), candles)


def test_a_ticker_that_comes_back_after_a_pause_at_another_price_is_another_thing() -> None:
    luna = random_walk(["LUNA"], 40, volatility=0.001)
    again = scaled(days(luna, 30, 40), 1e5)
    assert_frame_equal(after_last_break(pl.concat([days(luna, 0, 10), again])), again)


def test_the_last_of_several_breaks_counts_and_each_series_has_its_own() -> None:
    walk = random_walk(["A1"], 30, volatility=0.001)
    twice = pl.concat([days(walk, 0, 10), scaled(days(walk, 10, 20), 10), scaled(days(walk, 20, 30), 100)])
    other = random_walk(["A1"], 30, quote="BRL")
    found = after_last_break(pl.concat([twice, other]))
    assert_frame_equal(found, pl.concat([scaled(days(walk, 20, 30), 100), other]))
    assert parted(twice)["part"].unique().sort().to_list() == [0, 1, 2]


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_price_breaks_nothing(value: float) -> None:
    walk = random_walk(["A1"], 6)
    middle = pl.col("time") == START + timedelta(days=3)
    candles = walk.with_columns(close=pl.when(middle).then(value).otherwise("close"))
    assert_frame_equal(after_last_break(candles), candles)


def test_no_candles_are_no_series() -> None:
    nothing = random_walk([], 0)
    assert_frame_equal(after_last_break(renamed(nothing)), nothing)
