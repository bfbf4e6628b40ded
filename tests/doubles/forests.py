"""A release as heavy as a real one: forests of 200 trees with 200 leaves and more, fitted on invented rows."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.clock import Clock
from cripto.features import default_spec
from cripto.registry import ReleaseDraft
from cripto.registry.convert import Conversion, convert_models
from tests.doubles.releases import draft_of, joblib_bytes, toy_rows

__all__ = [
    "LEAVES",
    "TREES",
    "large_conversions",
    "large_estimators",
    "large_files",
    "large_outputs",
    "large_release_draft",
]

TREES, LEAVES = 200, 200
"""Trees of each random forest, and leaves that each of them has at least."""

_ROWS = 1500


@cache
def large_estimators() -> Mapping[str, Any]:
    """The five models on the columns of the default spec, which each names; fitted once a session."""
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = toy_rows(_ROWS, len(default_spec().names))
    table = pl.DataFrame(rows, schema=list(default_spec().names))
    returns = 0.01 * rows[:, 0] + 0.02 * np.random.default_rng(1).normal(size=len(rows))
    rises = (returns > 0).astype(int)
    forest = {"n_estimators": TREES, "max_features": 1, "random_state": 0}
    return {
        "regressor_rf": RandomForestRegressor(**forest).fit(table, returns),
        "regressor_gbr": GradientBoostingRegressor(n_estimators=100, max_features=5, random_state=0).fit(
            table, returns
        ),
        "regressor_lin": make_pipeline(StandardScaler(), Ridge()).fit(table, returns),
        "classifier_rf": RandomForestClassifier(**forest).fit(table, rises),
        "classifier_log": make_pipeline(StandardScaler(), LogisticRegression()).fit(table, rises),
    }


@cache
def large_files() -> Mapping[str, bytes]:
    """Their joblib files, 2 and 8 MB of the forests; fit to lie in a bucket as bare ones too."""
    return {name: joblib_bytes(model) for name, model in large_estimators().items()}


@cache
def large_conversions() -> Mapping[str, Conversion]:
    """The five, converted by one child process a session."""
    names = default_spec().names
    return convert_models(large_files(), toy_rows(50, len(names), 2), names)


def large_outputs(rows: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """What scikit-learn says of ``rows``, by model: log returns, or P(rises)."""
    table = pl.DataFrame(rows, schema=list(default_spec().names))
    return {
        name: model.predict(table) if name.startswith("regressor") else model.predict_proba(table)[:, 1]
        for name, model in large_estimators().items()
    }


def large_release_draft(
    version: str = "20250729-2130", *, interval: str = "1d", clock: Clock | None = None
) -> ReleaseDraft:
    """A release of the five large models, ready to publish."""
    rows = toy_rows(16, len(default_spec().names), 3)
    return draft_of(
        spec=default_spec(),
        files=large_files(),
        conversions=large_conversions(),
        probes=rows,
        expected=large_outputs(rows),
        version=version,
        interval=interval,
        seed=0,
        clock=clock,
    )
