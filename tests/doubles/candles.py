"""Invented candles for tests only: deterministic, plausible, and never a claim about any market."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.domain.interval import INTERVALS, Interval

__all__ = ["DAILY", "HOURLY", "START", "random_walk"]

DAILY = INTERVALS["1d"]
HOURLY = INTERVALS["1h"]
START = datetime(2024, 1, 1, tzinfo=UTC)


def random_walk(
    symbols: Sequence[str],
    count: int,
    interval: Interval = DAILY,
    start: datetime = START,
    seed: int = 0,
    *,
    quote: str = "USDT",
    source: str = "invented",
    volatility: float = 0.03,
) -> pl.DataFrame:
    """``count`` contiguous candles of each symbol from ``start`` on: all CANDLE_COLUMNS, by symbol and time.

    For tests and benchmarks only. A symbol's candles depend on the symbol, the seed and the other arguments,
    never on the other symbols, and a longer ``count`` only appends. Every bar is possible: low <= open,
    close <= high, prices and volumes above zero.
    """
    frames = [_series(symbol, count, interval, start, seed, volatility) for symbol in sorted(set(symbols))]
    candles = pl.concat(frames) if frames else _series("NONE", 0, interval, start, seed, volatility)
    return candles.with_columns(
        quote=pl.lit(quote, pl.String), interval=pl.lit(interval.name, pl.String), source=pl.lit(source, pl.String)
    ).select(CANDLE_COLUMNS)


def _series(
    symbol: str, count: int, interval: Interval, start: datetime, seed: int, volatility: float
) -> pl.DataFrame:
    # One draw of five numbers per candle, row by row, so that a longer series begins with the shorter one.
    draws = np.random.default_rng([seed, *symbol.encode()]).standard_normal((count, 5))
    first_price = float(np.random.default_rng([seed, 1, *symbol.encode()]).uniform(0.5, 5000.0))
    close = first_price * np.exp(np.add.accumulate(draws[:, 0] * volatility))
    opening = np.empty(count)
    opening[:1] = first_price
    opening[1:] = close[:-1]
    high = np.maximum(opening, close) * (1 + np.abs(draws[:, 1]) * volatility / 2)
    low = np.minimum(opening, close) / (1 + np.abs(draws[:, 2]) * volatility / 2)
    volume = 1000.0 * np.exp(draws[:, 3] * 0.5 + np.abs(draws[:, 0]) * 0.3)
    times = pl.Series("time", [start], pl.Datetime("us", "UTC")).to_physical()[0] + np.arange(
        count, dtype=np.int64
    ) * (interval.seconds * 1_000_000)
    return pl.DataFrame(
        {
            "symbol": pl.repeat(symbol, count, eager=True),
            "time": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "open": opening,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        },
        schema_overrides={"symbol": pl.String},
    )
