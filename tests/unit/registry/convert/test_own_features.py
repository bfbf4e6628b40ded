"""A file of unknown features says itself on which it was fitted; and what an installation may lack."""

import sys
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cripto.errors import ModelRefused
from cripto.registry.convert import Conversion, _libraries, conversion, convert_each
from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert.child.gate import answer
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.scan import scan
from tests.doubles.hostile import CORPUS, NAMES, named
from tests.doubles.releases import joblib_bytes, toy_files, toy_rows

MODEL = "regressor_lin"


def answered(file: bytes) -> dict[str, Any]:
    """What the child says of a file, asked in this process."""
    header = {"models": [{"name": MODEL, "tipo": "regressor"}], "features": None}
    said, _ = decode_frame(answer(encode_frame(header, [b"", file])))
    return dict(said["models"][0])


def converted(file: bytes) -> Conversion:
    found = convert_each({MODEL: file})[MODEL]
    assert isinstance(found, Conversion), found
    return found


def refusal(file: bytes) -> ModelRefused:
    found = convert_each({MODEL: file})[MODEL]
    assert isinstance(found, ModelRefused)
    return found


def with_names(names: Any) -> bytes:
    rows = toy_rows(40, len(names) if isinstance(names, np.ndarray) and names.size else 3)
    model = LinearRegression().fit(rows, rows[:, 0] / 100)
    model.feature_names_in_ = names
    return joblib_bytes(model)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(LinearRegression(), id="alone", marks=pytest.mark.slow),
        pytest.param(make_pipeline(StandardScaler(), Ridge()), id="in a pipeline"),
        pytest.param(
            GradientBoostingRegressor(n_estimators=2, random_state=0), id="boosted", marks=pytest.mark.slow
        ),
    ],
)
def test_a_model_fitted_on_a_table_brings_its_names(model: Any) -> None:
    fitted = named(model)
    found = converted(joblib_bytes(fitted))
    assert found.features == NAMES
    rows = toy_rows(20, len(NAMES), seed=3)
    session = onnxruntime.InferenceSession(found.onnx, providers=["CPUExecutionProvider"])
    want = fitted.predict(pl.DataFrame(rows, schema=list(NAMES)))
    np.testing.assert_allclose(session.run(None, {"features": rows})[0][:, 0], want, rtol=0, atol=1e-13)


def test_given_features_are_those_of_the_conversion() -> None:
    found = convert_each({MODEL: toy_files(3)[MODEL]}, NAMES)[MODEL]
    assert isinstance(found, Conversion)
    assert found.features == NAMES


def test_two_hundred_features_are_enough() -> None:
    names = np.array([f"f{number}" for number in range(201)], dtype=object)
    assert answered(with_names(names[:200]))["features"] == names[:200].tolist()
    assert "1 to 200 features" in answered(with_names(names))["refused"]


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "c"],
        np.array([["a", "b", "c"]], dtype=object),
        np.array(["a", "b", "b"], dtype=object),
        np.array(["a", "b", "C"], dtype=object),
        np.array(["a", "b", "1c"], dtype=object),
        np.array(["a", "b", "x" * 65], dtype=object),
        np.array(["a", "b", "c\n"], dtype=object),
        np.array(["a", "b", 3], dtype=object),
        np.array([], dtype=object),
        "abc",
        3,
    ],
    ids=["list", "table", "twice", "capital", "digit", "long", "line", "number", "none", "text", "one number"],
)
def test_names_that_are_none_are_refused(names: Any) -> None:
    found = answered(with_names(names))
    assert found["refused"].startswith("it does not say on which features it was fitted")
    assert found["final"]


def test_a_file_without_names_is_refused() -> None:
    found = refusal(toy_files(3)[MODEL])
    assert found.reason.startswith("it does not say on which features it was fitted")
    assert found.final


@pytest.mark.parametrize("names", [None, [], ["a", "a"], ["a", 1], ["A"], "abc", {"a": 1}, ["x"] * 201])
def test_names_that_the_child_makes_up_are_not_believed(monkeypatch: pytest.MonkeyPatch, names: Any) -> None:
    said = {"refused": None, "estimator": "Toy", "parity": {"price_relative": 0.0}, "features": names}
    monkeypatch.setattr(conversion, "run_child", lambda *_: encode_frame({"models": [said]}, [b"graph"]))
    assert not refusal(b"").final


@pytest.mark.parametrize(
    "missing",
    ["sklearn", *(pytest.param(name, marks=pytest.mark.slow) for name in ("joblib", "onnx", "onnxruntime"))],
)
def test_an_installation_that_lacks_a_library_says_so_and_nothing_of_the_file(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    script = f"import runpy, sys; sys.modules[{missing!r}] = None; sys.argv[1:] = ['60']; " + (
        "runpy.run_module('cripto.registry.convert.child', run_name='__main__')"
    )
    monkeypatch.setattr(conversion, "child_command", lambda: (sys.executable, "-I", "-c", script))
    found = refusal(toy_files(3)[MODEL])
    package = {"sklearn": "scikit-learn"}.get(missing, missing)
    assert found.reason == (
        f"this installation cannot convert joblibs: {package} is not installed (cripto[convert])"
    )
    assert not found.final


def test_without_scikit_learn_what_is_hostile_is_still_told_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_libraries, "version", absent)
    with pytest.raises(Refused, match=r"os\.system"):
        scan(CORPUS["os.system"](tmp_path))


def test_a_library_that_is_broken_is_told_in_its_own_words() -> None:
    error = ImportError("libgomp.so.1: cannot open shared object file", name="sklearn")
    assert _libraries.lacking(error).endswith("ImportError: libgomp.so.1: cannot open shared object file")


def test_a_machine_without_memory_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    from cripto.registry.convert.child import work

    def full(_: bytes) -> Any:
        raise MemoryError

    monkeypatch.setattr(work, "load_estimator", full)
    said, graph = work.Work(None, b"").convert("regressor", b"")
    assert (said["final"], graph) == (False, b"")
