"""One request from bytes to bytes: each model loaded, checked, rewritten as a graph and proven, or refused."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert.child.estimators import Refused, load_estimator, read_estimator
from cripto.registry.convert.child.graphs import build_graph
from cripto.registry.convert.child.proof import prove

__all__ = ["answer"]


def answer(request: bytes) -> bytes:
    """The answer to a request of `cripto.registry.convert.conversion`; raise ``ValueError`` if it is none."""
    header, (matrix, *files) = decode_frame(request)
    features = header["features"]
    probes = np.frombuffer(matrix, dtype="<f8").reshape(-1, len(features)).astype(np.float64)
    results, graphs = [], []
    for model, file in zip(header["models"], files, strict=True):
        result, graph = _convert(model["tipo"], file, features, probes)
        results.append(result)
        graphs.append(graph)
    return encode_frame({"models": results}, graphs)


def _convert(
    tipo: str, file: bytes, features: Sequence[str], probes: NDArray[np.float64]
) -> tuple[Mapping[str, Any], bytes]:
    try:
        with warnings.catch_warnings():
            # scikit-learn asks for the names it was fitted with; that they are ours is checked once.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            estimator = load_estimator(file)
            form = read_estimator(estimator, tipo, features)
            graph = build_graph(form, tipo, len(features))
            parity = prove(graph, estimator, tipo, probes)
    except Refused as error:
        return {"refused": str(error)}, b""
    except Exception as error:  # whatever a strange file makes a library raise is a refusal of that file
        return {"refused": f"it could not be converted: {type(error).__name__}: {error}"[:400]}, b""
    return {"refused": None, "estimator": form.title, "parity": parity}, graph
