"""Which estimators are understood, and what a fitted one holds, in numbers that say nothing of scikit-learn."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib.numpy_pickle import NumpyUnpickler
from numpy.typing import NDArray
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from cripto.registry.convert._answers import checked_names
from cripto.registry.convert.child.allowed import listed
from cripto.registry.convert.child.parts import check_parts, steps_of
from cripto.registry.convert.child.refusal import Refused, shown
from cripto.registry.convert.child.trees import Tree, check_tree, from_hist, from_sklearn

__all__ = ["Forest", "Form", "Line", "load_estimator", "read_estimator"]

_LINEAR = (LinearRegression, Ridge, Lasso, ElasticNet, HuberRegressor)
_REGRESSORS = (RandomForestRegressor, GradientBoostingRegressor, HistGradientBoostingRegressor, *_LINEAR)
_CLASSIFIERS = (RandomForestClassifier, LogisticRegression)
_IDENTITY_LOSSES = ("squared_error", "absolute_error", "quantile")


@dataclass(frozen=True, slots=True)
class Forest:
    """``base + sum(leaf of each tree) / divisor``; ``narrow`` where rows are rounded to float32 first."""

    trees: tuple[Tree, ...]
    divisor: float
    base: float
    narrow: bool


@dataclass(frozen=True, slots=True)
class Line:
    """``row @ weights + intercept``; of a classifier, the log-odds."""

    weights: NDArray[np.float64]
    intercept: float


@dataclass(frozen=True, slots=True)
class Form:
    """A fitted model: ``(row - mean) / scale`` where it was standardised, then a forest or a line.

    A row holds ``features``, in order.
    """

    title: str
    features: tuple[str, ...]
    mean: NDArray[np.float64] | None
    scale: NDArray[np.float64] | None
    body: Forest | Line


class _Listed(NumpyUnpickler):  # type: ignore[misc]
    """joblib's reader, which finds the names on the list and no others, in arrays of objects too (joblib 1.6)."""

    def find_class(self, module: str, name: str) -> Any:
        listed(module, name)
        return super().find_class(module, name)


def load_estimator(data: bytes) -> Any:
    """Open a decompressed file that `scan` has passed; raise `Refused` if another scikit-learn wrote it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return _Listed("", io.BytesIO(data), ensure_native_byte_order=True).load()
    except InconsistentVersionWarning as error:
        raise Refused(
            f"it was fitted with scikit-learn {error.original_sklearn_version}"
            f" and this is {error.current_sklearn_version}"
        ) from error
    except (Refused, MemoryError):
        raise
    except Exception as error:  # a broken file makes pickle raise nearly anything
        raise Refused(f"it is not a joblib file: {type(error).__name__}: {error}"[:400]) from error


def read_estimator(estimator: Any, tipo: str, features: Sequence[str] | None) -> Form:
    """What a fitted estimator holds; raise `Refused` if its kind, its features or its classes are not ours.

    Where ``features`` is ``None`` it must say itself on which it was fitted.
    """
    steps = steps_of(estimator)
    # Exact classes: a subclass may predict otherwise, and CalibratedClassifierCV has no exact graph.
    scaler = steps.pop(0) if len(steps) == 2 and type(steps[0]) is StandardScaler else None
    known = _REGRESSORS if tipo == "regressor" else _CLASSIFIERS
    if len(steps) != 1 or type(steps[0]) not in known:
        names = ", ".join(kind.__name__ for kind in known)
        raise Refused(f"{_title(estimator)} is not a {tipo} known here ({names}; a StandardScaler may go before)")
    model = steps[0]
    fitted = _own_names(estimator) if features is None else tuple(features)
    _check_features(estimator, model, scaler, fitted)
    if tipo == "classifier" and list(model.classes_) not in ([0, 1], [False, True]):
        raise Refused(f"its classes are {', '.join(map(shown, list(model.classes_)[:5]))}, not 0 and 1")
    check_parts(estimator)
    # A scaler that does not centre remembers the means all the same.
    mean = np.asarray(scaler.mean_, np.float64) if scaler is not None and scaler.with_mean else None
    scale = np.asarray(scaler.scale_, np.float64) if scaler is not None and scaler.with_std else None
    body = _body(model)
    for tree in body.trees if isinstance(body, Forest) else ():
        check_tree(tree, len(fitted))
    return Form(_title(estimator), fitted, mean, scale, body)


def _own_names(estimator: Any) -> tuple[str, ...]:
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        raise Refused("it does not say on which features it was fitted (fit it on a table with named columns)")
    if type(names) is not np.ndarray or names.ndim != 1:
        raise Refused("it does not say on which features it was fitted: its names are no list")
    try:
        return checked_names(names.tolist())
    except ValueError as error:
        raise Refused(f"it does not say on which features it was fitted: {error}") from error


def _check_features(estimator: Any, model: Any, scaler: Any, features: Sequence[str]) -> None:
    for part in (estimator, model) if scaler is None else (estimator, model, scaler):
        count = getattr(part, "n_features_in_", None)
        if count != len(features):
            raise Refused(f"it was fitted on {shown(count)} features, not {len(features)}")
        names = getattr(part, "feature_names_in_", None)
        if names is not None and list(names) != list(features):
            other = next((pair for pair in zip(names, features, strict=True) if pair[0] != pair[1]), (None, None))
            told = f"({shown(other[0])}, {shown(other[1])})"
            raise Refused(f"it was fitted on other features, or in another order: {told}")
    if getattr(model, "n_outputs_", 1) != 1:
        raise Refused(f"it has {shown(model.n_outputs_)} outputs, not one")


def _body(model: Any) -> Forest | Line:
    kind = type(model)
    if kind is RandomForestRegressor:
        model.n_jobs = 1
        trees = tuple(from_sklearn(each.tree_, each.tree_.value[:, 0, 0]) for each in model.estimators_)
        return Forest(trees, divisor=float(len(trees)), base=0.0, narrow=True)
    if kind is RandomForestClassifier:
        model.n_jobs = 1
        trees = tuple(from_sklearn(each.tree_, _share(each.tree_.value)) for each in model.estimators_)
        return Forest(trees, divisor=float(len(trees)), base=0.0, narrow=True)
    if kind is GradientBoostingRegressor:
        rate = float(model.learning_rate)
        trees = tuple(
            from_sklearn(each.tree_, each.tree_.value[:, 0, 0] * rate) for each in model.estimators_[:, 0]
        )
        return Forest(trees, divisor=1.0, base=_start(model), narrow=True)
    if kind is HistGradientBoostingRegressor:
        if model.loss not in _IDENTITY_LOSSES:
            raise Refused(f"its loss is {shown(model.loss)}, which does not predict by a plain sum")
        if model.is_categorical_ is not None:
            raise Refused("it takes categories")
        trees = tuple(from_hist(step[0].nodes) for step in model._predictors)
        return Forest(trees, divisor=1.0, base=float(np.ravel(model._baseline_prediction)[0]), narrow=False)
    weights = np.asarray(model.coef_, dtype=np.float64)
    intercepts = np.ravel(np.asarray(model.intercept_, dtype=np.float64))
    if weights.size != model.n_features_in_ or len(intercepts) != 1:
        raise Refused(f"it has {len(intercepts)} outputs, not one")
    return Line(weights.reshape(-1), float(intercepts[0]))


def _share(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each node's share of class 1."""
    counts = value[:, 0, :]
    return np.asarray(counts[:, 1] / counts.sum(axis=1))


def _start(model: Any) -> float:
    """The constant that boosting starts from."""
    if type(model.init_) is str:
        return 0.0  # "zero" is the only text scikit-learn takes
    return float(model.init_.constant_[0, 0])


def _title(estimator: Any) -> str:
    if type(estimator) is Pipeline:
        return f"Pipeline({', '.join(type(step).__name__ for step in steps_of(estimator))})"
    return type(estimator).__name__
