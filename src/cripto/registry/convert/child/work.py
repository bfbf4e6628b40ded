"""The conversion of models that have passed the scan: each loaded, checked, rewritten as a graph and proven."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cripto.registry.convert.child.estimators import load_estimator, read_estimator
from cripto.registry.convert.child.graphs import build_graph
from cripto.registry.convert.child.proof import prove
from cripto.registry.convert.child.refusal import Refused, told

__all__ = ["Work"]


class Work:
    """Conversions for ``features`` on probe rows, given as the bytes of float64 [n, len(features)]."""

    def __init__(self, features: Sequence[str], matrix: bytes) -> None:
        self._features = features
        self._probes = np.frombuffer(matrix, dtype="<f8").reshape(-1, len(features)).astype(np.float64)

    def convert(self, tipo: str, data: bytes) -> tuple[Mapping[str, Any], bytes]:
        """What the answer says of one model, decompressed and scanned, and its graph; empty if refused."""
        try:
            with warnings.catch_warnings():
                # scikit-learn asks for the names it was fitted with; that they are ours is checked once.
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
                estimator = load_estimator(data)
                form = read_estimator(estimator, tipo, self._features)
                graph = build_graph(form, tipo, len(self._features))
                parity = prove(graph, estimator, tipo, self._probes)
        except Refused as error:
            return told(str(error), "conversion")
        except Exception as error:  # whatever a strange file makes a library raise is a refusal of that file
            return told(f"it could not be converted: {type(error).__name__}: {error}"[:400], "conversion")
        return {"refused": None, "estimator": form.title, "parity": parity}, graph
