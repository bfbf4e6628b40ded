"""Fitting price ranges to out-of-fold errors: how large an error to expect after a window, and how spread out.

The scale is a log-linear regression of the size of the error on measures of volatility of several lengths
(the idea of HAR: Corsi 2009) and the calendar, by the likelihood of a Laplace distribution: convex, robust to
crashes, and few numbers. The quantiles are conformal ones of the errors in units of that scale.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.ranges import LEVELS, LOG_FLOOR, SMALLEST_SCALE, Ranges, ScaleTerm
from cripto.forecasting.ranges import RangeScale, log_scale_columns
from cripto.training._conformal import HALF_LIFE_DAYS, conformal_quantile, rounded, time_weights

__all__ = ["CALENDAR", "LEAST_ROWS", "LEAST_TIMES", "SCALING", "VOLATILITY", "fit_ranges"]

VOLATILITY: Final = ("volatility_5", "volatility_20", "volatility_60", "mean_move_60", "atr_14", "range")
"""Features whose logarithms scale the ranges, those of them that a release has."""

CALENDAR: Final = ("weekday_sin", "weekday_cos", "hour_sin", "hour_cos")
"""Features that scale the ranges as they are: markets are quieter on Sundays and at night."""

SCALING: Final = (*VOLATILITY, *CALENDAR)
"""All that the scale of a range may be made from."""

LEAST_TIMES: Final = 100
LEAST_ROWS: Final = 100
"""With out-of-fold errors at fewer candle times, or of fewer rows, there are no ranges and no calibration."""

_RIDGE: Final = 1e-3
_STEPS: Final = 100
_TOLERANCE: Final = 1e-13
_LEAST_SPREAD: Final = 1e-6
_LARGEST_QUANTILE: Final = 100.0

Floats = NDArray[np.float64]


def fit_ranges(
    features: Floats, names: Sequence[str], error: Floats, time: NDArray[np.datetime64]
) -> Ranges | None:
    """Ranges from what log returns missed their forecasts by, ``error`` (rows,), after ``features`` (rows, names).

    Rows are sorted by ``time``, and none was known to the model that forecast it. ``None`` where they are too few
    (`LEAST_TIMES`, `LEAST_ROWS`) or all errors are zero. Deterministic on one thread of BLAS.
    """
    terms = [(name, True) for name in VOLATILITY if name in names]
    terms += [(name, False) for name in CALENDAR if name in names]
    places, logs = [names.index(name) for name, _ in terms], [log for _, log in terms]
    moving = _moving(features, [place for place, log in zip(places, logs, strict=True) if log])
    features, size, time = features[moving], np.abs(error[moving]), time[moving]
    if len(np.unique(time)) < LEAST_TIMES or len(size) < LEAST_ROWS or not size.any():
        return None
    weights = time_weights(time, HALF_LIFE_DAYS)
    columns = log_scale_columns(features, places, logs)
    kept = np.flatnonzero(columns.std(axis=1) > _LEAST_SPREAD)
    intercept, slopes = _fit_scale(columns[kept], np.maximum(size, SMALLEST_SCALE), weights)
    unit = Ranges(
        rounded(intercept),
        tuple(
            ScaleTerm(terms[place][0], rounded(slope), terms[place][1])
            for place, slope in zip(kept.tolist(), slopes, strict=True)
        ),
        (1.0,) * len(LEVELS),
    )
    scores = size / RangeScale(unit, names).scale(features)
    quantiles = [conformal_quantile(scores, weights, level) for level in LEVELS]
    if not quantiles[0] > 0 or not quantiles[-1] <= _LARGEST_QUANTILE:
        return None
    return Ranges(unit.intercept, unit.terms, tuple(map(rounded, quantiles)))


def _moving(features: Floats, places: Sequence[int]) -> NDArray[np.bool_]:
    """Rows whose price moved at all in their window: after the others the price mostly stands still again.

    Ranges that hold those for nothing would hold too little of the rest.
    """
    if not places:
        return np.ones(len(features), dtype=np.bool_)
    moved: NDArray[np.bool_] = features[:, places].max(axis=1) > LOG_FLOOR
    return moved


def _fit_scale(columns: Floats, size: Floats, weights: Floats) -> tuple[float, list[float]]:
    """Intercept and slopes of the logarithm of a Laplace scale, by Newton's method with step halving.

    Minimises the weighted mean of ``ln(scale) + size / scale`` and a slight ridge on standardised columns, which
    shares out what collinear ones say alike.
    """
    weights = weights / weights.sum()
    centers, spreads = columns.mean(axis=1), columns.std(axis=1)
    design = np.vstack([np.ones_like(size), (columns - centers[:, np.newaxis]) / spreads[:, np.newaxis]])
    penalty = np.full(len(design), _RIDGE)
    penalty[0] = 0.0

    def loss(at: Floats) -> float:
        log_scale = at @ design
        # a wild trial step may overflow: an infinite loss only halves it
        with np.errstate(over="ignore"):
            return float((weights * (log_scale + size * np.exp(-log_scale))).sum() + (penalty * at * at).sum() / 2)

    at = np.zeros(len(design))
    at[0] = np.log((weights * size).sum())
    best = loss(at)
    for _ in range(_STEPS):
        ratio = weights * size * np.exp(-(at @ design))
        gradient = design @ (weights - ratio) + penalty * at
        curvature = (design * ratio) @ design.T + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        length = 1.0
        while (now := loss(at - length * step)) > best and length > _TOLERANCE:
            length /= 2
        if not best - now > _TOLERANCE:
            break
        at, best = at - length * step, now
    slopes = at[1:] / spreads
    return float(at[0] - (slopes * centers).sum()), slopes.tolist()
