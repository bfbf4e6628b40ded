import numpy as np
import pytest
from onnx import TensorProto

from cripto.errors import ModelRefused
from cripto.forecasting.runtime import OnnxModel
from tests.unit.forecasting.toys import constant_onnx

ROWS = np.zeros((3, 4))


def test_a_graph_of_the_contract_gives_one_number_a_row() -> None:
    model = OnnxModel("regressor_lin", constant_onnx("regressor_lin", 0.25, n_features=4), 4)
    values = model.predict(ROWS)
    assert values.dtype == np.float64
    assert values.tolist() == [0.25, 0.25, 0.25]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_no_answer(threads: int) -> None:
    data = constant_onnx("classifier_log", 0.3, n_features=4)
    assert OnnxModel("classifier_log", data, 4, threads=threads).predict(ROWS).tolist() == [0.3] * 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot load"),
        (b"not a graph", "cannot load"),
        (constant_onnx("regressor_lin", n_features=5), "shape"),
        (constant_onnx("regressor_lin", n_features=4, input_name="X"), "only input"),
        (constant_onnx("regressor_lin", n_features=4, output_name="variable"), "only output"),
        (constant_onnx("regressor_lin", n_features=4, dtype=TensorProto.FLOAT), "only input"),
        (constant_onnx("regressor_lin", n_features=4, width=2), "output must have the shape"),
        (constant_onnx("classifier_rf", n_features=4), "log_return"),
    ],
)
def test_a_graph_outside_the_contract_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason) as refused:
        OnnxModel("regressor_lin", data, 4)
    assert refused.value.model == "regressor_lin"


def test_a_failing_run_is_a_refusal_not_a_crash() -> None:
    model = OnnxModel("regressor_lin", constant_onnx("regressor_lin", n_features=4), 4)
    with pytest.raises(ModelRefused, match="run failed"):
        model.predict(np.zeros((3, 5)))
