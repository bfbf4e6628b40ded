"""What the models are asked: the log return of the next candle, and whether it rises."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.interval import Interval

__all__ = ["HORIZON", "next_log_return", "rises"]

HORIZON: Final = 1
"""How many candles ahead the target's close lies."""


def next_log_return(candles: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """The target of each candle: columns ``symbol, time, log_return``, sorted by symbol and time.

    ``log_return`` is ``ln(close[t + 1] / close[t])``, and null unless the asset's next candle opens exactly one
    step later and both closes are positive: a return across a gap is one nobody was asked to forecast.
    ``candles`` needs symbol, time and close, one series per symbol, in any order.
    """
    next_time = pl.col("time").shift(-HORIZON).over("symbol")
    next_close = pl.col("close").shift(-HORIZON).over("symbol")
    usable = (next_time - pl.col("time") == interval.step * HORIZON) & (pl.col("close") > 0) & (next_close > 0)
    log_return = (next_close / pl.col("close")).log()
    return (
        candles.select("symbol", "time", "close")
        .sort("symbol", "time")
        .select("symbol", "time", log_return=pl.when(usable & log_return.is_finite()).then(log_return))
    )


def rises(log_return: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The classifiers' target: whether the next close is above this one. An unchanged price does not rise."""
    return log_return > 0
