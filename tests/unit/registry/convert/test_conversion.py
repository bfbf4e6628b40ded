import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.errors import InvalidInput, ModelRefused
from cripto.registry.convert import Conversion, conversion, convert_model, convert_models
from cripto.registry.convert._frames import encode_frame
from cripto.registry.convert._process import ChildFailed, Limits
from tests.doubles.releases import joblib_bytes, toy_conversions, toy_files, toy_outputs, toy_rows

FEATURES = ("a", "b", "c", "d")
ROWS = toy_rows(1000, len(FEATURES), seed=99)


@pytest.fixture(scope="module")
def converted() -> Mapping[str, Conversion]:
    return toy_conversions(FEATURES)


def run(graph: bytes, rows: np.ndarray[Any, Any], threads: int = 1) -> np.ndarray[Any, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"features": rows})
    return np.asarray(output)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_graph_takes_features_and_gives_one_number_a_row(converted: Mapping[str, Conversion], name: str) -> None:
    graph = onnx.load_from_string(converted[name].onnx).graph
    double = onnx.TensorProto.DOUBLE
    assert [(value.name, value.type.tensor_type.elem_type) for value in graph.input] == [("features", double)]
    output = "log_return" if tipo_of(name) == "regressor" else "probability"
    assert [(value.name, value.type.tensor_type.elem_type) for value in graph.output] == [(output, double)]
    answer = run(converted[name].onnx, ROWS)
    assert (answer.dtype, answer.shape) == (np.float64, (len(ROWS), 1))


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_graph_agrees_with_scikit_learn_on_rows_that_proved_nothing(
    converted: Mapping[str, Conversion], name: str
) -> None:
    want = toy_outputs(len(FEATURES), ROWS)[name]
    np.testing.assert_allclose(run(converted[name].onnx, ROWS)[:, 0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODEL_NAMES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 333])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_row_has_the_same_bits_in_any_batch_and_on_any_number_of_threads(
    converted: Mapping[str, Conversion], name: str, size: int, threads: int
) -> None:
    graph = converted[name].onnx
    whole = run(graph, ROWS)
    parts = [run(graph, ROWS[start : start + size], threads) for start in range(0, 51, size)]
    found = np.concatenate(parts)
    assert found.tobytes() == whole[: len(found)].tobytes()


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_conversion_says_what_was_converted_and_how_near_it_is(
    converted: Mapping[str, Conversion], name: str
) -> None:
    proof = {"price_relative", "log_return"} if tipo_of(name) == "regressor" else {"probability"}
    assert set(converted[name].parity) == proof
    assert 0 <= max(converted[name].parity.values()) < 1e-12
    assert (
        converted[name].estimator
        == {
            "regressor_rf": "RandomForestRegressor",
            "regressor_gbr": "GradientBoostingRegressor",
            "regressor_lin": "Pipeline(StandardScaler, Ridge)",
            "classifier_rf": "RandomForestClassifier",
            "classifier_log": "Pipeline(StandardScaler, LogisticRegression)",
        }[name]
    )


def test_equal_files_give_equal_graphs(converted: Mapping[str, Conversion]) -> None:
    again = convert_models(toy_files(len(FEATURES)), toy_rows(9, len(FEATURES)), FEATURES)
    assert {name: one.onnx for name, one in again.items()} == {name: one.onnx for name, one in converted.items()}


def test_rubbish_among_models_is_refused_by_its_name() -> None:
    files = {**toy_files(len(FEATURES)), "regressor_lin": b"rubbish"}
    with pytest.raises(ModelRefused, match="model regressor_lin refused: it is not a joblib file"):
        convert_models(files, ROWS, FEATURES)


def test_a_gadget_that_ends_the_process_is_not_run() -> None:
    with pytest.raises(ModelRefused, match=r"posix\._exit, which is not on the list"):
        convert_model("regressor_rf", joblib_bytes(Ends()), ROWS, FEATURES)


def test_a_gadget_that_prints_is_not_run() -> None:
    with pytest.raises(ModelRefused, match=r"posix\.write, which is not on the list"):
        convert_model("regressor_rf", joblib_bytes(Prints()), ROWS, FEATURES)


def test_a_conversion_that_takes_too_long_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"model regressor_rf refused: .* not done within 0\.05 s"):
        convert_model("regressor_rf", b"", ROWS, FEATURES, Limits(seconds=0.05))


def test_no_model_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(conversion, "run_child", never)
    assert convert_models({}, ROWS, FEATURES) == {}


@pytest.mark.parametrize(
    "rows",
    [ROWS[0], ROWS[:0], ROWS[:, :3], np.full((2, 4), np.nan), np.full((2, 4), np.inf)],
    ids=["one row flat", "none", "too narrow", "nan", "inf"],
)
def test_probes_that_prove_nothing_are_refused(rows: np.ndarray[Any, Any]) -> None:
    with pytest.raises(InvalidInput, match="probe rows"):
        convert_models(toy_files(len(FEATURES)), rows, FEATURES)


@pytest.mark.parametrize("name", ["", "../../regressor_rf", "rf", "-c"])
def test_a_hostile_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="not a model name"):
        convert_model(name, b"", ROWS, FEATURES)


GOOD = {"refused": None, "estimator": "Toy", "parity": {"price_relative": 0.0}}


def answered(results: Sequence[object], graphs: Sequence[bytes]) -> bytes:
    return encode_frame({"models": results}, graphs)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"rubbish",
        encode_frame({}),
        answered([], []),
        answered([GOOD, GOOD], [b"graph", b"graph"]),
        answered([GOOD], []),
        answered([None], [b"graph"]),
        answered([{"refused": None}], [b"graph"]),
        answered([GOOD | {"parity": []}], [b"graph"]),
        answered([GOOD | {"parity": {}}], [b"graph"]),
        answered([GOOD | {"parity": {"price_relative": "x"}}], [b"graph"]),
        answered([GOOD | {"parity": {"price_relative": 2e-6}}], [b"graph"]),
        answered([GOOD | {"parity": {"price_relative": -1.0}}], [b"graph"]),
        answered([GOOD | {"parity": {"price_relative": float("nan")}}], [b"graph"]),
        answered([GOOD | {"parity": {"price_relative": 0.0, "other": float("inf")}}], [b"graph"]),
        answered([GOOD], [b""]),
        answered([GOOD | {"refused": "x" * 100_000}], [b"graph"]),
    ],
)
def test_an_answer_that_proves_nothing_is_not_believed(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(conversion, "run_child", lambda *_: answer)
    with pytest.raises(ModelRefused) as refused:
        convert_model("regressor_rf", b"", ROWS, FEATURES)
    assert len(str(refused.value)) < 600


def test_the_child_learns_of_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def look(command: Sequence[str], request: bytes, environment: Mapping[str, str], limits: Limits) -> bytes:
        seen.update(environment)
        assert command[0] == sys.executable
        assert command[1] == "-I"
        raise ChildFailed("enough seen")

    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "CRIPTO_ADMIN_TOKEN", "HOME"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setattr(conversion, "run_child", look)
    with pytest.raises(ModelRefused, match="enough seen"):
        convert_model("regressor_rf", b"", ROWS, FEATURES)
    assert "secret" not in seen.values()
    assert set(seen) <= {"LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}


def test_the_parent_imports_nothing_that_unpickles_and_no_client(tmp_path: Path) -> None:
    script = """
import sys
import cripto.registry, cripto.registry.convert
heavy = {"sklearn", "joblib", "onnx", "onnxruntime", "skl2onnx", "obstore", "boto3", "polars"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}), end="")
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout == b"[]"


class Ends:
    """A pickle that ends the process that opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (7,)


class Prints:
    """A pickle that writes to standard output when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.write, (1, b"an answer of my own")
