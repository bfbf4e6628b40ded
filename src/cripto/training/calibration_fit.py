"""Fitting the calibration of a classifier to its out-of-fold probabilities.

Only the slope of Platt's form is learned from them, about the share of rises known before: a shift learned from
a bull market was wrong in the next bear market in every trial, as was isotonic regression
(``docs/experiments.md``). The slope draws probabilities towards that share by as much as they were too sure.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.calibration import Calibration
from cripto.forecasting.calibration import logit
from cripto.training._conformal import rounded, time_weights
from cripto.training.range_fit import LEAST_ROWS, LEAST_TIMES

__all__ = ["centre_of", "fit_calibration"]

_HALF_TIMES: Final = 1000.0
"""How many candle times of one half the share of rises starts from: months of a rising market are no law."""

_SLOPE: Final = 0.5
_SLOPE_STRENGTH: Final = 20.0
"""The slope before anything is known, and the information (Fisher's) it is believed with.

Six years of daily candles hold about as much: their slope counts half, and decades' would count wholly.
"""

_STEPS: Final = 100
_TOLERANCE: Final = 1e-12

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


def centre_of(rose: NDArray[np.bool_], time: Times) -> float:
    """The logit that calibrated probabilities are drawn towards, from rows known by then.

    That of the share of rises, each candle time counting once, held near one half by `_HALF_TIMES` of its own.
    """
    weights = time_weights(time)
    share = (float((weights * rose).sum()) + _HALF_TIMES / 2) / (float(weights.sum()) + _HALF_TIMES)
    return float(np.log(share / (1 - share)))


def fit_calibration(
    probability: Floats, rose: NDArray[np.bool_], time: Times, centre: float
) -> Calibration | None:
    """The calibration of out-of-fold probabilities (rows,) of rises, about ``centre``, a logit.

    The slope has the highest penalised likelihood within 0 and 1: probabilities are made less sure, never surer.
    ``None`` where there are too few rows (`LEAST_TIMES`, `LEAST_ROWS`).
    """
    if len(np.unique(time)) < LEAST_TIMES or len(probability) < LEAST_ROWS:
        return None
    weights = time_weights(time)
    away = logit(probability) - centre
    slope = _SLOPE
    for _ in range(_STEPS):
        told = 1 / (1 + np.exp(-(centre + slope * away)))
        gradient = float((weights * (told - rose) * away).sum()) + _SLOPE_STRENGTH * (slope - _SLOPE)
        curvature = float((weights * told * (1 - told) * away * away).sum()) + _SLOPE_STRENGTH
        step = gradient / curvature
        # the likelihood is concave, and so flat far out that a whole step might overshoot
        slope -= max(-0.5, min(0.5, step))
        if abs(step) < _TOLERANCE:
            break
    slope = min(1.0, max(0.0, slope))
    return Calibration(rounded(centre * (1 - slope)), rounded(slope))
