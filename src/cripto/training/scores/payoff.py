"""What a plain rule would have earned after fees: an illustration, and no part of any verdict.

Long where a rise is forecast, flat elsewhere, the same share of money in every coin that has a candle, shared out
anew at each candle for nothing. There is no spread, no slippage, no funding and no limit of size in it.
"""

from typing import Any, Final

import numpy as np
import polars as pl

from cripto.domain.model_name import tipo_of
from cripto.training.scores.resampling import Floats, Resampling, day_numbers, sums_by_day
from cripto.training.scores.rows import ScoredRows

__all__ = ["FEE", "Market", "payoff"]

FEE: Final = 0.001
"""Share of the money moved that each purchase and each sale costs."""

_RUIN: Final = -0.999999


class Market:
    """The rows by asset and time, once for all models."""

    def __init__(self, rows: ScoredRows) -> None:
        codes = rows.symbol.cast(pl.String).rank("dense").to_numpy()
        self.order = np.lexsort((rows.time, codes))
        code, time = codes[self.order], rows.time[self.order]
        step = np.timedelta64(rows.interval.seconds, "s")
        joined = (code[1:] == code[:-1]) & (time[1:] - time[:-1] == step)
        self.follows = np.concatenate([[False], joined])
        self.goes_on = np.concatenate([joined, [False]])
        self.simple = np.expm1(rows.actual[self.order])
        opened, self.place = np.unique(time, return_inverse=True)
        self.coins = np.bincount(self.place)
        self.day, self.days = day_numbers(opened)

    def growth(self, held: Floats, fee: float) -> Floats:
        """Log growth of the money by candle time, for ``held`` (0 or 1) by row in `order`."""
        before = np.where(self.follows, np.concatenate([[0.0], held[:-1]]), 0.0)
        moved = np.abs(held - before) + np.where(self.goes_on, 0.0, held)
        net = held * self.simple - fee * moved
        mean = np.bincount(self.place, weights=net) / self.coins
        return np.log1p(np.maximum(mean, _RUIN))


def payoff(rows: ScoredRows, name: str, market: Market, draws: Resampling, fee: float = FEE) -> dict[str, Any]:
    """What the rule on the model called ``name`` gave, beside buying all coins and holding them.

    ``total`` and ``hold_total`` are simple returns of the whole time; ``daily`` the mean daily log growth less
    that of holding, with its interval; ``drawdown`` the largest fall from a peak; ``long`` the share of rows held.
    """
    threshold = 0.0 if tipo_of(name) == "regressor" else 0.5
    held = (rows.predicted[name][market.order] > threshold).astype(float)
    growth, hold = market.growth(held, fee), market.growth(np.ones(len(held)), fee)
    difference = sums_by_day(market.day, market.days, [growth - hold])
    peak = np.maximum.accumulate(np.concatenate([[0.0], np.cumsum(growth)]))
    fall = peak - np.concatenate([[0.0], np.cumsum(growth)])
    return {
        "illustration": True,
        "fee": fee,
        "total": float(np.expm1(growth.sum())),
        "hold_total": float(np.expm1(hold.sum())),
        "daily": float(difference.mean()),
        "daily_interval": draws.bounds(draws.sums(difference)[:, 0] / (draws.block * draws.blocks)),
        "drawdown": float(-np.expm1(-fall.max())),
        "long": float(held.mean()),
    }
