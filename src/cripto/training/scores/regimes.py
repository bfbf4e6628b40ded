"""The weather a row was forecast in, from what was known then: how loud its asset was, where the market went."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.training.scores.resampling import Floats

__all__ = ["LOUDNESS_CANDLES", "MARKET_DAYS", "loudness", "market_direction", "terciles"]

LOUDNESS_CANDLES: Final = 30
"""Candles that trailing volatility looks back on."""

MARKET_DAYS: Final = 30
"""Days that the market's direction looks back on."""

_LEAST_CANDLES: Final = 10


def loudness(time: NDArray[np.datetime64], symbol: pl.Series, log_return: Floats) -> Floats:
    """Trailing volatility of each row's asset when its candle closed, float64 (rows,); NaN where little is known.

    The deviation of the asset's last `LOUDNESS_CANDLES` log returns up to that close, which are the targets of
    its earlier rows; 10 of them at least.
    """
    table = pl.DataFrame({"symbol": symbol.cast(pl.String), "time": time, "log_return": log_return})
    known = table.with_row_index("place").sort("symbol", "time")
    past = pl.col("log_return").shift(1)
    rolled = known.select(
        "place",
        loudness=past.rolling_std(LOUDNESS_CANDLES, min_samples=_LEAST_CANDLES).over("symbol"),
    ).sort("place")
    return rolled["loudness"].fill_null(np.nan).to_numpy()


def market_direction(time: NDArray[np.datetime64], log_return: Floats) -> NDArray[np.int64]:
    """1 where all assets together rose over the `MARKET_DAYS` days before a row's close, else 0; -1 if unknown.

    The market's log return of a candle is the mean over the assets that have it. It is unknown before a first
    half of the days has gone by.
    """
    opened, place = np.unique(time, return_inverse=True)
    counts = np.bincount(place)
    mean = np.bincount(place, weights=log_return) / counts
    level = np.concatenate([[0.0], np.cumsum(mean)])
    # the target of the row that opened at ``t`` closes after ``t`` did: only rows before it are known
    first = np.searchsorted(opened, opened - np.timedelta64(MARKET_DAYS, "D"))
    trailing = level[np.arange(len(opened))] - level[first]
    known = opened - opened[0] >= np.timedelta64(MARKET_DAYS // 2, "D") if len(opened) else opened == opened
    return np.where(known, (trailing > 0).astype(np.int64), -1)[place]


def terciles(values: Floats) -> NDArray[np.int64]:
    """Which third of the finite ``values`` each is in, from the lowest: 0, 1, 2; -1 where not finite."""
    known = np.isfinite(values)
    result = np.full(len(values), -1, dtype=np.int64)
    if known.any():
        cuts = np.quantile(values[known], [1 / 3, 2 / 3])
        result[known] = np.searchsorted(cuts, values[known], side="right")
    return result
