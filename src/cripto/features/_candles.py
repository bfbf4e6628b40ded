"""Candles from a data frame to arrays, checked: what cannot be used is refused by name, never repaired."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cripto.domain.interval import Interval
from cripto.errors import InvalidInput
from cripto.features._window import Array, Candles

__all__ = ["LARGEST", "NEEDED_COLUMNS", "SMALLEST_PRICE", "Rows", "read_candles"]

NEEDED_COLUMNS = ("symbol", "time", "open", "high", "low", "close", "volume")

SMALLEST_PRICE = 1e-30
LARGEST = 1e30
"""Prices and volumes beyond these are refused: far outside any market; squares of what is inside stay finite."""

_PRICES = ("open", "high", "low", "close")
_NUMBERS = (*_PRICES, "volume")
_DTYPES = (pl.String(), pl.Datetime("us", "UTC"), *(pl.Float64() for _ in _NUMBERS))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Checked candles sorted by symbol and time.

    ``keys`` has their symbol and time; ``run`` counts the candles before each that are contiguous with it, and
    ``last`` marks the newest candle of each symbol.
    """

    keys: pl.DataFrame
    candles: Candles
    run: npt.NDArray[np.int64]
    last: npt.NDArray[np.bool_]

    def cut_to_last(self, count: int) -> "Rows":
        """Only the last ``count`` candles of each symbol."""
        ends = np.flatnonzero(self.last)
        places = np.arange(len(self.last))
        kept = places > ends[np.searchsorted(ends, places)] - count
        if kept.all():
            return self
        columns = self.candles
        chosen = Candles(
            columns.open[kept],
            columns.high[kept],
            columns.low[kept],
            columns.close[kept],
            columns.volume[kept],
            columns.closed[kept],
        )
        return Rows(self.keys.filter(pl.Series(kept)), chosen, self.run[kept], self.last[kept])


def read_candles(candles: pl.DataFrame, interval: Interval) -> Rows:
    """Sort and check ``candles``, one series per symbol; extra columns are ignored.

    Raises `InvalidInput`, naming the column or the candle, for a missing or unusable column, a time that is not
    in UTC, two candles of a symbol at one time, a null, a number out of range, or a bar that cannot be: high
    below, or low above, its open or close.
    """
    rows = _typed(candles)
    starts, spacing = _spacing(rows)
    if (spacing < 0).any() or not rows["symbol"].is_sorted():
        # Sorting costs more than asking, and nearly every caller reads sorted candles from the lake.
        rows = rows.sort("symbol", "time")
        starts, spacing = _spacing(rows)
    keys = pl.DataFrame([rows["symbol"], rows["time"]])
    _refuse((spacing == 0) & ~starts, keys, "is there twice")
    numbers = {name: rows[name].to_numpy() for name in _NUMBERS}
    _check_numbers(numbers, keys)
    step = interval.seconds * 1_000_000
    places = np.arange(len(keys))
    begins = np.maximum.accumulate(np.where((spacing == step) & ~starts, 0, places))
    last = np.ones(len(keys), np.bool_)
    last[:-1] = starts[1:]
    closed = rows["time"].to_physical().to_numpy() + step
    return Rows(keys, Candles(closed=closed, **numbers), places - begins, last)


def _typed(candles: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in NEEDED_COLUMNS if name not in candles.columns]
    if missing:
        raise InvalidInput(f"candles lack the columns {', '.join(missing)}")
    kinds = candles.schema
    time = kinds["time"]
    if not isinstance(time, pl.Datetime) or time.time_zone != "UTC":
        raise InvalidInput(f"the column time must be a UTC time, not {time}")
    for name in _NUMBERS:
        if not kinds[name].is_numeric():
            raise InvalidInput(f"the column {name} must be a number, not {kinds[name]}")
    columns = [candles[name] for name in NEEDED_COLUMNS]
    empty = [column.name for column in columns if column.null_count()]
    if empty:
        raise InvalidInput(f"candles have nulls in the columns {', '.join(empty)}")
    return pl.DataFrame(
        [
            column if column.dtype == kind else column.cast(kind)
            for column, kind in zip(columns, _DTYPES, strict=True)
        ]
    )


def _spacing(rows: pl.DataFrame) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which rows begin a symbol, and microseconds since the row before, 0 where there is none."""
    symbols, times = rows["symbol"], rows["time"].to_physical().to_numpy()
    starts = np.ones(len(rows), np.bool_)
    starts[1:] = (symbols[1:] != symbols[:-1]).to_numpy()
    spacing = np.zeros(len(rows), np.int64)
    spacing[1:] = times[1:] - times[:-1]
    spacing[starts] = 0
    return starts, spacing


def _check_numbers(numbers: dict[str, Array], keys: pl.DataFrame) -> None:
    # Written so that NaN, which fails every comparison, is refused too.
    for name in _PRICES:
        usable = (numbers[name] >= SMALLEST_PRICE) & (numbers[name] <= LARGEST)
        _refuse(~usable, keys, f"has no usable price in {name}")
    volume = numbers["volume"]
    _refuse(~((volume >= 0.0) & (volume <= LARGEST)), keys, "has no usable volume")
    top, bottom = np.maximum(numbers["open"], numbers["close"]), np.minimum(numbers["open"], numbers["close"])
    _refuse(numbers["high"] < top, keys, "has its high below its open or close")
    _refuse(numbers["low"] > bottom, keys, "has its low above its open or close")


def _refuse(faults: npt.NDArray[np.bool_], keys: pl.DataFrame, reason: str) -> None:
    if faults.any():
        symbol, time = keys.row(int(faults.argmax()))
        others = int(faults.sum()) - 1
        more = f" (and {others} more)" if others else ""
        raise InvalidInput(f"the candle of {symbol} at {time.isoformat()} {reason}{more}")
