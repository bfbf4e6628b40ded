"""The laws every feature builder obeys, as functions that any suite applies to any builder and any candles."""

from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from cripto.domain.interval import Interval
from tests.doubles.feature_oracle import bars_of

__all__ = [
    "Build",
    "assert_altering_the_future_changes_no_past",
    "assert_cutting_the_future_changes_no_past",
    "assert_lookback_is_enough",
    "assert_same_bits",
    "bits",
    "complete_rows",
]

Build = Callable[[pl.DataFrame], pl.DataFrame]


def bits(features: pl.DataFrame) -> npt.NDArray[np.int64]:
    """The numbers of a feature table as integers: -0 is not 0, and a null is NaN's pattern."""
    return features.drop("symbol", "time").to_numpy().astype(np.float64).view(np.int64)


def assert_same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert left.schema == right.schema
    assert left.select("symbol", "time").equals(right.select("symbol", "time"))
    same = bits(left) == bits(right)
    wrong = [name for name, column in zip(left.columns[2:], same.T, strict=True) if not column.all()]
    assert not wrong, f"bits differ in {', '.join(wrong)}"


def assert_cutting_the_future_changes_no_past(build: Build, candles: pl.DataFrame, newest: datetime) -> None:
    whole = build(candles).filter(pl.col("time") <= newest)
    assert_same_bits(build(candles.filter(pl.col("time") <= newest)), whole)


def assert_altering_the_future_changes_no_past(build: Build, candles: pl.DataFrame, newest: datetime) -> None:
    future = pl.col("time") > newest
    numbers = pl.col("open", "high", "low", "close", "volume")
    altered = candles.with_columns(pl.when(future).then(numbers * 3.7).otherwise(numbers))
    past = pl.col("time") <= newest
    assert_same_bits(build(altered).filter(past), build(candles).filter(past))


def assert_lookback_is_enough(
    build: Build, candles: pl.DataFrame, lookback: int, keys: Iterable[tuple[str, datetime]]
) -> None:
    """The row at each key is the same from the whole history and from its last ``lookback`` candles alone."""
    whole = build(candles)
    for symbol, time in keys:
        here = (pl.col("symbol") == symbol) & (pl.col("time") <= time)
        window = candles.filter(here).sort("time").tail(lookback)
        alone = build(window).filter(pl.col("time") == time)
        assert_same_bits(alone, whole.filter((pl.col("symbol") == symbol) & (pl.col("time") == time)))


def complete_rows(candles: pl.DataFrame, lookback: int, interval: Interval) -> list[bool]:
    """For sorted candles, row by row in plain Python: are the last ``lookback`` candles there, without a gap?"""
    complete, run = [], 0
    symbols = candles["symbol"].to_list()
    times = [bar.closed for bar in bars_of(candles, interval)]
    for place, time in enumerate(times):
        goes_on = place > 0 and symbols[place] == symbols[place - 1] and time - times[place - 1] == interval.step
        run = run + 1 if goes_on else 1
        complete.append(run >= lookback)
    return complete
