import io
import warnings

import numpy as np
import polars as pl
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.training.dataset import Dataset
from cripto.training.estimators import RECIPES, Recipe
from cripto.training.fitting import FittedModel, fit, one_thread, sample_rows
from tests.doubles.candles import random_walk
from tests.unit.training.toys import QUICK, dataset_of

EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(random_walk(["BTC", "ETH", "ADA"], 260))


@pytest.fixture(scope="module")
def fitted(dataset: Dataset) -> dict[str, FittedModel]:
    with one_thread():
        return {name: fit(name, RECIPES[name], dataset, EVERYTHING, 7) for name in MODEL_NAMES}


def test_estimators_are_of_the_families_their_names_say(fitted: dict[str, FittedModel]) -> None:
    kinds = {name: type(model.estimator).__name__ for name, model in fitted.items()}
    assert kinds == {
        "regressor_rf": "RandomForestRegressor",
        "regressor_gbr": "GradientBoostingRegressor",
        "regressor_lin": "Pipeline",
        "classifier_rf": "RandomForestClassifier",
        "classifier_log": "Pipeline",
    }


def test_files_carry_the_feature_names(fitted: dict[str, FittedModel], dataset: Dataset) -> None:
    import joblib

    for model in fitted.values():
        loaded = joblib.load(io.BytesIO(model.to_bytes()))
        assert tuple(loaded.feature_names_in_) == dataset.names
        assert loaded.get_params().get("n_jobs") is None


def test_another_seed_gives_other_forests(fitted: dict[str, FittedModel], dataset: Dataset) -> None:
    other = fit("regressor_rf", RECIPES["regressor_rf"], dataset, EVERYTHING, 8)
    assert other.to_bytes() != fitted["regressor_rf"].to_bytes()


def test_predictions_are_one_number_a_row_and_warn_of_nothing(
    fitted: dict[str, FittedModel], dataset: Dataset
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, model in fitted.items():
            whole = model.predict(dataset)
            assert whole.shape == (len(dataset),)
            assert whole.dtype == np.float64
            assert (model.predict(dataset, slice(5, 9)) == whole[5:9]).all()
            if name.startswith("classifier"):
                assert 0 <= whole.min() <= whole.max() <= 1


def test_rows_outside_the_slice_are_not_looked_at(dataset: Dataset) -> None:
    rows = slice(0, 300)
    later = Dataset(
        dataset.names,
        np.where(np.arange(len(dataset))[:, None] < 300, dataset.features, 1e6),
        np.where(np.arange(len(dataset)) < 300, dataset.log_return, 9.0),
        dataset.time,
        dataset.symbol,
    )
    for name, recipe in QUICK.items():
        assert fit(name, recipe, later, rows, 1).to_bytes() == fit(name, recipe, dataset, rows, 1).to_bytes()


def test_recipe_bounds_the_rows(dataset: Dataset) -> None:
    seen: list[int] = []

    def build(rows: int, seed: int) -> object:
        seen.append(rows)
        return RECIPES["regressor_lin"].build(rows, seed)

    model = fit("regressor_lin", Recipe(build, max_rows=100), dataset, slice(50, 400), 1)
    assert model.rows == 100
    assert seen == [100]


def test_sample_is_even_sorted_and_repeatable() -> None:
    chosen = sample_rows(100_000, 1000, seed=3)
    assert len(set(chosen.tolist())) == 1000
    assert (np.diff(chosen) > 0).all()
    assert (chosen == sample_rows(100_000, 1000, seed=3)).all()
    assert (chosen != sample_rows(100_000, 1000, seed=4)).any()
    assert 40_000 < np.median(chosen) < 60_000


def test_few_rows_are_all_taken() -> None:
    assert sample_rows(5, 5, seed=0).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rows", [100, 5_000, 1_000_000])
def test_forests_stay_small_whatever_the_rows(rows: int) -> None:
    for name in ("regressor_rf", "classifier_rf"):
        params = RECIPES[name].build(rows, 0).get_params()
        assert params["max_samples"] <= min(rows, 10_000)
        assert params["n_estimators"] * 2 ** params["max_depth"] < 10_000
        assert 2 <= params["min_samples_leaf"] <= rows // 10


def test_dataset_of_one_asset_is_enough(dataset: Dataset) -> None:
    one = dataset_of(random_walk(["BTC"], 400))
    assert fit("regressor_lin", QUICK["regressor_lin"], one, EVERYTHING, 1).rows == len(one)
    assert one.symbol.unique().equals(pl.Series("symbol", ["BTC"]))
