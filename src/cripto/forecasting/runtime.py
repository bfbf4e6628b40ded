"""Compiled models: ONNX graphs run by onnxruntime, held to one small contract."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from cripto.domain.model_name import tipo_of
from cripto.errors import ModelRefused

__all__ = ["Matrix", "Model", "OnnxModel", "Vector", "output_name"]

Matrix = npt.NDArray[np.float64]
"""Feature rows: float64, shape (rows, features)."""
Vector = npt.NDArray[np.float64]
"""One number per row: float64, shape (rows,)."""

_INPUT = "features"
_DOUBLE = "tensor(double)"
_ERRORS_ONLY = 3


class Model(Protocol):
    """Whatever gives one number per feature row."""

    @property
    def name(self) -> str:
        """The model's name, one of ``MODEL_NAMES``."""
        ...

    def predict(self, matrix: Matrix) -> Vector:
        """Log returns of a regressor or P(rises) of a classifier, shape (rows,); raise `ModelRefused`."""
        ...


def output_name(name: str) -> str:
    """What the graph of the model called ``name`` must call its output."""
    return "log_return" if tipo_of(name) == "regressor" else "probability"


class OnnxModel:
    """An ONNX graph with the input ``features`` float64 [N, n] and one float64 output [N] or [N, 1].

    The output is called ``log_return`` for a regressor and ``probability`` for a classifier. Safe to share
    between threads. ``threads`` is how many one run may use; answers do not depend on it.
    """

    def __init__(self, name: str, data: bytes, n_features: int, *, threads: int = 1) -> None:
        self._name = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # Serving many sessions side by side, the arenas would each keep their largest batch for ever.
        options.enable_cpu_mem_arena = False
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no base class
            raise ModelRefused(name, f"onnxruntime cannot load it ({type(error).__name__})") from error
        _check_signature(name, session, n_features)
        self._run: Callable[[Any, Any], list[Any]] = session.run
        self._outputs = [output_name(name)]

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return self._name

    def predict(self, matrix: Matrix) -> Vector:
        """See `Model.predict`."""
        try:
            (values,) = self._run(self._outputs, {_INPUT: matrix})
        except Exception as error:  # onnxruntime's own errors share no base class
            raise ModelRefused(self._name, f"a run failed ({type(error).__name__})") from error
        result: Vector = np.asarray(values)
        if result.shape == (len(matrix), 1):
            result = result[:, 0]
        return result


def _check_signature(name: str, session: Any, n_features: int) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [node.name for node in inputs] != [_INPUT] or inputs[0].type != _DOUBLE:
        raise ModelRefused(name, f"its only input must be {_INPUT}, float64")
    shape = inputs[0].shape
    if len(shape) != 2 or isinstance(shape[0], int) or shape[1] not in (n_features, None):
        raise ModelRefused(name, f"its input must have the shape [N, {n_features}], not {shape}")
    expected = output_name(name)
    if [node.name for node in outputs] != [expected] or outputs[0].type != _DOUBLE:
        raise ModelRefused(name, f"its only output must be {expected}, float64")
    shape = outputs[0].shape
    # The converters declare [N], [N, 1] or nothing at all; what a run really returns is checked on every run.
    if shape and (len(shape) > 2 or (len(shape) == 2 and isinstance(shape[1], int) and shape[1] != 1)):
        raise ModelRefused(name, f"its output must have the shape [N] or [N, 1], not {shape}")
