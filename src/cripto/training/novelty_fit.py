"""Fitting the novelty score to the rows a release is fitted on."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.novelty import Novelty
from cripto.forecasting.novelty import distance
from cripto.training._conformal import rounded
from cripto.training.fitting import sample_rows
from cripto.training.range_fit import CALENDAR

__all__ = ["fit_novelty"]

_SHARES: Final = (0.0, 0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.99, 0.995, 0.999, 1.0)
_MOST_ROWS: Final = 200_000
_SEED: Final = 20250729
_LEAST_SPREAD: Final = 1e-9
_LEAST_STEP: Final = 1e-9


def fit_novelty(features: NDArray[np.float64], names: Sequence[str]) -> Novelty | None:
    """Novelty against the rows of ``features``, (rows, names), or an even sample of 200,000 of them.

    A feature's centre is its median, its spread half the width between its 5th and 95th percentiles; the calendar
    and features that hardly vary are left out. ``None`` where none is left, or all rows are alike.
    """
    if len(features) > _MOST_ROWS:
        features = features[sample_rows(len(features), _MOST_ROWS, _SEED)]
    low, middle, high = np.quantile(features, (0.05, 0.5, 0.95), axis=0)
    half = (high - low) / 2
    used = [place for place, name in enumerate(names) if name not in CALENDAR and half[place] > _LEAST_SPREAD]
    if not used:
        return None
    centers = [rounded(float(middle[place])) for place in used]
    spreads = [rounded(float(half[place])) for place in used]
    columns = np.ascontiguousarray(features.T[used])
    distances = distance(columns, np.array(centers), np.array(spreads))
    knots: list[tuple[float, float]] = []
    for share, found in zip(_SHARES, np.quantile(distances, _SHARES), strict=True):
        here = rounded(float(found))
        if knots and here - knots[-1][0] < _LEAST_STEP:
            knots.pop()  # as near as the one before: the larger share counts
        knots.append((here, share))
    if len(knots) < 2:
        return None
    return Novelty(tuple(names[place] for place in used), tuple(centers), tuple(spreads), tuple(knots))
