"""The conversion of models that have passed the scan: each loaded, checked, rewritten as a graph and proven."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.registry.convert.child.estimators import load_estimator, read_estimator
from cripto.registry.convert.child.graphs import build_graph
from cripto.registry.convert.child.proof import prove
from cripto.registry.convert.child.refusal import Refused, told

__all__ = ["Work"]

_OWN_PROBES = 256


class Work:
    """Conversions for ``features``, or for those that each file names itself where they are ``None``.

    ``matrix`` holds the bytes of probe rows, float64 [n, len(features)]; empty for rows of our own.
    """

    def __init__(self, features: Sequence[str] | None, matrix: bytes) -> None:
        self._features = features
        self._matrix = matrix

    def convert(self, tipo: str, data: bytes) -> tuple[Mapping[str, Any], bytes]:
        """What the answer says of one model, decompressed and scanned, and its graph; empty if refused."""
        try:
            with warnings.catch_warnings():
                # scikit-learn asks for the names it was fitted with; that they are ours is checked once.
                warnings.filterwarnings("ignore", message="X does not have valid feature names")
                estimator = load_estimator(data)
                form = read_estimator(estimator, tipo, self._features)
                graph = build_graph(form, tipo, len(form.features))
                parity = prove(graph, estimator, tipo, self._probes(len(form.features)))
        except Refused as error:
            return told(str(error), "conversion")
        except (MemoryError, OSError) as error:  # of this machine, not of the file
            return told(
                f"it could not be converted: {type(error).__name__}: {error}"[:400], "conversion", final=False
            )
        except Exception as error:  # whatever a strange file makes a library raise is a refusal of that file
            return told(f"it could not be converted: {type(error).__name__}: {error}"[:400], "conversion")
        said = {"refused": None, "estimator": form.title, "features": form.features, "parity": parity}
        return said, graph

    def _probes(self, width: int) -> NDArray[np.float64]:
        if self._matrix:
            return np.frombuffer(self._matrix, dtype="<f8").reshape(-1, width).astype(np.float64)
        normal = np.random.default_rng(0).standard_normal((_OWN_PROBES, width))
        return normal.astype(np.float32).astype(np.float64)  # as the builder rounds its rows
