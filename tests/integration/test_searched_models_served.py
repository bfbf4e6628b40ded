"""What a search may choose can be served: converted, with the same answers, and no larger than its bound says."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.registry.convert import convert_models
from cripto.training.dataset import Dataset
from cripto.training.engine import LocalEngine
from cripto.training.estimators import MOST_LEAVES, RECIPES, Forest
from cripto.training.final_fits import final_fits
from cripto.training.fitting import fit
from cripto.training.search_space import SPACES
from tests.doubles.candles import random_walk
from tests.unit.training.toys import dataset_of

LARGEST_ONNX = 4_000_000
UNLIKE: dict[str, Any] = {"half_life_days": 365, "volatility_power": 2.0, "features": "random half 1"}
ESTIMATORS: dict[str, dict[str, Any]] = {
    "regressor_rf": {"trees": 100, "depth": 8, "split_share": 0.33, "rows_a_tree": 10_000, "leaf": 50},
    "regressor_gbr": {
        "loss": "squared_error",
        "steps": 200,
        "rate": 0.05,
        "depth": 4,
        "split_share": 0.2,
        "rows_share": 0.5,
        "leaf": 50,
    },
    "regressor_lin": {"penalty": 0.1},
    "classifier_rf": {"trees": 50, "depth": 8, "split_share": 0.33, "rows_a_tree": 20_000, "leaf": 50},
    "classifier_log": {"penalty": 0.03},
}


@pytest.mark.slow
def test_candidates_unlike_the_committed_recipes_convert_to_the_same_answers() -> None:
    dataset = dataset_of(random_walk(["ADA", "BTC", "ETH"], 400))
    recipes = {
        name: SPACES[name].recipe({**ESTIMATORS[name], **UNLIKE}, RECIPES[name], dataset.names)
        for name in MODEL_NAMES
    }
    fitted = final_fits(recipes, dataset, 1, LocalEngine(2), lambda done: None)
    # refuses a graph that disagrees with its source
    converted = convert_models(
        {name: model.joblib for name, model in fitted.items()}, dataset.features[::50], dataset.names
    )
    assert list(converted) == list(MODEL_NAMES)


@pytest.mark.slow
def test_the_largest_forest_of_the_space_is_small_enough_to_serve() -> None:
    random, rows, names = np.random.default_rng(1), 12_000, ("a", "b", "c", "d", "e", "f")
    features = random.normal(size=(rows, len(names))).astype(np.float32).astype(np.float64)
    noise = Dataset(
        names,
        features,
        features[:, 0] * 0.01 + random.normal(scale=0.03, size=rows),
        np.datetime64("2020-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h"),
        pl.Series("symbol", ["BTC"] * rows),
    )
    largest = SPACES["regressor_rf"].recipe(ESTIMATORS["regressor_rf"], RECIPES["regressor_rf"], names)
    assert isinstance(largest.build, Forest)
    model = fit("regressor_rf", largest, noise, slice(None), 1)
    leaves = sum(tree.get_n_leaves() for tree in model.estimator.estimators_)
    assert MOST_LEAVES / 4 < leaves <= MOST_LEAVES
    converted = convert_models({"regressor_rf": model.to_bytes()}, features[:20], names)
    assert len(converted["regressor_rf"].onnx) < LARGEST_ONNX
