"""The invented candles that suites share are what their docstring says."""

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS
from tests.doubles.candles import HOURLY, START, random_walk


def test_all_columns_sorted_and_contiguous() -> None:
    candles = random_walk(["ETH", "BTC", "BTC"], 30, HOURLY)
    assert candles.columns == list(CANDLE_COLUMNS)
    assert candles["symbol"].to_list() == ["BTC"] * 30 + ["ETH"] * 30
    assert candles["time"][0] == candles["time"][30] == START
    assert set(candles["time"].head(30).diff().drop_nulls()) == {HOURLY.step}


def test_a_longer_series_begins_with_the_shorter_and_neighbours_change_nothing() -> None:
    alone = random_walk(["BTC"], 20, seed=4)
    assert random_walk(["ADA", "BTC"], 50, seed=4).filter(symbol="BTC").head(20).equals(alone)
    assert not random_walk(["BTC"], 20, seed=5).equals(alone)


def test_every_bar_is_possible() -> None:
    candles = random_walk(["BTC"], 500, volatility=0.3)
    assert candles.select((pl.col("low") <= pl.min_horizontal("open", "close")).all()).item()
    assert candles.select((pl.col("high") >= pl.max_horizontal("open", "close")).all()).item()
    assert candles.select((pl.min_horizontal("low", "volume") > 0).all()).item()


def test_none_at_all_has_the_same_schema() -> None:
    some = random_walk(["BTC"], 3)
    assert random_walk([], 3).schema == random_walk(["BTC"], 0).schema == some.schema
