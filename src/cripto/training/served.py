"""From raw out-of-fold predictions to what would have been served, and to the numbers of the release.

Fold by fold, numbers come from what was known before the fold's test part opened: out-of-fold predictions of
earlier rows whose targets had closed. The first fold has none before it, so its training part is walked through
by itself first. The release's own numbers come from all out-of-fold predictions there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.calibration import Calibration
from cripto.domain.clock import rfc3339
from cripto.domain.interval import Interval
from cripto.domain.model_name import tipo_of
from cripto.domain.ranges import LEVELS, Ranges
from cripto.errors import TrainingRefused
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.ranges import RangeScale
from cripto.training.calibration_fit import centre_of, fit_calibration
from cripto.training.dataset import Dataset, to_datetime
from cripto.training.engine import Engine
from cripto.training.estimators import Recipe
from cripto.training.fitting import one_thread, sample_rows
from cripto.training.range_fit import LEAST_ROWS, LEAST_TIMES, SCALING, fit_ranges
from cripto.training.targets import rises
from cripto.training.walk_forward import Fold, Predictions, out_of_fold, walk_forward

__all__ = [
    "EARLIER_FOLDS",
    "MOST_ROWS",
    "Numbers",
    "Served",
    "Walk",
    "earlier_predictions",
    "fit_numbers",
    "served",
    "together",
]

EARLIER_FOLDS: Final = 3
"""Folds inside the first training part, on whose predictions the first fold's numbers are fitted."""

MOST_ROWS: Final = 1_000_000
"""Numbers are fitted to no more out-of-fold rows than this."""

_SEED: Final = 20250729

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Calibrations by classifier and ranges by regressor; ``None`` where there was too little to fit them to."""

    calibrations: Mapping[str, Calibration | None]
    ranges: Mapping[str, Ranges | None]
    described: Mapping[str, Any]
    """Rows and range of candle opens they were fitted to, as JSON values."""

    def to_json(self) -> dict[str, Any]:
        """On how much which models were calibrated, as JSON values for the manifest."""
        fitted = {**self.calibrations, **self.ranges}
        return {
            "out_of_fold": dict(self.described),
            "least_times": LEAST_TIMES,
            "least_rows": LEAST_ROWS,
            "fitted": sorted(name for name, item in fitted.items() if item is not None),
            "too_little": sorted(name for name, item in fitted.items() if item is None),
        }


@dataclass(frozen=True, slots=True)
class Served:
    """What would have been served of rows that no model nor any number had seen.

    ``predictions`` holds served values: probabilities calibrated, save in folds before which there was too little
    to calibrate on. ``half_widths`` holds by regressor the ranges' half widths as log returns, float64 (levels,
    rows), NaN where there is none. ``numbers`` is what each fold was served with, by its number.
    """

    predictions: Predictions
    half_widths: Mapping[str, Floats]
    numbers: Mapping[int, Numbers]


@dataclass(frozen=True, slots=True)
class Walk:
    """A run's walk forward: what was fitted on what, and what came of it.

    ``predictions`` are the raw out-of-fold ones, ``earlier`` those of `earlier_predictions`.
    """

    recipes: Mapping[str, Recipe]
    dataset: Dataset
    interval: Interval
    seed: int
    predictions: Predictions
    earlier: Predictions | None
    served: Served


def earlier_predictions(
    recipes: Mapping[str, Recipe],
    dataset: Dataset,
    first: Fold,
    interval: Interval,
    seed: int,
    engine: Engine,
    report: Callable[[int, int], None],
) -> Predictions | None:
    """Out-of-fold predictions of later rows of the ``first`` fold's training part; ``None`` if it is too short.

    Arguments and the rest as for `cripto.training.walk_forward.out_of_fold`.
    """
    try:
        folds = walk_forward(
            dataset.time[: first.train.stop], interval, folds=EARLIER_FOLDS, embargo=first.embargo
        )
        return out_of_fold(recipes, dataset, folds, seed, engine, report)
    except TrainingRefused:
        return None


def together(predictions: Predictions, earlier: Predictions | None) -> dict[str, Floats]:
    """Raw out-of-fold values of both by model, float64 (rows,), NaN where there is none."""
    if earlier is None:
        return dict(predictions.values)
    return {
        name: np.where(predictions.tested, values, earlier.values[name])
        for name, values in predictions.values.items()
    }


def fit_numbers(dataset: Dataset, values: Mapping[str, Floats], stop: int | None = None) -> Numbers:
    """Numbers fitted to out-of-fold ``values`` of rows before ``stop``, all of whose targets are known by then.

    To an even sample of `MOST_ROWS` of them where there are more.
    """
    stop = len(dataset) if stop is None else stop
    rose, time = rises(dataset.log_return[:stop]), dataset.time[:stop]
    calibrations: dict[str, Calibration | None] = {}
    ranges: dict[str, Ranges | None] = {}
    rows = _known(values, stop)
    if not len(rows):
        for name in values:
            (calibrations if tipo_of(name) == "classifier" else ranges)[name] = None
        return Numbers(calibrations, ranges, _described(time[rows]))
    # the few columns that scale ranges, not all features: with millions of rows the copy is felt
    names = [name for name in SCALING if name in dataset.names]
    places = np.array([dataset.names.index(name) for name in names], dtype=np.intp)
    features = dataset.features[np.ix_(rows, places)]
    centre = centre_of(dataset.log_return[:stop], time)
    with one_thread():
        for name, column in values.items():
            told = column[rows]
            if tipo_of(name) == "classifier":
                calibrations[name] = fit_calibration(told, rose[rows], time[rows], centre)
            else:
                ranges[name] = fit_ranges(features, names, dataset.log_return[rows] - told, time[rows])
    return Numbers(calibrations, ranges, _described(time[rows]))


def _known(values: Mapping[str, Floats], stop: int) -> NDArray[np.intp]:
    """Rows before ``stop`` of which every model said something, or an even sample of them."""
    known = np.flatnonzero(np.all([np.isfinite(column[:stop]) for column in values.values()], axis=0))
    return known[sample_rows(len(known), MOST_ROWS, _SEED)]


def served(dataset: Dataset, predictions: Predictions, earlier: Predictions | None) -> Served:
    """What would have been served of each row that ``predictions`` tests, by numbers from before its fold."""
    raw = together(predictions, earlier)
    values = {name: np.full(len(dataset), np.nan) for name in raw}
    half_widths = {
        name: np.full((len(LEVELS), len(dataset)), np.nan) for name in raw if tipo_of(name) == "regressor"
    }
    numbers: dict[int, Numbers] = {}
    for fold in predictions.folds:
        found = numbers[fold.number] = fit_numbers(dataset, raw, fold.train.stop)
        test = fold.test
        for name, column in raw.items():
            calibration = found.calibrations.get(name)
            values[name][test] = column[test] if calibration is None else calibrate(column[test], calibration)
        for name, ranges in found.ranges.items():
            if ranges is not None:
                scale = RangeScale(ranges, dataset.names)
                half_widths[name][:, test] = scale.half_widths(dataset.features[test])
    return Served(replace(predictions, values=values), half_widths, numbers)


def _described(time: NDArray[np.datetime64]) -> dict[str, Any]:
    if not len(time):
        return {"rows": 0, "times": 0, "first": None, "last": None}
    return {
        "rows": len(time),
        "times": len(np.unique(time)),
        "first": rfc3339(to_datetime(time[0])),
        "last": rfc3339(to_datetime(time[-1])),
    }
