"""Graphs that are not what they should be do not pass the proof, each for its own reason."""

from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from cripto.registry.convert.child.proof import prove
from cripto.registry.convert.child.refusal import Refused
from tests.doubles.releases import toy_rows

PROBES = toy_rows(50, 2)
AXES = from_array(np.array([0]), "axes")
COLUMN = from_array(np.array([0]), "column")


class FirstColumn:
    """An estimator that knows the answer."""

    def predict(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return rows[:, 0]

    def predict_proba(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.column_stack([np.zeros(len(rows)), rows[:, 0]])


def graph(nodes: list[NodeProto], output: str, kind: int = TensorProto.DOUBLE) -> bytes:
    used = {name for node in nodes for name in node.input}
    return bytes(
        make_model(
            make_graph(
                nodes,
                "toy",
                [make_tensor_value_info("features", TensorProto.DOUBLE, ["N", 2])],
                [make_tensor_value_info(output, kind, ["N", "M"])],
                [tensor for tensor in (AXES, COLUMN) if tensor.name in used],
            ),
            opset_imports=[make_opsetid("", 21)],
            ir_version=10,
        ).SerializeToString()
    )


def first_column(output: str) -> NodeProto:
    return make_node("Gather", ["features", "column"], [output], axis=1)


def test_the_right_graph_passes() -> None:
    found = prove(graph([first_column("log_return")], "log_return"), FirstColumn(), "regressor", PROBES)
    assert found == {"price_relative": 0.0, "log_return": 0.0}


def test_a_graph_of_two_outputs_a_row_is_refused() -> None:
    wide = graph([make_node("Identity", ["features"], ["log_return"])], "log_return")
    with pytest.raises(Refused, match=r"answers float64 \(50, 2\)"):
        prove(wide, FirstColumn(), "regressor", PROBES)


def test_a_graph_in_single_precision_is_refused() -> None:
    nodes = [first_column("double"), make_node("Cast", ["double"], ["log_return"], to=TensorProto.FLOAT)]
    with pytest.raises(Refused, match="answers float32"):
        prove(graph(nodes, "log_return", TensorProto.FLOAT), FirstColumn(), "regressor", PROBES)


def test_a_graph_whose_rows_see_one_another_is_refused() -> None:
    nodes = [
        make_node("ReduceMax", ["features", "axes"], ["top"]),
        make_node("Sub", ["features", "top"], ["below"]),
        make_node("Gather", ["below", "column"], ["log_return"], axis=1),
    ]
    with pytest.raises(Refused, match="otherwise in batches of 1"):
        prove(graph(nodes, "log_return"), FirstColumn(), "regressor", PROBES)


def test_a_probability_beyond_one_is_refused() -> None:
    with pytest.raises(Refused, match="no probability"):
        prove(graph([first_column("probability")], "probability"), FirstColumn(), "classifier", 1 + abs(PROBES))
