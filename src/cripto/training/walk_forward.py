"""Folds that follow one another in time, and what models say of rows that none of them was fitted on.

The first training part is the first 40 % of the candle times; five test parts share the rest to the end. Each
fold is fitted on what was known before its test part began: its last targets closed by then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cripto.domain.clock import rfc3339
from cripto.domain.interval import Interval
from cripto.errors import TrainingRefused
from cripto.training.dataset import Dataset, to_datetime
from cripto.training.engine import Engine
from cripto.training.estimators import Recipe
from cripto.training.fitting import fit
from cripto.training.targets import HORIZON, rises

__all__ = [
    "EMBARGO",
    "FIRST_SHARE",
    "FOLDS",
    "MINIMUM_ROWS",
    "MINIMUM_TIMES",
    "Fold",
    "FoldTask",
    "Predictions",
    "WindowKind",
    "boundaries",
    "folds_between",
    "out_of_fold",
    "predict_fold",
    "refuse_one_class",
    "walk_forward",
]

EMBARGO: Final = HORIZON
"""Candles left out between the last training row and the first test row; the horizon at least."""

MINIMUM_ROWS: Final = 200
"""Fewer rows with features and target than this cannot be cut into parts that mean anything."""

FOLDS: Final = 5
"""Test parts of a walk-forward that names no number."""

FIRST_SHARE: Final = 0.4
"""The first training part's share of the candle times."""

MINIMUM_TIMES: Final = 10
"""Fewer candle times than this are no test part."""

_SHARES_OF_ROWS: Final = (0.1, 0.8)
_FIRST_ROWS: Final = MINIMUM_ROWS // 4

WindowKind = Literal["expanding", "rolling"]
"""Whether a fold is fitted on all earlier rows, or on a stretch as long as the first training part."""

Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of rows sorted by time: fitted on ``train``, scored on ``test``; ``number`` counts from 1.

    Times are the UTC opens of first and last row of each part. ``embargo`` candles lie between the two, so the
    target of every training row closes no later than ``first_test`` opens.
    """

    number: int
    train: slice
    test: slice
    embargo: int
    first_train: datetime
    last_train: datetime
    first_test: datetime
    last_test: datetime

    def to_json(self) -> dict[str, Any]:
        """The fold as JSON values; without its number it has the form of a hold-out."""
        return {
            "number": self.number,
            "embargo_candles": self.embargo,
            "train": {
                "rows": self.train.stop - self.train.start,
                "first": rfc3339(self.first_train),
                "last": rfc3339(self.last_train),
            },
            "test": {
                "rows": self.test.stop - self.test.start,
                "first": rfc3339(self.first_test),
                "last": rfc3339(self.last_test),
            },
        }


@dataclass(frozen=True, slots=True)
class Predictions:
    """What every model said of rows it had not seen: raw, as the estimators give it.

    ``values`` holds by model name float64 (rows,): log returns or P(rises), NaN where no fold tests the row.
    ``fold`` is int64 (rows,): the number of the fold that tests it, 0 for none.
    """

    folds: tuple[Fold, ...]
    fold: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which rows a fold tests, bool (rows,)."""
        return self.fold > 0


def walk_forward(
    time: Times,
    interval: Interval,
    *,
    folds: int = FOLDS,
    embargo: int = EMBARGO,
    window: WindowKind = "expanding",
) -> tuple[Fold, ...]:
    """Cut ``time`` (sorted UTC opens, one per row) into ``folds`` test parts and what is fitted before each.

    See `boundaries` for where, and `folds_between` for how. Raises `TrainingRefused`, with the numbers.
    """
    return folds_between(time, interval, boundaries(time, folds), embargo=embargo, window=window)


def boundaries(time: Times, folds: int = FOLDS) -> Times:
    """Where ``folds`` test parts of ``time`` begin, and, as the last item, the microsecond after all rows.

    Test parts have equal numbers of distinct candle times (within one), whatever rows stand at them: a hole in
    the history makes no empty fold, and a day of many coins is one day. The first part has `FIRST_SHARE` of the
    times, moved until between a tenth and eight tenths of the *rows* lie in it, as far as the test parts keep
    `MINIMUM_TIMES` each. Rows of one time are never parted. Raises `TrainingRefused` for too few rows or times.
    """
    rows = len(time)
    if folds < 1:
        raise TrainingRefused(f"a walk-forward has at least one fold, not {folds}")
    if rows < MINIMUM_ROWS:
        raise TrainingRefused(f"{rows} rows have features and a next candle; at least {MINIMUM_ROWS} are needed")
    distinct, first_row = np.unique(time, return_index=True)
    fewest = int(np.searchsorted(first_row, rows * _SHARES_OF_ROWS[0]))
    most = int(np.searchsorted(first_row, rows * _SHARES_OF_ROWS[1], side="right")) - 1
    latest = len(distinct) - folds * MINIMUM_TIMES
    cut = min(max(fewest, min(int(len(distinct) * FIRST_SHARE), most)), latest)
    if cut < 1:
        raise TrainingRefused(
            f"{rows} rows stand at {len(distinct)} candle times; {folds} folds that test at least"
            f" {MINIMUM_TIMES} times each need more than {folds * MINIMUM_TIMES}"
        )
    places = cut + (len(distinct) - cut) * np.arange(folds) // folds
    end = time[-1].astype("datetime64[us]") + np.timedelta64(1, "us")
    return np.append(distinct[places].astype("datetime64[us]"), end)


def folds_between(
    time: Times,
    interval: Interval,
    edges: Times,
    *,
    embargo: int = EMBARGO,
    window: WindowKind = "expanding",
) -> tuple[Fold, ...]:
    """The folds whose test parts are the rows from each of ``edges`` to before the next.

    A fold depends on rows before its end alone. A training row's target closes at least ``embargo - HORIZON``
    candles before the test part opens; ``embargo`` is the horizon at least. Raises `TrainingRefused` where a
    part is too small.
    """
    embargo = max(embargo, HORIZON)
    step = np.timedelta64(interval.seconds, "s")
    starts = np.searchsorted(time, edges)
    first_length = edges[0] - time[0] if len(time) else step
    folds = []
    for number, (start, stop) in enumerate(pairwise(starts), start=1):
        if start == stop:
            raise TrainingRefused(f"fold {number} has no row to test")
        opened = time[start]
        train_stop = int(np.searchsorted(time, opened - step * (embargo + 1), side="right"))
        train_start = int(np.searchsorted(time, opened - first_length)) if window == "rolling" else 0
        if train_stop - train_start < _FIRST_ROWS:
            raise TrainingRefused(
                f"only {max(0, train_stop - train_start)} of {len(time)} rows lie before fold {number};"
                f" at least {_FIRST_ROWS} are needed"
            )
        folds.append(
            Fold(
                number=number,
                train=slice(train_start, train_stop),
                test=slice(int(start), int(stop)),
                embargo=embargo,
                first_train=to_datetime(time[train_start]),
                last_train=to_datetime(time[train_stop - 1]),
                first_test=to_datetime(opened),
                last_test=to_datetime(time[stop - 1]),
            )
        )
    return tuple(folds)


@dataclass(frozen=True, slots=True)
class FoldTask:
    """The model called ``name``, fitted on a fold's training rows and asked about its test rows."""

    name: str
    recipe: Recipe
    fold: Fold
    seed: int


def predict_fold(dataset: Dataset, task: FoldTask) -> NDArray[np.float64]:
    """What the task's model says of the fold's test rows, float64 (test,); a pure function for any engine."""
    return fit(task.name, task.recipe, dataset, task.fold.train, task.seed).predict(dataset, task.fold.test)


def refuse_one_class(dataset: Dataset, folds: Sequence[Fold]) -> None:
    """Raise `TrainingRefused` where a training part holds one class only."""
    for fold in folds:
        rose = rises(dataset.log_return[fold.train])
        if rose.all() or not rose.any():
            which = "every one" if rose.all() else "none"
            raise TrainingRefused(
                f"the price rises after {which} of the {len(rose)} training rows of fold {fold.number}:"
                " there is one class only, nothing to tell apart"
            )


def out_of_fold(
    recipes: Mapping[str, Recipe],
    dataset: Dataset,
    folds: Sequence[Fold],
    seed: int,
    engine: Engine,
    report: Callable[[int, int], None],
) -> Predictions:
    """Fit every model on every fold, where ``engine`` says, and keep what it says of the fold's test rows.

    ``report`` hears how many of all fits are done, on the thread that called. Raises `TrainingRefused` where a
    training part holds one class only.
    """
    refuse_one_class(dataset, folds)
    # the dearest first, so that the last ones to end are short
    tasks = sorted(
        (FoldTask(name, recipe, fold, seed) for fold in folds for name, recipe in recipes.items()),
        key=lambda task: -task.recipe.cost * (task.fold.train.stop - task.fold.train.start),
    )
    number = np.zeros(len(dataset), dtype=np.int64)
    for fold in folds:
        number[fold.test] = fold.number
    values = {name: np.full(len(dataset), np.nan) for name in recipes}
    report(0, len(tasks))
    told = engine.run(predict_fold, tasks, dataset, lambda done: report(done, len(tasks)))
    for task, said in zip(tasks, told, strict=True):
        values[task.name][task.fold.test] = said
    return Predictions(tuple(folds), number, values)
