"""The list of names is what real files of every kind hold: no name is missing, and none is there for nothing."""

import io
from typing import Any

import joblib
import numpy as np
import pytest
from joblib.numpy_pickle import NumpyUnpickler
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cripto.registry.convert.child.allowed import KNOWN, Name, listed
from cripto.registry.convert.child.refusal import Refused
from tests.doubles.releases import joblib_bytes

ROWS = np.random.default_rng(0).standard_normal((80, 3))
RETURNS = ROWS[:, 0] / 100
LOSSES = ("squared_error", "absolute_error", "huber", "quantile")


def every_kind() -> list[Any]:
    linear = [LinearRegression(), Ridge(), Lasso(), ElasticNet(), HuberRegressor()]
    regressors = [
        RandomForestRegressor(n_estimators=2, random_state=0),
        *(GradientBoostingRegressor(n_estimators=2, loss=loss, random_state=0) for loss in LOSSES),
        *(
            HistGradientBoostingRegressor(max_iter=2, loss=loss, quantile=0.5, random_state=0)
            for loss in ("squared_error", "absolute_error", "quantile")
        ),
        *linear,
        *(make_pipeline(StandardScaler(), model) for model in linear),
    ]
    classifiers = [
        RandomForestClassifier(n_estimators=2, random_state=0),
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ]
    fitted = [model.fit(ROWS, RETURNS) for model in regressors]
    for labels in (RETURNS > 0, (RETURNS > 0).astype(int)):
        fitted += [model.fit(ROWS, labels) for model in classifiers]
    return fitted


class Recording(NumpyUnpickler):  # type: ignore[misc]
    """Notes each name that is looked up; what it opens was written by this very test."""

    found: set[Name]

    def find_class(self, module: str, name: str) -> Any:
        self.found.add(Name(module, name))
        return super().find_class(module, name)


def names_in(file: bytes) -> set[Name]:
    reader = Recording("", io.BytesIO(file), ensure_native_byte_order=True)
    reader.found = set()
    reader.load()
    return reader.found


def test_every_name_of_a_real_file_is_listed() -> None:
    found = set[Name]().union(*(names_in(joblib_bytes(model, compress=0)) for model in every_kind()))
    assert found <= KNOWN
    assert {Name("sklearn.tree._tree", "Tree"), Name("numpy", "dtype")} <= found


@pytest.mark.parametrize("name", sorted(KNOWN), ids=str)
def test_each_listed_name_exists(name: Name) -> None:
    module = __import__(name.module, fromlist=[name.name])
    assert hasattr(module, name.name)
    assert listed(*name) == name


def test_a_name_beside_a_listed_one_is_refused() -> None:
    for module, name in (("numpy", "dtype.type"), ("numpy.core", "dtype"), ("sklearn.tree", "_tree")):
        with pytest.raises(Refused, match="not on the list"):
            listed(module, name)


def test_joblib_agrees_that_these_files_are_whole() -> None:
    for model in every_kind()[:3]:
        assert type(joblib.load(io.BytesIO(joblib_bytes(model)))) is type(model)
