from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cripto.errors import InvalidInput
from cripto.training.dataset import Dataset
from cripto.training.row_weights import VOLATILITY, RowWeights
from tests.doubles.candles import random_walk
from tests.unit.training.toys import dataset_of

ROWS = np.arange(50, 250, dtype=np.intp)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(random_walk(["BTC", "ETH"], 260))


def volatility_of(dataset: Dataset) -> Any:
    return dataset.features[:, dataset.names.index(VOLATILITY)]


def with_volatility(dataset: Dataset, values: Any) -> Dataset:
    features = dataset.features.copy()
    features[:, dataset.names.index(VOLATILITY)] = values
    return replace(dataset, features=features)


def test_nothing_asked_weighs_all_alike(dataset: Dataset) -> None:
    assert (RowWeights()(dataset, ROWS) == 1).all()


def test_a_row_a_half_life_older_weighs_half(dataset: Dataset) -> None:
    weights = RowWeights(half_life_days=30)(dataset, ROWS)
    days = (dataset.time[ROWS] - dataset.time[ROWS[0]]) / np.timedelta64(1, "D")
    np.testing.assert_allclose(weights / weights[-1], 0.5 ** ((days[-1] - days) / 30))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_row_twice_as_loud_weighs_less_by_the_power(dataset: Dataset, power: float) -> None:
    loud = np.where(np.arange(len(dataset)) % 2 == 0, 0.02, 0.04)
    weights = RowWeights(volatility_power=power)(with_volatility(dataset, loud), ROWS)
    assert weights[0] / weights[1] == pytest.approx(2**power)


def test_a_coin_that_hardly_moves_does_not_outweigh_all(dataset: Dataset) -> None:
    pegged = np.where(np.arange(len(dataset)) % 50 == 0, 0.0, volatility_of(dataset))
    weights = RowWeights(volatility_power=2.0)(with_volatility(dataset, pegged), ROWS)
    assert np.isfinite(weights).all()
    assert weights.max() / np.median(weights) < 20


def test_prices_that_never_moved_weigh_all_alike(dataset: Dataset) -> None:
    weights = RowWeights(volatility_power=2.0)(with_volatility(dataset, 0.0), ROWS)
    assert (weights == 1).all()


@pytest.mark.parametrize("weights", [RowWeights(30, 2.0), RowWeights(0.001), RowWeights(None, 1.0)])
def test_weights_are_above_zero_with_mean_one_and_know_no_other_row(dataset: Dataset, weights: RowWeights) -> None:
    found = weights(dataset, ROWS)
    assert (found > 0).all()
    assert found.mean() == pytest.approx(1)
    away = np.ones(len(dataset), dtype=bool)
    away[ROWS] = False
    other = replace(
        dataset,
        features=np.where(away[:, None], 9.0, dataset.features),
        time=np.where(away, np.datetime64("2099-01-01", "us"), dataset.time),
    )
    assert (weights(other, ROWS) == found).all()


@pytest.mark.parametrize("bad", [{"half_life_days": 0}, {"half_life_days": float("nan")}, {"volatility_power": 3}])
def test_numbers_that_give_no_weights_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=r"not (0|nan|3)"):
        RowWeights(**bad)


def test_features_without_a_volatility_are_refused_by_its_name(dataset: Dataset) -> None:
    nameless = replace(dataset, names=tuple(f"x{place}" for place in range(len(dataset.names))))
    with pytest.raises(InvalidInput, match=VOLATILITY):
        RowWeights(volatility_power=1.0)(nameless, ROWS)
