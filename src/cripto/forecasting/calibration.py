"""Raw probabilities of a classifier as they are served: the one function that training's evaluation uses too."""

import numpy as np

from cripto.domain.calibration import LEAST_PROBABILITY, Calibration
from cripto.forecasting.runtime import Vector

__all__ = ["calibrate", "logit"]

_LEAST_RAW = 1e-9


def logit(probability: Vector) -> Vector:
    """``ln(p / (1 - p))`` of each probability, those within a billionth of 0 and 1 taken as that far off."""
    inside = np.minimum(np.maximum(probability, _LEAST_RAW), 1.0 - _LEAST_RAW)
    return np.log(inside / (1.0 - inside))


def calibrate(probability: Vector, calibration: Calibration) -> Vector:
    """Served probabilities of raw ones, both float64 (rows,); a row's does not depend on the rows beside it.

    See `cripto.domain.calibration.Calibration`. What is no probability (NaN, or more than a billionth outside 0
    to 1) becomes NaN, so that whoever uses the row refuses it as before.
    """
    values = 1.0 / (1.0 + np.exp(-(calibration.shift + calibration.slope * logit(probability))))
    values = np.minimum(np.maximum(values, LEAST_PROBABILITY), 1.0 - LEAST_PROBABILITY)
    known = (probability >= -_LEAST_RAW) & (probability <= 1.0 + _LEAST_RAW)
    return np.where(known, values, np.nan)
