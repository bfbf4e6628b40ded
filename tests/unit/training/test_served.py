"""What the walk-forward would have served: from earlier data alone, and by the functions that serve."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.domain.ranges import LEVELS
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.ranges import RangeScale
from cripto.training.dataset import Dataset
from cripto.training.engine import LocalEngine
from cripto.training.served import EARLIER_FOLDS, earlier_predictions, fit_numbers, served, together
from cripto.training.walk_forward import Fold, Predictions, walk_forward
from tests.doubles.candles import DAILY, random_walk
from tests.unit.training.toys import QUICK, dataset_of

COINS = ["BTC", "ETH", "ADA", "SOL"]


def silent(done: int, total: int) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(random_walk(COINS, 700))


def said(dataset: Dataset, folds: Sequence[Fold], seed: int) -> Predictions:
    """What models might have said: the seams of a walk-forward without its fits."""
    random = np.random.default_rng(seed)
    fold = np.zeros(len(dataset), dtype=np.int64)
    for one in folds:
        fold[one.test] = one.number
    values = {}
    for name in MODEL_NAMES:
        noise = random.normal(size=len(dataset))
        told = noise * 0.002 if tipo_of(name) == "regressor" else 1 / (1 + np.exp(-noise * 0.2))
        values[name] = np.where(fold > 0, told, np.nan)
    return Predictions(tuple(folds), fold, values)


@pytest.fixture(scope="module")
def predictions(dataset: Dataset) -> Predictions:
    return said(dataset, walk_forward(dataset.time, DAILY), 1)


@pytest.fixture(scope="module")
def earlier(dataset: Dataset, predictions: Predictions) -> Predictions:
    before = dataset.time[: predictions.folds[0].train.stop]
    return said(dataset, walk_forward(before, DAILY, folds=EARLIER_FOLDS), 2)


def test_earlier_predictions_lie_before_the_first_fold() -> None:
    short = dataset_of(random_walk(COINS, 300))
    first = walk_forward(short.time, DAILY)[0]
    earlier = earlier_predictions(QUICK, short, first, DAILY, 1, LocalEngine(1), silent)
    assert earlier is not None
    assert len(earlier.folds) == EARLIER_FOLDS
    assert earlier.folds[-1].test.stop == first.train.stop
    assert all(np.isfinite(values[earlier.tested]).all() for values in earlier.values.values())


def test_every_tested_row_is_served_by_the_functions_that_serve(
    dataset: Dataset, predictions: Predictions, earlier: Predictions
) -> None:
    found = served(dataset, predictions, earlier)
    for fold in predictions.folds:
        numbers = found.numbers[fold.number]
        for name, raw in predictions.values.items():
            told = found.predictions.values[name][fold.test]
            if tipo_of(name) == "regressor":
                ranges = numbers.ranges[name]
                assert ranges is not None
                assert told.tobytes() == raw[fold.test].tobytes()
                widths = RangeScale(ranges, dataset.names).half_widths(dataset.features[fold.test])
                assert found.half_widths[name][:, fold.test].tobytes() == widths.tobytes()
            else:
                calibration = numbers.calibrations[name]
                assert calibration is not None
                assert told.tobytes() == calibrate(raw[fold.test], calibration).tobytes()


def test_what_comes_later_changes_nothing_of_what_was_served(
    dataset: Dataset, predictions: Predictions, earlier: Predictions
) -> None:
    before = served(dataset, predictions, earlier)
    fold = predictions.folds[2]
    # the future otherwise: other returns, and other forecasts, from the fold's first row on
    log_return = dataset.log_return.copy()
    log_return[fold.test.start :] *= -3
    values = {name: column.copy() for name, column in predictions.values.items()}
    for column in values.values():
        column[fold.test.stop :] = 0.4
    after = served(replace(dataset, log_return=log_return), replace(predictions, values=values), earlier)
    until = slice(0, fold.test.stop)
    for name, column in before.predictions.values.items():
        np.testing.assert_array_equal(column[until], after.predictions.values[name][until])
    for name, widths in before.half_widths.items():
        np.testing.assert_array_equal(widths[:, until], after.half_widths[name][:, until])
    last = predictions.folds[-1].number
    assert before.numbers[last] != after.numbers[last], "the change would have been noticed"


def test_the_releases_numbers_come_from_all_out_of_fold_rows(
    dataset: Dataset, predictions: Predictions, earlier: Predictions
) -> None:
    numbers = fit_numbers(dataset, together(predictions, earlier))
    told = numbers.to_json()
    assert told["out_of_fold"]["rows"] == int(predictions.tested.sum() + earlier.tested.sum())
    assert told["fitted"] == sorted(QUICK)
    assert told["too_little"] == []
    assert numbers == fit_numbers(dataset, together(predictions, earlier))


def test_ranges_of_a_walk_forward_hold_about_what_they_promise(
    dataset: Dataset, predictions: Predictions, earlier: Predictions
) -> None:
    found = served(dataset, predictions, earlier)
    tested = predictions.tested
    for name, widths in found.half_widths.items():
        error = np.abs(dataset.log_return - found.predictions.values[name])[tested]
        for level, width in zip(LEVELS, widths[:, tested], strict=True):
            assert (error <= width).mean() == pytest.approx(level, abs=0.04)


def test_without_anything_earlier_the_first_fold_has_no_ranges_and_raw_probabilities(
    dataset: Dataset, predictions: Predictions
) -> None:
    found = served(dataset, predictions, None)
    first = predictions.folds[0]
    for name, widths in found.half_widths.items():
        assert np.isnan(widths[:, first.test]).all()
        assert np.isfinite(widths[:, predictions.folds[-1].test]).all(), name
    raw = predictions.values["classifier_rf"][first.test]
    assert found.predictions.values["classifier_rf"][first.test].tobytes() == raw.tobytes()
    assert found.numbers[1].to_json()["too_little"] == sorted(QUICK)


def test_a_history_too_short_for_earlier_folds_has_none() -> None:
    short = dataset_of(random_walk(COINS, 120))
    folds = walk_forward(short.time, DAILY, folds=2)
    assert earlier_predictions(QUICK, short, folds[0], DAILY, 1, LocalEngine(1), silent) is None


def test_numbers_of_too_few_rows_are_said_to_be_missing() -> None:
    short = dataset_of(random_walk(COINS, 150))
    predictions = said(short, walk_forward(short.time, DAILY), 1)
    numbers = fit_numbers(short, together(predictions, None))
    assert numbers.to_json()["fitted"] == []
    assert all(item is None for item in (*numbers.calibrations.values(), *numbers.ranges.values()))
