"""The proof that a graph is the estimator it was made from, on probe rows."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cripto.registry.convert.child.refusal import Refused

__all__ = ["LARGEST_DIFFERENCE", "prove"]

LARGEST_DIFFERENCE = 1e-6
"""Relative on the price, absolute on the probability."""

_OUTPUT = {"regressor": "log_return", "classifier": "probability"}
_ROWS_ALONE = 256
_BATCHES = (1, 3, 7, 64)


def prove(graph: bytes, estimator: Any, tipo: str, probes: NDArray[np.float64]) -> dict[str, float]:
    """The largest differences between graph and estimator on ``probes`` (n, n_features), by what was compared.

    Raises `Refused` if they differ by more than 1e-6, if any answer is no price or no probability, or if batch
    size or thread count change a bit of the graph's.
    """
    alone, shared = _session(graph, 1), _session(graph, 2)
    got = _run(alone, tipo, probes)
    if got.dtype != np.float64 or got.shape != (len(probes), 1):
        raise Refused(f"its graph answers {got.dtype} {got.shape}")
    few = probes[:_ROWS_ALONE]
    for session in (alone, shared):
        for size in _BATCHES:
            parts = [_run(session, tipo, few[start : start + size]) for start in range(0, len(few), size)]
            if np.concatenate(parts).tobytes() != got[: len(few)].tobytes():
                raise Refused(f"its graph answers otherwise in batches of {size}")
    if _run(shared, tipo, probes).tobytes() != got.tobytes():
        raise Refused("its graph answers otherwise on two threads")
    return _compare(got.reshape(-1), estimator, tipo, probes)


def _compare(got: NDArray[np.float64], estimator: Any, tipo: str, probes: NDArray[np.float64]) -> dict[str, float]:
    if tipo == "regressor":
        want = np.asarray(estimator.predict(probes), np.float64).reshape(-1)
        with np.errstate(over="ignore", under="ignore"):
            factors = np.exp([got, want])
        if not ((factors > 0) & (factors < np.inf)).all():
            raise Refused("it predicts returns that lead to no price")
        differences = {"price_relative": np.expm1(got - want), "log_return": got - want}
    else:
        want = np.asarray(estimator.predict_proba(probes), np.float64)[:, 1]
        if not ((want >= 0) & (want <= 1) & (got >= 0) & (got <= 1)).all():
            raise Refused("it predicts what is no probability")
        differences = {"probability": got - want}
    parity = {name: float(np.abs(difference).max()) for name, difference in differences.items()}
    first = next(iter(parity.values()))
    if first > LARGEST_DIFFERENCE:
        raise Refused(f"its graph and its estimator differ by {first:g}")
    return parity


def _session(graph: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _run(session: Any, tipo: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(session.run([_OUTPUT[tipo]], {"features": rows})[0])
