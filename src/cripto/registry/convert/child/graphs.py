"""ONNX graphs written by hand, in float64, so that a row has the same bits alone, in any batch, on any thread.

Three things would break that, all seen with onnxruntime 1.32. Trees summed on two threads add in another order:
here leaves are whole multiples of one power of two, small enough that every partial sum is exact, so order does
not matter. `Sigmoid`, `Exp` and `Tanh` round elements at the end of a batch differently from those inside it:
`Pow` does not. And scikit-learn's trees compare float32 rows with float64 thresholds: the `TreeEnsemble` of
ai.onnx.ml 5 keeps both, where earlier operators (and so skl2onnx 1.20) keep thresholds or answers in float32.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto
from onnx.checker import check_model
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

from cripto.registry.convert.child.estimators import Forest, Form, Line
from cripto.registry.convert.child.trees import Tree

__all__ = ["build_graph", "exact_leaves"]

_OUTPUT = {"regressor": "log_return", "classifier": "probability"}
_OPSETS = (make_opsetid("", 21), make_opsetid("ai.onnx.ml", 5))
_IR_VERSION = 10
_MANTISSA = 52
_SUM, _LESS_OR_EQUAL = 1, 0


class _Builder:
    """Nodes in a chain: each step takes what the last one gave."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.value = "features"

    def constant(self, array: NDArray[np.float64]) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(from_array(np.asarray(array, np.float64), name))
        return name

    def step(self, operator: str, *others: NDArray[np.float64], **attributes: Any) -> None:
        """Apply an operator to the value and to constants."""
        self._append(operator, [self.value, *map(self.constant, others)], attributes)

    def step_from(self, operator: str, first: NDArray[np.float64]) -> None:
        """Apply an operator whose first operand is a constant and whose second is the value."""
        self._append(operator, [self.constant(first), self.value], {})

    def _append(self, operator: str, inputs: Sequence[str], attributes: dict[str, Any]) -> None:
        self.value = f"value_{len(self.nodes)}"
        domain = "ai.onnx.ml" if operator == "TreeEnsemble" else ""
        self.nodes.append(make_node(operator, inputs, [self.value], domain=domain, **attributes))


def build_graph(form: Form, tipo: str, features: int) -> bytes:
    """The graph of a fitted model: ``features`` float64 [N, features] in, one float64 [N, 1] out."""
    builder = _Builder()
    if form.mean is not None:
        builder.step("Sub", form.mean)
    if form.scale is not None:
        builder.step("Div", form.scale)
    if isinstance(form.body, Line):
        _add_line(builder, form.body, tipo)
    else:
        _add_forest(builder, form.body)
    builder.nodes[-1].output[0] = _OUTPUT[tipo]
    model = make_model(_graph(builder, _OUTPUT[tipo], features), opset_imports=_OPSETS, ir_version=_IR_VERSION)
    model.producer_name = "cripto"
    check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def exact_leaves(trees: Sequence[Tree]) -> list[NDArray[np.float64]]:
    """Every tree's values, rounded so that any sum of one leaf a tree is exact in float64, in any order.

    With ``T`` trees and values up to ``m``, all are made multiples of ``q = 2**(ceil(log2(T m)) - 52)``: each
    partial sum is a multiple of ``q`` below ``2**53 q``, hence a float64. A value moves by ``q / 2`` at most,
    which for 200 trees is 3e-14 of the largest value.
    """
    largest = max(float(np.abs(tree.value[tree.left < 0]).max()) for tree in trees)
    if not math.isfinite(largest):
        raise ValueError("a tree has a leaf that is not a finite number")
    if largest == 0.0:
        return [tree.value for tree in trees]
    quantum = math.ldexp(1.0, math.ceil(math.log2(largest * len(trees))) - _MANTISSA)
    return [np.round(tree.value / quantum) * quantum for tree in trees]


def _add_line(builder: _Builder, line: Line, tipo: str) -> None:
    builder.step("MatMul", line.weights.reshape(-1, 1))
    builder.step("Add", np.array([line.intercept]))
    if tipo == "classifier":  # 1 / (1 + e**-x)
        builder.step("Neg")
        builder.step_from("Pow", np.array([math.e]))
        builder.step("Add", np.array([1.0]))
        builder.step_from("Div", np.array([1.0]))


def _add_forest(builder: _Builder, forest: Forest) -> None:
    if forest.narrow:
        builder.step("Cast", to=TensorProto.FLOAT)
        builder.step("Cast", to=TensorProto.DOUBLE)
    builder.step("TreeEnsemble", **_ensemble(forest.trees))
    builder.step("Div", np.array([forest.divisor]))
    builder.step("Add", np.array([forest.base]))


def _ensemble(trees: Sequence[Tree]) -> dict[str, Any]:
    """Attributes of a `TreeEnsemble`: inner nodes and leaves of all trees, numbered through."""
    roots: list[int] = []
    feature: list[int] = []
    threshold: list[float] = []
    children: dict[str, list[int]] = {"left": [], "left_leaf": [], "right": [], "right_leaf": []}
    leaves: list[float] = []
    for tree, values in zip(trees, exact_leaves(trees), strict=True):
        is_leaf = tree.left < 0
        inner = np.flatnonzero(~is_leaf)
        roots.append(len(feature))
        if not len(inner):  # a lone leaf: a root that leads to it either way
            for side in ("left", "right"):
                children[side].append(len(leaves))
                children[f"{side}_leaf"].append(1)
            feature.append(0)
            threshold.append(0.0)
            leaves.append(float(values[0]))
            continue
        number = np.where(is_leaf, np.cumsum(is_leaf) - 1 + len(leaves), np.cumsum(~is_leaf) - 1 + len(feature))
        for side, child in (("left", tree.left[inner]), ("right", tree.right[inner])):
            children[side] += number[child].tolist()
            children[f"{side}_leaf"] += is_leaf[child].astype(int).tolist()
        feature += tree.feature[inner].tolist()
        threshold += tree.threshold[inner].tolist()
        leaves += values[is_leaf].tolist()
    return {
        "n_targets": 1,
        "aggregate_function": _SUM,
        "post_transform": 0,
        "tree_roots": roots,
        "nodes_featureids": feature,
        "nodes_splits": from_array(np.array(threshold), "splits"),
        "nodes_modes": from_array(np.full(len(feature), _LESS_OR_EQUAL, np.uint8), "modes"),
        "nodes_truenodeids": children["left"],
        "nodes_trueleafs": children["left_leaf"],
        "nodes_falsenodeids": children["right"],
        "nodes_falseleafs": children["right_leaf"],
        "leaf_targetids": [0] * len(leaves),
        "leaf_weights": from_array(np.array(leaves), "weights"),
    }


def _graph(builder: _Builder, output: str, features: int) -> GraphProto:
    return make_graph(
        builder.nodes,
        "cripto",
        [make_tensor_value_info("features", TensorProto.DOUBLE, ["N", features])],
        [make_tensor_value_info(output, TensorProto.DOUBLE, ["N", 1])],
        builder.constants,
    )
