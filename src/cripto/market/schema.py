"""The columns of a frame of candles."""

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.domain.interval import parse_interval
from cripto.errors import InvalidInput

__all__ = ["CANDLE_SCHEMA", "PRICES", "checked_candles", "empty_candles", "sorted_by"]

PRICES = ("open", "high", "low", "close")
"""The columns that hold a price in the quote's unit."""

_TYPES: dict[str, pl.DataType] = {
    **dict.fromkeys(("symbol", "quote", "interval", "source"), pl.String()),
    "time": pl.Datetime("us", "UTC"),
    **dict.fromkeys((*PRICES, "volume"), pl.Float64()),
}

CANDLE_SCHEMA = pl.Schema({name: _TYPES[name] for name in CANDLE_COLUMNS})
"""Names and types of the candle table's columns, in order; ``time`` is the UTC open."""


def empty_candles() -> pl.DataFrame:
    """No candles, in all columns."""
    return pl.DataFrame(schema=CANDLE_SCHEMA)


def checked_candles(candles: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `CANDLE_SCHEMA`, in order.

    Raises `InvalidInput` if one is missing, of another type or holds nulls, or if an interval is unknown.
    """
    wrong = [name for name, kind in CANDLE_SCHEMA.items() if candles.schema.get(name) != kind]
    if wrong:
        raise InvalidInput(f"candles need the columns of the candle table; missing or of another type: {wrong}")
    candles = candles.select(CANDLE_COLUMNS)
    holes = [name for name, count in candles.null_count().row(0, named=True).items() if count]
    if holes:
        raise InvalidInput(f"candles hold nulls in {holes}")
    for name in candles["interval"].unique():
        parse_interval(name)
    return candles


def sorted_by(candles: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Sort rows by columns, equal ones in the order they came in.

    The same as ``sort``, but text is compared as its rank among the few symbols, quotes and intervals there are:
    several times faster on millions of rows.
    """
    keys = [
        pl.col(name).cast(pl.Enum(candles[name].drop_nulls().unique().sort())).to_physical()
        if candles.schema[name] == pl.String
        else pl.col(name)
        for name in names
    ]
    return candles.sort(keys, maintain_order=True)
