"""Fitting the calibration of a classifier to its out-of-fold probabilities.

Only the slope of Platt's form is learned from them, and where their middle lay: a shift learned from a bull market
was wrong in the next bear market in every trial, as was isotonic regression (``docs/experiments.md``). The slope
draws probabilities together by as much as they were too sure; their middle is moved to the share of rises of a
fair game, which hardly needs the past.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.calibration import LEAST_PROBABILITY, Calibration
from cripto.forecasting.calibration import logit
from cripto.training._conformal import rounded, time_weights
from cripto.training.fair_game import fair_share
from cripto.training.range_fit import LEAST_ROWS, LEAST_TIMES
from cripto.training.targets import rises

__all__ = ["centre_of", "fit_calibration"]

_FAIR_TIMES: Final = 10_000.0
"""How many candle times of a fair game the share of rises starts from: years of a rising market are no law."""

_SLOPE: Final = 0.5
_SLOPE_STRENGTH: Final = 20.0
"""The slope before anything is known, and the information (Fisher's) it is believed with.

Six years of daily candles hold about as much: their slope counts half, and decades' would count wholly.
"""

_STEPS: Final = 100
_TOLERANCE: Final = 1e-12

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


def centre_of(log_return: Floats, time: Times) -> float:
    """The logit that calibrated probabilities lie about, from the log returns (rows,) known by then.

    That of the share of rises, each candle time counting once, held near `fair_share` by `_FAIR_TIMES` of its own.
    A close that stays as it was is no rise, so that share is one of the closes that moved.
    """
    weights = time_weights(time)
    times = float(weights.sum())
    moved = float((weights * (log_return != 0)).sum())
    size = float((weights * np.abs(log_return)).sum()) / moved if moved else 0.0
    fair = fair_share(size) * moved / times
    share = (float((weights * rises(log_return)).sum()) + _FAIR_TIMES * fair) / (times + _FAIR_TIMES)
    share = min(1 - LEAST_PROBABILITY, max(LEAST_PROBABILITY, share))
    return float(np.log(share / (1 - share)))


def fit_calibration(
    probability: Floats, rose: NDArray[np.bool_], time: Times, centre: float
) -> Calibration | None:
    """The calibration of out-of-fold probabilities (rows,) of rises; it moves their middle to ``centre``, a logit.

    The slope has the highest penalised likelihood within 0 and 1: probabilities are made less sure, never surer.
    ``None`` where there are too few rows (`LEAST_TIMES`, `LEAST_ROWS`).
    """
    if len(np.unique(time)) < LEAST_TIMES or len(probability) < LEAST_ROWS:
        return None
    weights = time_weights(time)
    told = logit(probability)
    middle = float((weights * told).sum() / weights.sum())
    away = told - middle
    slope = _SLOPE
    for _ in range(_STEPS):
        said = 1 / (1 + np.exp(-(centre + slope * away)))
        gradient = float((weights * (said - rose) * away).sum()) + _SLOPE_STRENGTH * (slope - _SLOPE)
        curvature = float((weights * said * (1 - said) * away * away).sum()) + _SLOPE_STRENGTH
        step = gradient / curvature
        # the likelihood is concave, and so flat far out that a whole step might overshoot
        slope -= max(-0.5, min(0.5, step))
        if abs(step) < _TOLERANCE:
            break
    slope = min(1.0, max(0.0, slope))
    return Calibration(rounded(centre - slope * middle), rounded(slope))
