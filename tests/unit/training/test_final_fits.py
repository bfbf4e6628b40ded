import io
import time

import joblib
import numpy as np
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.training.dataset import Dataset
from cripto.training.engine import LocalEngine
from cripto.training.estimators import RECIPES, Recipe
from cripto.training.final_fits import FinalFit, final_fits
from cripto.training.fitting import fit
from cripto.training.probes import published_rows
from tests.doubles.candles import random_walk
from tests.unit.training.toys import QUICK, dataset_of


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(random_walk(["BTC", "ETH", "ADA"], 260))


@pytest.fixture(scope="module")
def fitted(dataset: Dataset) -> dict[str, FinalFit]:
    return final_fits(RECIPES, dataset, 7, LocalEngine(2), lambda done: None)


def test_five_models_come_in_their_usual_order(fitted: dict[str, FinalFit]) -> None:
    assert list(fitted) == list(MODEL_NAMES)


def test_number_of_jobs_changes_no_byte(fitted: dict[str, FinalFit], dataset: Dataset) -> None:
    alone = final_fits(RECIPES, dataset, 7, LocalEngine(1), lambda done: None)
    assert {name: model.joblib for name, model in alone.items()} == {
        name: model.joblib for name, model in fitted.items()
    }


def test_a_file_says_of_the_probes_what_was_noted(fitted: dict[str, FinalFit], dataset: Dataset) -> None:
    for name, model in fitted.items():
        twin = fit(name, RECIPES[name], dataset, slice(None), 7)
        assert model.told.tolist() == twin.predict(dataset, published_rows(dataset)).tolist()
        assert joblib.load(io.BytesIO(model.joblib)).feature_names_in_.tolist() == list(dataset.names)
        assert model.rows == twin.rows == len(dataset)


def test_progress_counts_every_fit(dataset: Dataset) -> None:
    heard: list[int] = []
    final_fits(QUICK, dataset, 1, LocalEngine(2), heard.append)
    assert heard == [1, 2, 3, 4, 5]


def test_failure_of_one_fit_is_the_failure_of_all(dataset: Dataset) -> None:
    def build(rows: int, seed: int) -> object:
        raise MemoryError("no room for a forest")

    with pytest.raises(MemoryError, match="no room"):
        final_fits({**QUICK, "regressor_rf": Recipe(build)}, dataset, 1, LocalEngine(2), lambda done: None)


def test_what_did_not_begin_before_a_failure_never_does(dataset: Dataset) -> None:
    begun: list[int] = []

    def work(dataset: Dataset, task: int) -> np.float64:
        begun.append(task)
        if task == 0:
            raise MemoryError("no room for a forest")
        time.sleep(0.01)  # all of them would take ten seconds
        return np.float64(task)

    with pytest.raises(MemoryError):
        LocalEngine(1).run(work, range(1_000), dataset, lambda done: None)
    assert len(begun) < 1_000
