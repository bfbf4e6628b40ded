import json

import numpy as np
import pytest
from numpy.typing import NDArray

from cripto.training.dataset import Dataset
from cripto.training.fitting import FittedModel, fit
from cripto.training.probes import probe_file, probe_rows, published_rows
from tests.doubles.candles import random_walk
from tests.unit.training.toys import QUICK, dataset_of


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(random_walk(["BTC", "ETH", "ADA"], 400))


@pytest.fixture(scope="module")
def models(dataset: Dataset) -> list[FittedModel]:
    return [fit(name, recipe, dataset, slice(None), 1) for name, recipe in QUICK.items()]


def told(dataset: Dataset, models: list[FittedModel]) -> dict[str, NDArray[np.float64]]:
    return {model.name: model.predict(dataset, published_rows(dataset)) for model in models}


def test_rows_hold_the_extremes_of_every_feature(dataset: Dataset) -> None:
    probes = dataset.features[probe_rows(dataset)]
    assert (probes.min(axis=0) == dataset.features.min(axis=0)).all()
    assert (probes.max(axis=0) == dataset.features.max(axis=0)).all()


def test_rows_are_ascending_unique_and_bounded(dataset: Dataset) -> None:
    rows = probe_rows(dataset)
    assert (np.diff(rows) > 0).all()
    assert rows[0] == 0
    assert rows[-1] == len(dataset) - 1
    assert len(rows) <= 512 + 2 * len(dataset.names)


def test_file_holds_rows_and_what_each_model_says_of_them(dataset: Dataset, models: list[FittedModel]) -> None:
    value = json.loads(probe_file(dataset, told(dataset, models)))
    assert sorted(value) == ["expected", "features"]
    assert np.array(value["features"]).shape == (64, len(dataset.names))
    assert sorted(value["expected"]) == sorted(QUICK)
    places = np.array([np.flatnonzero((dataset.features == row).all(axis=1))[0] for row in value["features"]])
    for model in models:
        # the same batch: how a linear model adds up a row depends on the rows beside it, in the last bit
        assert value["expected"][model.name] == model.predict(dataset, places).tolist()


def test_file_is_the_same_each_time(dataset: Dataset, models: list[FittedModel]) -> None:
    assert probe_file(dataset, told(dataset, models)) == probe_file(dataset, told(dataset, models))
