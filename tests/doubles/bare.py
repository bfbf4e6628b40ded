"""Joblibs as a plain Glue job writes them: fitted on named columns, and no manifest beside them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from cripto.storage import ObjectStore
from tests.doubles.releases import joblib_bytes, toy_rows

__all__ = ["bare_estimators", "bare_joblibs", "put_bare", "two_joblibs"]

NAMES = ("return_1", "range", "rsi_14")


@cache
def bare_estimators(names: Sequence[str] = NAMES, seed: int = 0) -> Mapping[str, Any]:
    """The five models, fitted on a frame whose columns are ``names``."""
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    rows = toy_rows(200, len(names), seed)
    frame = pl.from_numpy(rows, schema=list(names))
    returns = 0.01 * rows[:, 0] + 0.02 * np.random.default_rng(seed + 1).normal(size=len(rows))
    rises = (returns > 0).astype(int)
    forest = {"n_estimators": 4, "max_depth": 3, "random_state": seed}
    return {
        "regressor_rf": RandomForestRegressor(**forest).fit(frame, returns),
        "regressor_gbr": GradientBoostingRegressor(**forest).fit(frame, returns),
        "regressor_lin": Ridge().fit(frame, returns),
        "classifier_rf": RandomForestClassifier(**forest).fit(frame, rises),
        "classifier_log": LogisticRegression().fit(frame, rises),
    }


@cache
def bare_joblibs(names: Sequence[str] = NAMES, seed: int = 0) -> Mapping[str, bytes]:
    """Their joblib files; made once a session."""
    return {name: joblib_bytes(model) for name, model in bare_estimators(names, seed).items()}


def two_joblibs(seed: int = 0) -> dict[str, bytes]:
    """Two of them, where it does not matter that there are five: each takes a process of seconds to convert."""
    return {name: bare_joblibs(seed=seed)[name] for name in ("regressor_rf", "classifier_log")}


def put_bare(store: ObjectStore, version: str, files: Mapping[str, bytes]) -> None:
    """Upload files as ``models/<name>_<version>.joblib``."""
    for name, data in files.items():
        store.put(f"models/{name}_{version}.joblib", data)
