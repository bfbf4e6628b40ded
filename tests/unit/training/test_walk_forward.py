from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cripto.domain.interval import INTERVALS, Interval
from cripto.errors import TrainingRefused
from cripto.training.engine import LocalEngine
from cripto.training.estimators import Recipe
from cripto.training.walk_forward import (
    FOLDS,
    MINIMUM_ROWS,
    MINIMUM_TIMES,
    Fold,
    FoldTask,
    Times,
    WindowKind,
    boundaries,
    folds_between,
    out_of_fold,
    predict_fold,
    walk_forward,
)
from tests.doubles.candles import DAILY, random_walk
from tests.unit.training.toys import QUICK, dataset_of

EPOCH = np.datetime64("2024-01-01", "us")
START = datetime(2024, 1, 1, tzinfo=UTC)


def times(steps: list[int], interval: Interval = DAILY) -> Times:
    return np.sort(EPOCH + np.array(steps) * np.timedelta64(interval.seconds, "s"))


def test_the_first_two_fifths_train_and_the_rest_is_tested_in_equal_parts() -> None:
    folds = walk_forward(times(list(range(1000))), DAILY)
    assert [fold.number for fold in folds] == [1, 2, 3, 4, 5]
    assert [fold.test for fold in folds] == [slice(400 + 120 * n, 520 + 120 * n) for n in range(5)]
    assert [fold.train for fold in folds] == [slice(0, 399 + 120 * n) for n in range(5)]
    assert folds[0].first_test == START + timedelta(days=400)
    assert folds[0].last_train == START + timedelta(days=398)
    assert folds[-1].last_test == START + timedelta(days=999)


def test_rolling_window_keeps_the_length_of_the_first_training_part() -> None:
    folds = walk_forward(times(list(range(1000))), DAILY, window="rolling")
    assert [fold.train for fold in folds] == [slice(120 * n, 399 + 120 * n) for n in range(5)]


def test_wider_embargo_leaves_more_out() -> None:
    assert walk_forward(times(list(range(1000))), DAILY, embargo=10)[0].train == slice(0, 390)


def test_embargo_is_never_shorter_than_the_horizon() -> None:
    time = times(list(range(1000)))
    assert walk_forward(time, DAILY, embargo=0) == walk_forward(time, DAILY)


ROWS: Any = st.lists(st.integers(0, 400), min_size=MINIMUM_ROWS, max_size=700)
WINDOWS: Any = st.sampled_from(["expanding", "rolling"])


@given(
    steps=ROWS,
    count=st.integers(1, 7),
    embargo=st.integers(0, 30),
    window=WINDOWS,
    interval=st.sampled_from([INTERVALS["1d"], INTERVALS["1h"]]),
)
def test_no_fold_trains_on_what_its_test_part_could_know(
    steps: list[int], count: int, embargo: int, window: WindowKind, interval: Interval
) -> None:
    time = times(steps, interval)
    try:
        folds = walk_forward(time, interval, folds=count, embargo=embargo, window=window)
    except TrainingRefused:
        return
    step = np.timedelta64(interval.seconds, "s")
    assert len(folds) == count
    for fold in folds:
        target_closes = time[fold.train] + 2 * step
        assert target_closes.max() + (max(embargo, 1) - 1) * step <= time[fold.test].min()
        assert time[: fold.test.start].max() < time[fold.test].min(), "rows of one time are never parted"
    for earlier, later in pairwise(folds):
        assert earlier.test.stop == later.test.start, "disjoint, and nothing between them is left out"
    assert folds[-1].test.stop == len(time)


@settings(max_examples=40)
@given(steps=ROWS, later=st.lists(st.integers(401, 900), max_size=200), window=WINDOWS)
def test_rows_after_the_last_fold_change_nothing(steps: list[int], later: list[int], window: WindowKind) -> None:
    time = times(steps)
    try:
        edges = boundaries(time)
        folds = folds_between(time, DAILY, edges, window=window)
    except TrainingRefused:
        return
    assert folds_between(times(steps + later), DAILY, edges, window=window) == folds


@settings(max_examples=40)
@given(steps=ROWS)
def test_test_parts_have_equal_numbers_of_candle_times(steps: list[int]) -> None:
    time = times(steps)
    try:
        folds = walk_forward(time, DAILY)
    except TrainingRefused:
        return
    counts = [len(np.unique(time[fold.test])) for fold in folds]
    assert max(counts) - min(counts) <= 1
    assert min(counts) >= MINIMUM_TIMES


def test_years_without_a_candle_make_no_empty_fold() -> None:
    folds = walk_forward(times([*range(300), *range(3000, 3100)]), DAILY)
    assert [fold.test.stop - fold.test.start for fold in folds] == [48] * 5


def test_coins_listed_late_do_not_leave_the_first_part_without_rows() -> None:
    crowded = [step for step in range(420, 500) for _ in range(100)]
    time = times([*range(420), *crowded])
    folds = walk_forward(time, DAILY)
    assert folds[0].train.stop >= 0.09 * len(time)


def test_coins_delisted_early_leave_rows_to_test() -> None:
    crowded = [step for step in range(100) for _ in range(100)]
    time = times([*crowded, *range(100, 400)])
    folds = walk_forward(time, DAILY)
    assert folds[0].test.start <= 0.8 * len(time)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (list(range(MINIMUM_ROWS - 1)), f"{MINIMUM_ROWS - 1} rows have.*at least {MINIMUM_ROWS}"),
        ([7] * 300, "300 rows stand at 1 candle times; 5 folds .* need more than 50"),
        ([*range(3), *[step for step in range(3, 53) for _ in range(100)]], "rows lie before fold 1"),
    ],
)
def test_rows_that_cannot_be_cut_are_refused_with_the_numbers(steps: list[int], reason: str) -> None:
    with pytest.raises(TrainingRefused, match=reason):
        walk_forward(times(steps), DAILY)


def test_least_rows_allowed_are_cut() -> None:
    assert len(walk_forward(times(list(range(MINIMUM_ROWS))), DAILY)) == FOLDS


def test_no_fold_at_all_is_refused() -> None:
    with pytest.raises(TrainingRefused, match="at least one fold"):
        walk_forward(times(list(range(400))), DAILY, folds=0)


def test_fold_as_json_has_the_form_of_a_hold_out() -> None:
    fold = walk_forward(times(list(range(1000))), DAILY)[0]
    assert fold.to_json() == {
        "number": 1,
        "embargo_candles": 1,
        "train": {"rows": 399, "first": "2024-01-01T00:00:00Z", "last": "2025-02-02T00:00:00Z"},
        "test": {"rows": 120, "first": "2025-02-04T00:00:00Z", "last": "2025-06-03T00:00:00Z"},
    }


@pytest.fixture(scope="module")
def data() -> Any:
    return dataset_of(random_walk(["ADA", "BTC"], 260))


def test_every_tested_row_has_a_prediction_and_no_other(data: Any) -> None:
    folds = walk_forward(data.time, DAILY)
    heard: list[tuple[int, int]] = []
    predicted = out_of_fold(QUICK, data, folds, 1, LocalEngine(1), lambda done, of: heard.append((done, of)))
    assert heard == [(done, 25) for done in range(26)]
    assert list(predicted.values) == list(QUICK)
    for values in predicted.values.values():
        assert np.array_equal(np.isfinite(values), predicted.tested)
    assert predicted.tested.sum() == sum(fold.test.stop - fold.test.start for fold in folds)
    for fold in folds:
        assert (predicted.fold[fold.test] == fold.number).all()


def test_predictions_do_not_depend_on_how_many_fit_side_by_side(data: Any) -> None:
    folds = walk_forward(data.time, DAILY, folds=2)
    one, two = (out_of_fold(QUICK, data, folds, 1, LocalEngine(jobs), lambda done, of: None) for jobs in (1, 2))
    for name in QUICK:
        assert one.values[name].tobytes() == two.values[name].tobytes()


def test_predictions_of_a_fold_do_not_depend_on_later_rows(data: Any) -> None:
    """The law of the walk-forward on real estimators: cut the future off and nothing earlier changes."""
    folds = walk_forward(data.time, DAILY)
    short = dataset_of(random_walk(["ADA", "BTC"], 260).filter(pl.col("time") <= folds[1].last_test))
    for name in ("regressor_rf", "classifier_log"):
        whole = predict_fold(data, FoldTask(name, QUICK[name], folds[0], 3))
        cut = predict_fold(short, FoldTask(name, QUICK[name], folds[0], 3))
        assert whole.tobytes() == cut.tobytes()


def test_one_class_before_a_fold_is_refused(data: Any) -> None:
    folds = walk_forward(data.time, DAILY)
    rising = replace(data, log_return=np.abs(data.log_return) + 1e-9)
    with pytest.raises(TrainingRefused, match=r"rises after every one of .* fold 1"):
        out_of_fold(QUICK, rising, folds, 1, LocalEngine(1), lambda done, of: None)


def test_fit_that_fails_ends_the_run(data: Any) -> None:
    def broken(rows: int, seed: int) -> object:
        raise RuntimeError("no such estimator")

    fold: tuple[Fold, ...] = walk_forward(data.time, DAILY, folds=1)
    with pytest.raises(RuntimeError, match="no such estimator"):
        out_of_fold({"regressor_lin": Recipe(broken)}, data, fold, 1, LocalEngine(1), lambda done, of: None)
