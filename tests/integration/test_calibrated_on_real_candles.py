"""The bounds that calibrated output must keep on real candles, by forecasts made only from earlier data.

Coverage of the 80 % and 95 % ranges within 2 points overall and 4 points in every year and in each tercile of the
trailing volatility known then; expected calibration error at most 0.02 in 10 bins of equal mass. The same of coins
that neither models nor numbers had seen.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from cripto.domain.interval import INTERVALS, Interval
from cripto.domain.model_name import tipo_of
from cripto.domain.ranges import LEVELS
from cripto.features import default_spec
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.ranges import RangeScale
from cripto.training.dataset import Dataset, build_dataset
from cripto.training.engine import LocalEngine
from cripto.training.estimators import RECIPES, Recipe
from cripto.training.plan import SEED
from cripto.training.scores import evaluate, rows_of_folds
from cripto.training.served import earlier_predictions, fit_numbers, served, together
from cripto.training.walk_forward import Predictions, boundaries, folds_between, out_of_fold

OVERALL, IN_PART, CALIBRATION_ERROR = 0.02, 0.04, 0.02
SIMPLE = ("regressor_lin", "classifier_log")
COIN_GROUPS = 3


def rows_of(file: Path, interval: Interval) -> Dataset:
    candles = pl.read_parquet(file).with_columns(interval=pl.lit(interval.name))
    return build_dataset(candles, default_spec(), interval)


def check_walking_forward(dataset: Dataset, interval: Interval, recipes: Mapping[str, Recipe]) -> None:
    folds = folds_between(dataset.time, interval, boundaries(dataset.time))
    earlier = earlier_predictions(recipes, dataset, folds[0], interval, SEED, LocalEngine(2), silent)
    walked = served(dataset, out_of_fold(recipes, dataset, folds, SEED, LocalEngine(2), silent), earlier)
    check_bounds(dataset, walked.predictions, walked.half_widths, interval)


def silent(done: int, total: int) -> None:
    """Nobody listens."""


def of_coins(dataset: Dataset, coins: list[str]) -> tuple[Dataset, NDArray[np.intp]]:
    """The rows of ``coins``, and where they stand."""
    chosen = np.flatnonzero(dataset.symbol.is_in(coins).to_numpy())
    part = replace(
        dataset,
        features=dataset.features[chosen],
        log_return=dataset.log_return[chosen],
        time=dataset.time[chosen],
        symbol=dataset.symbol.gather(chosen),
    )
    return part, chosen


def check_bounds(
    dataset: Dataset, predictions: Predictions, half_widths: Mapping[str, NDArray[np.float64]], interval: Interval
) -> None:
    rows = rows_of_folds(dataset, predictions, interval, half_widths)
    wrong: list[str] = []
    for name, scores in evaluate(rows, SEED).models.items():
        if tipo_of(name) == "classifier":
            if scores["ece"] > CALIBRATION_ERROR:
                wrong.append(f"{name}: calibration error {scores['ece']:.4f}")
            continue
        found: Any = scores["coverage"]
        for told in found:
            level = told["level"]
            assert told["without_range"] == 0
            groups = {"overall": (told, OVERALL)}
            for kind in ("years", "loudness"):
                groups |= {label: (entry, IN_PART) for label, entry in told[kind].items()}
            wrong += [
                f"{name} {level:.0%} {label}: {entry['covered']:.4f}"
                for label, (entry, bound) in groups.items()
                if abs(entry["covered"] - level) > bound
            ]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ranges_and_probabilities_keep_their_bounds_walking_forward(daily_file: Path) -> None:
    check_walking_forward(rows_of(daily_file, INTERVALS["1d"]), INTERVALS["1d"], RECIPES)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ranges_and_probabilities_keep_their_bounds_on_hourly_candles(hourly_file: Path) -> None:
    simple = {name: RECIPES[name] for name in SIMPLE}
    check_walking_forward(rows_of(hourly_file, INTERVALS["1h"]), INTERVALS["1h"], simple)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_they_keep_them_of_coins_that_were_never_seen(daily_file: Path) -> None:
    """Every coin is forecast by models and numbers of the other two thirds of the coins, and of earlier days."""
    interval = INTERVALS["1d"]
    dataset = rows_of(daily_file, interval)
    edges = boundaries(dataset.time)
    recipes = {name: RECIPES[name] for name in SIMPLE}
    values = {name: np.full(len(dataset), np.nan) for name in SIMPLE}
    widths = {"regressor_lin": np.full((len(LEVELS), len(dataset)), np.nan)}
    coins = sorted(dataset.symbol.unique().to_list())
    for group in range(COIN_GROUPS):
        left_out = coins[group::COIN_GROUPS]
        seen, place = of_coins(dataset, [coin for coin in coins if coin not in left_out])
        for fold in folds_between(seen.time, interval, edges):
            opened = seen.time[fold.test.start]
            end = edges[fold.number]
            unseen = np.flatnonzero(
                dataset.symbol.is_in(left_out).to_numpy() & (dataset.time >= opened) & (dataset.time < end)
            )
            before = replace(fold, train=slice(0, fold.train.stop))
            earlier = earlier_predictions(recipes, seen, before, interval, SEED, LocalEngine(1), silent)
            assert earlier is not None
            numbers = fit_numbers(seen, together(earlier, None), fold.train.stop)
            for name in SIMPLE:
                told = fit_and_predict(name, seen, fold.train, dataset, unseen)
                calibration, ranges = numbers.calibrations.get(name), numbers.ranges.get(name)
                values[name][unseen] = told if calibration is None else calibrate(told, calibration)
                if ranges is not None:
                    scale = RangeScale(ranges, dataset.names)
                    widths[name][:, unseen] = scale.half_widths(dataset.features[unseen])
        assert len(place) == len(seen)
    folds = folds_between(dataset.time, interval, edges)
    number = np.zeros(len(dataset), dtype=np.int64)
    for fold in folds:
        number[fold.test] = fold.number
    check_bounds(dataset, Predictions(folds, number, values), widths, interval)


def fit_and_predict(
    name: str, seen: Dataset, rows: slice, dataset: Dataset, unseen: NDArray[np.intp]
) -> NDArray[np.float64]:
    from cripto.training.fitting import fit, one_thread

    with one_thread():
        return fit(name, RECIPES[name], seen, rows, SEED).predict(dataset, unseen)
