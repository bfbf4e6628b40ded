"""What is proven before a release is written: that it passes what is sound, and catches what is planted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import TrainingRefused
from cripto.features import build_features, default_spec
from cripto.registry.convert import Conversion
from cripto.training import proofs
from cripto.training.dataset import Dataset
from cripto.training.engine import LocalEngine
from cripto.training.estimators import Recipe
from cripto.training.final_fits import FinalFit, final_fits
from cripto.training.leaks import Builder
from cripto.training.proofs import HOW, Ground, cut_again, fit_again, ground
from cripto.training.served import Walk, earlier_predictions, served
from cripto.training.walk_forward import Fold, out_of_fold, walk_forward
from cripto.training.warm_up import warm_up
from tests.doubles.candles import DAILY, random_walk
from tests.unit.training.toys import QUICK, REMEMBERED, dataset_of, no_conversion, remembering

SPEC = default_spec()
FEATURE = SPEC.names[7]


def nobody(*_: int) -> None:
    """Does not listen."""


@pytest.fixture(scope="module")
def candles() -> pl.DataFrame:
    return random_walk(["ADA", "BTC"], 220)


@pytest.fixture(scope="module")
def dataset(candles: pl.DataFrame) -> Dataset:
    return dataset_of(candles)


@pytest.fixture(scope="module")
def folds(dataset: Dataset) -> tuple[Fold, ...]:
    return walk_forward(dataset.time, DAILY, folds=2)


@pytest.fixture(scope="module")
def walk(dataset: Dataset, folds: tuple[Fold, ...]) -> Walk:
    engine = LocalEngine(2)
    earlier = earlier_predictions(QUICK, dataset, folds[0], DAILY, 3, engine, nobody)
    predictions = out_of_fold(QUICK, dataset, folds, 3, engine, nobody)
    walked = served(dataset, predictions, earlier)
    return Walk(QUICK, dataset, DAILY, 3, predictions, earlier, walked)


@pytest.fixture(scope="module")
def grounded(candles: pl.DataFrame, dataset: Dataset, folds: tuple[Fold, ...]) -> Ground:
    return ground(candles, dataset, folds, SPEC, DAILY, seed=3)


@pytest.fixture(scope="module")
def fitted(dataset: Dataset) -> dict[str, FinalFit]:
    return final_fits(QUICK, dataset, 3, LocalEngine(2), nobody)


def converted(joblibs: Mapping[str, bytes]) -> Mapping[str, Conversion]:
    return no_conversion(joblibs, np.empty((0, 0)), SPEC.names)


# what look-ahead catches is in test_leaks; here is what only the whole cut sees


def test_sound_features_pass_and_the_ground_says_what_was_compared(grounded: Ground, dataset: Dataset) -> None:
    assert grounded.look_ahead.rows > 0
    assert grounded.look_ahead.assets == 2
    assert (grounded.warm_up.candles, grounded.warm_up.rows) == (SPEC.lookback, 200)
    assert grounded.fold.test.start < grounded.known < grounded.fold.test.stop
    times = dataset.time[: grounded.known]
    assert times.max() == np.datetime64(grounded.opened.replace(tzinfo=None)) - np.timedelta64(1, "D")


def test_another_seed_cuts_elsewhere(candles: pl.DataFrame, dataset: Dataset, folds: tuple[Fold, ...]) -> None:
    cuts = {ground(candles, dataset, folds, SPEC, DAILY, seed=seed).opened for seed in range(3)}
    assert len(cuts) > 1


def test_assets_without_a_row_never_stand_for_all(dataset: Dataset, folds: tuple[Fold, ...]) -> None:
    short = [f"NEW{number}" for number in range(30)]
    candles = pl.concat([random_walk(["ADA", "BTC"], 220), random_walk(short, 40)])
    found = ground(candles, dataset, folds, SPEC, DAILY, seed=0)
    assert found.look_ahead.assets == found.warm_up.assets == 2
    assert found.look_ahead.rows > 0


def test_leak_of_an_asset_that_the_sample_leaves_out_is_caught(
    candles: pl.DataFrame, dataset: Dataset, folds: tuple[Fold, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "_ASSETS", 1)  # of two, as it takes 12 of 39

    def leaking(of: str) -> Builder:
        def build(table: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
            ahead = table.select(
                "symbol", "time", ahead=pl.col("close").shift(-1).over("symbol") / pl.col("close")
            )
            rows = build_features(table, spec, interval).join(ahead, on=["symbol", "time"], how="left")
            peeked = pl.when(pl.col("symbol") == of).then(pl.col("ahead").fill_null(1.0)).otherwise(FEATURE)
            return rows.with_columns(peeked.alias(FEATURE)).drop("ahead")

        return build

    for symbol in ("ADA", "BTC"):  # one of the two is in the sample, and caught there
        build = leaking(symbol)
        made = dataset_of(candles)
        wrong = build(candles, SPEC, DAILY).drop_nulls().filter(pl.col("time") < candles["time"].max())
        matrix = wrong.sort("time", "symbol").select(SPEC.names).to_numpy()
        with pytest.raises(TrainingRefused, match=f"^{FEATURE} of candles up to .* change with candles after it"):
            ground(candles, replace(made, features=matrix), folds, SPEC, DAILY, build, seed=3)


def test_feature_that_remembers_for_ever_is_refused_by_the_warm_up(candles: pl.DataFrame) -> None:
    with pytest.raises(TrainingRefused, match=f"^{REMEMBERED} of a row are not the same from its last 61 candles"):
        warm_up(candles, SPEC, DAILY, remembering, rows=20)


def test_feature_that_remembers_for_ever_keeps_a_training_from_its_end(
    candles: pl.DataFrame, dataset: Dataset, folds: tuple[Fold, ...]
) -> None:
    with pytest.raises(TrainingRefused, match="served would not be what was trained on"):
        ground(candles, dataset, folds, SPEC, DAILY, remembering)


def test_builder_that_needs_fewer_candles_than_it_says_is_refused(candles: pl.DataFrame) -> None:
    def early(table: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
        return build_features(table, spec, interval).with_columns(pl.col(spec.names).fill_null(0.0))

    with pytest.raises(TrainingRefused, match="without the 61 candles"):
        warm_up(candles, SPEC, DAILY, early)


def test_warm_up_does_not_depend_on_the_order_of_candles(candles: pl.DataFrame) -> None:
    assert warm_up(candles.reverse(), SPEC, DAILY, rows=10) == warm_up(candles, SPEC, DAILY, rows=10)


def test_no_row_is_nothing_to_warm_up() -> None:
    assert warm_up(random_walk(["NEW"], 30), SPEC, DAILY).rows == 0


def test_forecasts_of_a_cut_fold_are_the_same(grounded: Ground, walk: Walk) -> None:
    heard: list[int] = []
    found = cut_again(grounded, walk, heard.append)
    assert found.models == len(MODEL_NAMES)
    assert found.rows == grounded.known - grounded.fold.test.start > 0
    assert found.known == grounded.known
    assert heard == [1, 2, 3, 4, 5]


def _peeks(recipe: Recipe, dataset: Dataset) -> Recipe:
    """Fits with a seed that only whoever sees all candles comes to."""

    def build(rows: int, seed: int) -> Any:
        return recipe.build(rows, seed + len(dataset))

    return Recipe(build)


@pytest.mark.parametrize("name", ["regressor_rf", "classifier_rf"])
def test_forecast_that_comes_out_otherwise_is_refused_and_the_model_named(
    grounded: Ground, walk: Walk, name: str
) -> None:
    recipes = {**QUICK, name: _peeks(QUICK[name], walk.dataset)}
    with pytest.raises(TrainingRefused, match=f"what {name} says of candles up to .* the future leaks in"):
        cut_again(grounded, replace(walk, recipes=recipes), nobody)


@pytest.mark.parametrize("what", ["calibrated", "ranges"])
def test_numbers_of_a_fold_that_knew_later_rows_are_refused(grounded: Ground, walk: Walk, what: str) -> None:
    walked = walk.served
    values, widths = dict(walked.predictions.values), dict(walked.half_widths)
    if what == "calibrated":
        values["classifier_log"] = values["classifier_log"] + 1e-12
    else:
        widths["regressor_lin"] = np.full_like(widths["regressor_lin"], 0.5)
    changed = replace(walked, predictions=replace(walked.predictions, values=values), half_widths=widths)
    with pytest.raises(TrainingRefused, match="the future leaks in"):
        cut_again(grounded, replace(walk, served=changed), nobody)


def test_fitted_again_gives_the_digests_of_the_files(dataset: Dataset, fitted: dict[str, FinalFit]) -> None:
    heard: list[int] = []
    joblibs = {name: model.joblib for name, model in fitted.items()}
    found = fit_again(QUICK, dataset, fitted, converted(joblibs), converted, 3, heard.append)
    assert found.how == HOW
    assert list(found.joblib) == list(MODEL_NAMES)
    assert len({*found.joblib.values(), *found.onnx.values()}) == 10
    assert heard == [1, 2, 3, 4, 5, 6]


def test_the_words_do_not_tell_how_many_jobs_or_processes_there_were() -> None:
    assert not any(character.isdigit() for character in HOW)
    assert not {"job", "jobs", "thread", "threads", "process"} & set(HOW.split())


def test_estimator_that_ignores_its_seed_is_refused(dataset: Dataset) -> None:
    def build(rows: int, seed: int) -> Any:
        return QUICK["classifier_rf"].build(rows, seed).set_params(random_state=None)

    recipes = {**QUICK, "classifier_rf": Recipe(build)}
    first = final_fits(recipes, dataset, 3, LocalEngine(1), nobody)
    made = converted({name: model.joblib for name, model in first.items()})
    with pytest.raises(TrainingRefused, match=r"^classifier_rf is not the same when"):
        fit_again(recipes, dataset, first, made, converted, 3, nobody)


def test_graph_that_comes_out_otherwise_is_refused(dataset: Dataset, fitted: dict[str, FinalFit]) -> None:
    def otherwise(joblibs: Mapping[str, bytes]) -> Mapping[str, Conversion]:
        made = dict(converted(joblibs))
        return {**made, "regressor_gbr": replace(made["regressor_gbr"], onnx=b"another graph")}

    made = converted({name: model.joblib for name, model in fitted.items()})
    with pytest.raises(TrainingRefused, match="graph of regressor_gbr is not the same"):
        fit_again(QUICK, dataset, fitted, made, otherwise, 3, nobody)
