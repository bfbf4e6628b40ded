"""What is proven of a release before anything of it is written: `ground` before models are fitted, `prove` after.

Nothing here depends on the engine that did the work, nor do the words: proofs are made on this machine, one fit
after the other, so a release of any other engine is proven equal to what this machine would have fitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.clock import rfc3339
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.domain.proofs import Determinism, ForecastsAhead, LookAhead, Proofs, WarmUp
from cripto.errors import TrainingRefused
from cripto.features import build_features
from cripto.registry.convert import Conversion
from cripto.training.dataset import Dataset, dataset_of, featured_rows, to_datetime
from cripto.training.engine import LocalEngine
from cripto.training.estimators import Recipe
from cripto.training.final_fits import FinalFit, final_fits
from cripto.training.fitting import fit
from cripto.training.leaks import Builder, listed, look_ahead
from cripto.training.served import Served, Walk, served
from cripto.training.targets import HORIZON
from cripto.training.walk_forward import Fold, Predictions
from cripto.training.warm_up import warm_up

__all__ = ["HOW", "Ground", "cut_again", "fit_again", "ground", "prove"]

HOW: Final = (
    "every model fitted a second time on the same rows, in another order, and converted a second time: each file"
    " the same to the last byte"
)
"""What a determinism proof says of itself."""

_ASSETS: Final = 12
_CANDLES: Final = 1500


@dataclass(frozen=True, slots=True)
class Ground:
    """What was proven of features and targets alone, and where forecasts are to be cut: see `ForecastsAhead`.

    ``fold`` is the fold whose test part is cut; every candle after the one that opened at ``opened`` (UTC) was
    taken away, which left the first ``known`` rows of the dataset as they were.
    """

    look_ahead: LookAhead
    warm_up: WarmUp
    fold: Fold
    opened: datetime
    known: int


def ground(
    candles: pl.DataFrame,
    dataset: Dataset,
    folds: Sequence[Fold],
    spec: FeatureSpec,
    interval: Interval,
    build: Builder = build_features,
    seed: int = 0,
) -> Ground:
    """Prove that no row of ``dataset`` knows of later candles, or of candles before its lookback.

    ``candles`` are those it was made of, one series per symbol; ``folds`` are its walk-forward. Everything random
    is drawn by ``seed``. Raises `TrainingRefused`, naming the features that see what they must not.
    """
    sample = _with_rows(candles, dataset, interval, seed)
    ahead = look_ahead(sample, spec, interval, build, seed=seed)
    warm = warm_up(sample, spec, interval, build, seed=seed)
    fold, opened, known = _cut(dataset, folds, interval, seed)
    early = candles.filter(pl.col("time") <= opened)
    rows = featured_rows(early, spec, interval, build)
    _compare(dataset_of(rows.drop_nulls("log_return"), early, spec), dataset, known, opened)
    _compare_newest(rows.filter(pl.col("time") == opened), dataset, opened)
    return Ground(ahead, warm, fold, opened, known)


def prove(
    grounded: Ground,
    walk: Walk,
    fitted: Mapping[str, FinalFit],
    conversions: Mapping[str, Conversion],
    again: Callable[[Mapping[str, bytes]], Mapping[str, Conversion]],
    report: Callable[[int, int], None],
) -> Proofs:
    """Prove that forecasts know nothing of later candles, and that all of it done again gives the same files.

    ``fitted`` and ``conversions`` are the files to be published; ``again`` converts files as they were converted.
    ``report`` hears how many steps are done. Raises `TrainingRefused` naming the models that are not the same.
    """
    models = len(walk.recipes)
    total = 2 * models + 1
    report(0, total)
    ahead = cut_again(grounded, walk, lambda done: report(done, total))
    same = fit_again(
        walk.recipes,
        walk.dataset,
        fitted,
        conversions,
        again,
        walk.seed,
        lambda done: report(models + done, total),
    )
    return Proofs(grounded.look_ahead, ahead, grounded.warm_up, same)


def cut_again(grounded: Ground, walk: Walk, done: Callable[[int], None]) -> ForecastsAhead:
    """Fit the ground's fold again on the rows known at its cut, and compare all that it says of test rows.

    Models' raw numbers, calibrated probabilities and half widths of ranges, bit for bit. ``done`` hears how many
    models are.
    """
    known, fold, dataset, walked = grounded.known, grounded.fold, walk.dataset, walk.served
    # `ground` has shown these rows to be what the cut candles give, so they need not be built again
    early = replace(
        dataset,
        features=dataset.features[:known],
        log_return=dataset.log_return[:known],
        time=dataset.time[:known],
        symbol=dataset.symbol[:known],
    )
    cut = replace(fold, test=slice(fold.test.start, known))
    # as many rows are asked about as were: BLAS takes other steps for another number, and moves last bits
    late = fold.test.stop - known
    block = np.concatenate([dataset.features[cut.test], np.repeat(dataset.features[known - 1 : known], late, 0)])
    asked = replace(dataset, features=block)
    tasks = [_CutTask(name, recipe, cut.train, asked, walk.seed) for name, recipe in walk.recipes.items()]
    told = LocalEngine(1).run(_fit_and_ask, tasks, early, done)
    values = {name: column[:known].copy() for name, column in walk.predictions.values.items()}
    for task, said in zip(tasks, told, strict=True):
        values[task.name][cut.test] = said[: known - fold.test.start]
    before = None if walk.earlier is None else _until(walk.earlier, known)
    again = served(early, Predictions((cut,), walk.predictions.fold[:known], values), before)
    wrong = [
        name
        for name in walk.recipes
        if not _same(values[name][cut.test], walk.predictions.values[name][cut.test])
        or not _same(again.predictions.values[name][cut.test], walked.predictions.values[name][cut.test])
        or not _same_widths(name, again, walked, cut.test)
    ]
    if wrong:
        raise TrainingRefused(
            f"what {listed(wrong)} says of candles up to {rfc3339(grounded.opened)} changes with candles after it,"
            " or each time: the future leaks in, something random has no seed, or the machines that fitted are of"
            " another kind than this one"
        )
    return ForecastsAhead(
        cut=walk.interval.close_of(grounded.opened),
        known=known,
        fold=fold.number,
        models=len(walk.recipes),
        rows=cut.test.stop - cut.test.start,
    )


def fit_again(
    recipes: Mapping[str, Recipe],
    dataset: Dataset,
    fitted: Mapping[str, FinalFit],
    conversions: Mapping[str, Conversion],
    again: Callable[[Mapping[str, bytes]], Mapping[str, Conversion]],
    seed: int,
    done: Callable[[int], None],
) -> Determinism:
    """Fit and convert all models again, and compare files; one model is fitted at a time, the cheapest first."""
    second = final_fits(recipes, dataset, seed, LocalEngine(1), done, dearest_first=False)
    wrong = [name for name, model in fitted.items() if second[name].joblib != model.joblib]
    if wrong:
        raise TrainingRefused(
            f"{listed(wrong)} is not the same when it is fitted again on the same rows with the same seed:"
            " something random has no seed, or the machines that fitted are of another kind than this one"
        )
    converted = again({name: model.joblib for name, model in second.items()})
    done(len(recipes) + 1)
    wrong = [name for name, made in conversions.items() if converted[name].onnx != made.onnx]
    if wrong:
        raise TrainingRefused(f"the graph of {listed(wrong)} is not the same when its file is converted again")
    return Determinism(
        HOW,
        {name: sha256(model.joblib).hexdigest() for name, model in second.items()},
        {name: sha256(made.onnx).hexdigest() for name, made in converted.items()},
    )


@dataclass(frozen=True, slots=True)
class _CutTask:
    name: str
    recipe: Recipe
    train: slice
    asked: Dataset
    seed: int


def _fit_and_ask(dataset: Dataset, task: _CutTask) -> NDArray[np.float64]:
    return fit(task.name, task.recipe, dataset, task.train, task.seed).predict(task.asked)


def _with_rows(candles: pl.DataFrame, dataset: Dataset, interval: Interval, seed: int) -> pl.DataFrame:
    """Candles of up to 12 assets that have rows: the last 1,500 up to the one that tells its last row's target.

    So that what is compared is never nothing, however many of the others are too short.
    """
    symbols = dataset.symbol.cast(pl.String)
    ends = (
        pl.DataFrame({"symbol": symbols, "time": pl.Series(dataset.time, dtype=pl.Datetime("us"))})
        .group_by("symbol")
        .agg(end=pl.col("time").max().dt.replace_time_zone("UTC") + interval.step * HORIZON)
        .sort("symbol")
    )
    if len(ends) > _ASSETS:
        ends = ends[np.sort(np.random.default_rng(seed).choice(len(ends), _ASSETS, replace=False)).tolist()]
    return (
        candles.join(ends, on="symbol")
        .filter(pl.col("time") <= pl.col("end"))
        .drop("end")
        .sort("symbol", "time")
        .group_by("symbol", maintain_order=True)
        .tail(_CANDLES)
        .select(candles.columns)
    )


def _cut(dataset: Dataset, folds: Sequence[Fold], interval: Interval, seed: int) -> tuple[Fold, datetime, int]:
    """A fold, a candle in its test part after the first (UTC open), and how many rows are known when it closed."""
    random = np.random.default_rng([seed, len(folds)])
    fold = folds[int(random.integers(len(folds)))]
    times = np.unique(dataset.time[fold.test])
    opened = times[int(random.integers(1, len(times)))]
    # a target is known a candle later
    step = np.timedelta64(interval.seconds, "s")
    known = int(np.searchsorted(dataset.time, opened - step * HORIZON, side="right"))
    return fold, to_datetime(opened), known


def _compare(early: Dataset, whole: Dataset, known: int, opened: datetime) -> None:
    """Raise `TrainingRefused` unless ``early`` is the first ``known`` rows of ``whole``, bit for bit."""
    same_rows = (
        len(early) == known
        and np.array_equal(early.time, whole.time[:known])
        and early.symbol.cast(pl.String).equals(whole.symbol[:known].cast(pl.String))
    )
    if not same_rows:
        raise TrainingRefused(
            f"rows up to {rfc3339(opened)} come and go with candles after it: the future leaks in"
        )
    changed = [
        name
        for place, name in enumerate(whole.names)
        if not np.array_equal(early.features[:, place], whole.features[:known, place])
    ]
    if not np.array_equal(early.log_return, whole.log_return[:known]):
        changed.append("the target")
    _refuse_changed(changed, opened)


def _compare_newest(newest: pl.DataFrame, whole: Dataset, opened: datetime) -> None:
    """Raise `TrainingRefused` unless rows of the candle that opened at ``opened`` are those of ``whole``.

    They have no target when all later candles are cut, and are the only ones that show a look of one candle ahead.
    """
    here = np.flatnonzero(whole.time == np.datetime64(opened.replace(tzinfo=None), "us"))
    symbols = whole.symbol.gather(here).cast(pl.String)
    found = pl.DataFrame({"symbol": symbols}).join(
        newest.with_columns(pl.col("symbol").cast(pl.String)), on="symbol", how="left", maintain_order="left"
    )
    changed = [
        name
        for place, name in enumerate(whole.names)
        if not np.array_equal(found[name].to_numpy(), whole.features[here, place])
    ]
    _refuse_changed(changed, opened)


def _refuse_changed(changed: Sequence[str], opened: datetime) -> None:
    if changed:
        raise TrainingRefused(
            f"{listed(changed)} of candles up to {rfc3339(opened)} change with candles after it:"
            " the future leaks in"
        )


def _until(predictions: Predictions, known: int) -> Predictions:
    values = {name: column[:known] for name, column in predictions.values.items()}
    return replace(predictions, fold=predictions.fold[:known], values=values)


def _same(one: Any, other: Any) -> bool:
    return np.array_equal(one, other, equal_nan=True)


def _same_widths(name: str, again: Served, walked: Served, rows: slice) -> bool:
    if name not in walked.half_widths:
        return True
    return _same(again.half_widths[name][:, rows], walked.half_widths[name][:, rows])
