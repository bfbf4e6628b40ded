"""Rows of exchanges (open time in ms, open, high, low, close, volume) made into candles."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from cripto.domain.interval import Interval
from cripto.market.schema import CANDLE_SCHEMA, PRICES
from cripto.market.source import Pair

__all__ = ["closed_candles", "from_ms", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VALUES = (*PRICES, "volume")


def from_ms(milliseconds: int) -> datetime:
    """The time of a Unix time in milliseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_ms(time: datetime) -> int:
    """The Unix time in milliseconds, cut."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def closed_candles(
    rows: Sequence[Sequence[float | None]], pair: Pair, interval: Interval, source: str, before: datetime
) -> pl.DataFrame:
    """Candles closed at ``before`` or sooner, sorted by time; of rows with the same time the last counts.

    Columns of `CANDLE_SCHEMA`; a value that was not given is null, for ``cripto.market.validation`` to refuse.
    Raises ``ValueError`` or ``TypeError`` for what is no row.
    """
    latest: dict[int, list[float | None]] = {}
    for time, *values in rows:
        if time is None or len(values) < len(_VALUES):
            raise ValueError("a row without a time or with too few values")
        numbers = [None if value is None else float(value) for value in values[: len(_VALUES)]]
        latest[int(time)] = numbers
    limit = to_ms(before) - interval.seconds * 1000
    kept = sorted((time, values) for time, values in latest.items() if time <= limit)
    columns: dict[str, object] = {
        "time": pl.Series([time for time, _ in kept], dtype=pl.Int64).cast(pl.Datetime("ms", "UTC")),
        **{
            name: pl.Series([values[at] for _, values in kept], dtype=pl.Float64)
            for at, name in enumerate(_VALUES)
        },
    }
    return pl.DataFrame(columns).select(
        pl.lit(pair.base, pl.String).alias("symbol"),
        pl.lit(pair.quote, pl.String).alias("quote"),
        pl.lit(interval.name, pl.String).alias("interval"),
        pl.col("time").cast(CANDLE_SCHEMA["time"]),
        *_VALUES,
        pl.lit(source, pl.String).alias("source"),
    )
