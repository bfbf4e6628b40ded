"""Weights of calibration rows, the conformal quantile, and how numbers are written down."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["HALF_LIFE_DAYS", "conformal_quantile", "rounded", "time_weights"]

HALF_LIFE_DAYS: Final = 730.0
"""After this many days a calibration row counts half: what was tried is in ``docs/experiments.md``."""

_DIGITS: Final = 9

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


def time_weights(time: Times, half_life_days: float | None = None) -> Floats:
    """Weights of rows at ``time`` (sorted): each candle time weighs one, shared among its rows.

    Coins move together, so a time of forty coins says hardly more than a time of four. With a half life, a time
    that many days before the last one weighs half.
    """
    _, place, count = np.unique(time, return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / count[place]
    if half_life_days is not None:
        age = (time[-1] - time) / np.timedelta64(1, "D")
        weights *= 0.5 ** (age / half_life_days)
    return weights


def conformal_quantile(scores: Floats, weights: Floats, level: float) -> float:
    """The least score that holds ``level`` of the weight, the row to come counted as if it lay beyond all.

    Split conformal prediction (Vovk 2005; weighted: Tibshirani et al. 2019); the row to come weighs as much as
    the heaviest. With equal weights it is the ``ceil((n + 1) level)``-th smallest score; infinite where there
    are too few for that.
    """
    order = np.argsort(scores, kind="stable")
    held = np.cumsum(weights[order])
    # a rounding error in the sum must not cost a whole score
    needed = level * (held[-1] + weights.max()) * (1 - 1e-12)
    place = int(np.searchsorted(held, needed))
    return float(scores[order[place]]) if place < len(scores) else float("inf")


def rounded(value: float) -> float:
    """``value`` to nine significant digits: what a fit's last bits add is noise, and processors differ in them."""
    return float(f"{value:.{_DIGITS}g}")
