"""The child's work, done in this process, where it can be watched."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
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
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert.child.gate import answer
from cripto.registry.convert.child.graphs import exact_leaves
from cripto.registry.convert.child.proof import prove
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.trees import Tree
from tests.doubles.releases import joblib_bytes, toy_rows

NAMES = [f"feature_{number}" for number in range(6)]
ROWS = toy_rows(300, len(NAMES))
RETURNS = 0.03 * ROWS[:, 0] + 0.01 * np.random.default_rng(1).normal(size=len(ROWS))
RISES = (RETURNS > 0).astype(int)
PROBES = toy_rows(60, len(NAMES), seed=5)
FOREST: Mapping[str, Any] = {"n_estimators": 5, "max_depth": 4, "random_state": 0}


def convert(
    file: bytes, tipo: str = "regressor", probes: np.ndarray[Any, Any] = PROBES, names: list[str] = NAMES
) -> tuple[dict[str, Any], bytes]:
    header = {"models": [{"name": "model", "tipo": tipo}], "features": names}
    found, (graph,) = decode_frame(answer(encode_frame(header, [probes.tobytes(), file])))
    return found["models"][0], graph


def refusal(model: object, tipo: str = "regressor", names: list[str] = NAMES) -> str:
    result, graph = convert(joblib_bytes(model), tipo, toy_rows(8, len(names)), names)
    assert graph == b""
    return str(result["refused"])


REGRESSORS = [
    RandomForestRegressor(**FOREST),
    RandomForestRegressor(**FOREST, min_samples_leaf=200),
    RandomForestRegressor(n_estimators=40, n_jobs=2, random_state=0),
    RandomForestRegressor(**FOREST, criterion="absolute_error"),
    GradientBoostingRegressor(**FOREST),
    GradientBoostingRegressor(**FOREST, init="zero", loss="huber"),
    GradientBoostingRegressor(**FOREST, loss="quantile", alpha=0.3),
    GradientBoostingRegressor(**FOREST, init=DummyRegressor(strategy="median")),
    HistGradientBoostingRegressor(max_iter=10, min_samples_leaf=5),
    HistGradientBoostingRegressor(max_iter=10, loss="quantile", quantile=0.9, min_samples_leaf=5),
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    Ridge(),
    Lasso(alpha=1e-4),
    ElasticNet(alpha=1e-4),
    HuberRegressor(),
    make_pipeline(Ridge()),
    make_pipeline(StandardScaler(), Ridge()),
    make_pipeline(StandardScaler(with_mean=False), Ridge()),
    make_pipeline(StandardScaler(with_std=False), Ridge()),
    make_pipeline(StandardScaler(), RandomForestRegressor(**FOREST)),
]
CLASSIFIERS = [
    RandomForestClassifier(**FOREST),
    RandomForestClassifier(**FOREST, class_weight="balanced"),
    RandomForestClassifier(**FOREST, min_samples_leaf=200),
    LogisticRegression(),
    LogisticRegression(C=1e6, max_iter=1000),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


def outputs_of(graph: bytes) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return lambda rows: np.asarray(session.run(None, {"features": rows})[0])[:, 0]


def outputs(graph: bytes, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return outputs_of(graph)(rows)


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_every_regressor_known_converts_exactly(model: Any) -> None:
    fitted = clone(model).fit(ROWS, RETURNS)
    result, graph = convert(joblib_bytes(fitted))
    assert result["refused"] is None
    np.testing.assert_allclose(outputs(graph, ROWS), fitted.predict(ROWS), rtol=0, atol=1e-13)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_every_classifier_known_converts_exactly(model: Any) -> None:
    fitted = clone(model).fit(ROWS, RISES)
    result, graph = convert(joblib_bytes(fitted), "classifier")
    assert result["refused"] is None
    np.testing.assert_allclose(outputs(graph, ROWS), fitted.predict_proba(ROWS)[:, 1], rtol=0, atol=1e-13)


def test_a_classifier_of_booleans_says_how_likely_true_is() -> None:
    fitted = LogisticRegression().fit(ROWS, RISES.astype(bool))
    result, graph = convert(joblib_bytes(fitted), "classifier")
    assert result["refused"] is None
    np.testing.assert_allclose(outputs(graph, ROWS), fitted.predict_proba(ROWS)[:, 1], rtol=0, atol=1e-13)


def test_log_odds_without_bounds_give_probabilities_all_the_same() -> None:
    fitted = LogisticRegression().fit(ROWS, RISES)
    fitted.coef_ *= 1e6
    result, graph = convert(joblib_bytes(fitted), "classifier")
    assert result["refused"] is None
    found = outputs(graph, ROWS)
    assert found.min() == 0.0
    assert found.max() == 1.0


def test_a_probability_has_the_same_bits_wherever_its_row_stands() -> None:
    fitted = LogisticRegression().fit(ROWS, RISES)
    rows = toy_rows(3000, len(NAMES), seed=7)
    result, graph = convert(joblib_bytes(fitted), "classifier")
    assert result["refused"] is None
    run = outputs_of(graph)
    whole = run(rows)
    for size in (1, 7):
        parts = [run(rows[start : start + size]) for start in range(0, len(rows), size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_a_tree_takes_the_branch_of_scikit_learn_at_its_very_threshold() -> None:
    model = RandomForestRegressor(n_estimators=20, random_state=0).fit(ROWS, RETURNS)
    thresholds = np.concatenate(
        [tree.tree_.threshold[tree.tree_.children_left >= 0] for tree in model.estimators_]
    )
    near = np.float32(thresholds[:200])
    edges = np.concatenate([near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))])
    rows = np.repeat(edges.astype(np.float64)[:, None], len(NAMES), axis=1)
    rows = np.concatenate([rows, rows + 1e-10])  # not float32: rounded by both before they compare
    result, graph = convert(joblib_bytes(model), probes=rows)
    assert result["refused"] is None
    np.testing.assert_allclose(outputs(graph, rows), model.predict(rows), rtol=0, atol=1e-13)


def test_every_joblib_compressor_is_read() -> None:
    model = LinearRegression().fit(ROWS, RETURNS)
    for compress in (0, 9, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)):
        assert convert(joblib_bytes(model, compress))[0]["refused"] is None


class Sneaky(LinearRegression):  # type: ignore[misc]
    """A subclass may predict anything."""


def two_outputs() -> np.ndarray[Any, Any]:
    return np.column_stack([RETURNS, RETURNS])


@pytest.mark.parametrize(
    ("model", "tipo", "reason"),
    [
        (lambda: {"model": 1}, "regressor", "dict is not a regressor known here"),
        (lambda: LinearRegression, "regressor", "is not a regressor known here"),
        (lambda: LinearRegression(), "regressor", "fitted on None features"),
        (lambda: Sneaky().fit(ROWS, RETURNS), "regressor", "it holds .*Sneaky, which is not on the list"),
        (
            lambda: ExtraTreesRegressor(**FOREST).fit(ROWS, RETURNS),
            "regressor",
            "it holds .*ExtraTreesRegressor, which is not",
        ),
        (lambda: LogisticRegression().fit(ROWS, RISES), "regressor", "LogisticRegression is not a regressor"),
        (lambda: LinearRegression().fit(ROWS, RETURNS), "classifier", "LinearRegression is not a classifier"),
        (
            lambda: CalibratedClassifierCV(LogisticRegression(), cv=2).fit(ROWS, RISES),
            "classifier",
            "it holds .*Calibrated.*, which is not",
        ),
        (
            lambda: make_pipeline(MinMaxScaler(), Ridge()).fit(ROWS, RETURNS),
            "regressor",
            "it holds .*MinMaxScaler, which is not",
        ),
        (lambda: make_pipeline(StandardScaler()).fit(ROWS), "regressor", "is not a regressor"),
        (lambda: LinearRegression().fit(ROWS[:, :5], RETURNS), "regressor", "fitted on 5 features, not 6"),
        (lambda: LinearRegression().fit(ROWS, two_outputs()), "regressor", "2 outputs"),
        (lambda: RandomForestRegressor(**FOREST).fit(ROWS, two_outputs()), "regressor", "2 outputs"),
        (lambda: LogisticRegression().fit(ROWS, RISES + 1), "classifier", "its classes are"),
        (lambda: LogisticRegression().fit(ROWS, np.arange(300) % 3), "classifier", "its classes are"),
        (lambda: RandomForestClassifier(**FOREST).fit(ROWS, RISES * 2 - 1), "classifier", "its classes are"),
        (
            lambda: HistGradientBoostingRegressor(loss="poisson", max_iter=2).fit(ROWS, RETURNS + 1),
            "regressor",
            "it holds .*Poisson.*, which is not",
        ),
        (
            lambda: HistGradientBoostingRegressor(categorical_features=[0], max_iter=2).fit(
                np.column_stack([RISES, ROWS[:, 1:]]), RETURNS
            ),
            "regressor",
            "it holds .*ColumnTransformer, which is not",
        ),
        (
            lambda: GradientBoostingRegressor(**FOREST, init=LinearRegression()).fit(ROWS, RETURNS),
            "regressor",
            "it starts from a LinearRegression",
        ),
    ],
)
def test_what_is_not_one_of_the_kinds_is_refused_with_the_reason(
    model: Callable[[], Any], tipo: str, reason: str
) -> None:
    found = refusal(model(), tipo)
    assert re.search(reason, found), found


def spoil(attribute: str, value: float) -> Any:
    model = LinearRegression().fit(ROWS, RETURNS)
    setattr(model, attribute, np.full_like(getattr(model, attribute), value))
    return model


@pytest.mark.parametrize(
    "model",
    [spoil("coef_", np.nan), spoil("intercept_", np.inf), spoil("intercept_", 1e4), spoil("intercept_", -1e4)],
    ids=["nan", "infinite", "price beyond float64", "price zero"],
)
def test_a_model_that_predicts_no_price_is_refused(model: Any) -> None:
    assert "no price" in refusal(model)


def test_a_leaf_that_is_no_number_is_refused() -> None:
    model = RandomForestRegressor(**FOREST).fit(ROWS, RETURNS)
    model.estimators_[0].tree_.value[:] = np.nan
    assert "not a finite number" in refusal(model)


def with_names(model: Any, names: list[str]) -> Any:
    model.feature_names_in_ = np.array(names, dtype=object)
    return model


def test_a_model_fitted_on_our_features_by_name_is_taken() -> None:
    model = with_names(LinearRegression().fit(ROWS, RETURNS), NAMES)
    assert convert(joblib_bytes(model))[0]["refused"] is None


def test_a_model_fitted_on_other_features_is_refused_though_their_number_is_right() -> None:
    model = with_names(LinearRegression().fit(ROWS, RETURNS), NAMES[::-1])
    assert "on other features, or in another order: ('feature_5', 'feature_0')" in refusal(model)


def test_a_model_of_another_scikit_learn_is_refused() -> None:
    model = LinearRegression().fit(ROWS, RETURNS)
    state = model.__getstate__()
    state["_sklearn_version"] = "0.24.2"
    model.__class__ = Stale
    Stale.state = state
    result, _ = convert(joblib_bytes(model))
    assert result["refused"].startswith("it was fitted with scikit-learn 0.24.2 and this is ")


class Stale(LinearRegression):  # type: ignore[misc]
    """Is pickled as a linear regression of an old scikit-learn."""

    state: Mapping[str, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return LinearRegression, (), dict(self.state)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"rubbish",
        b"\x80\x05",
        joblib_bytes(LinearRegression())[:-60],
        b"\x93NUMPY",
        b"PK\x03\x04",
        b"x" * 10_000,
    ],
    ids=["empty", "rubbish", "cut pickle", "cut joblib", "npy", "zip", "long"],
)
def test_a_file_that_is_no_joblib_is_refused(file: bytes) -> None:
    result, graph = convert(file)
    assert result["refused"].startswith("it is not a joblib file: ")
    assert len(result["refused"]) <= 400
    assert graph == b""


def test_a_graph_of_another_model_does_not_pass_the_proof() -> None:
    model = LinearRegression().fit(ROWS, RETURNS)
    other = LinearRegression().fit(ROWS, RETURNS + 1e-5)
    _, graph = convert(joblib_bytes(other))
    with pytest.raises(Refused, match=r"differ by 1\.00"):
        prove(graph, model, "regressor", PROBES)


def test_a_request_that_is_none_raises() -> None:
    with pytest.raises(ValueError, match="frame"):
        answer(b"rubbish")


def test_leaves_made_exact_add_up_to_the_same_bits_in_any_order() -> None:
    random = np.random.default_rng(0)
    stumps = [Tree(*(np.full(1, -1),) * 3, np.zeros(1), value=random.standard_t(2, size=1)) for _ in range(300)]
    plain = np.array([stump.value[0] for stump in stumps])
    exact = np.concatenate(exact_leaves(stumps))
    orders = [random.permutation(len(stumps)) for _ in range(50)]
    assert len({float(np.cumsum(plain[order])[-1]) for order in orders}) > 1
    assert len({float(np.cumsum(exact[order])[-1]) for order in orders}) == 1
    assert np.abs(exact - plain).max() <= np.abs(plain).max() * 300 * 2.0**-52
