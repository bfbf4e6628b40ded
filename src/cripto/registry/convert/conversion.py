"""The parent's side of a conversion: what it sends, what it believes of the answer, and what it refuses."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cripto.domain.model_name import tipo_of
from cripto.errors import InvalidInput, ModelRefused
from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert._process import ChildFailed, Limits, run_child

if TYPE_CHECKING:  # the child imports this package, and scans a file before it imports numpy
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "LARGEST_DIFFERENCE",
    "LIMITS",
    "UNTRUSTED",
    "Conversion",
    "convert_each",
    "convert_model",
    "convert_models",
]

LIMITS = Limits()
"""What a conversion may take, all of its models together."""

UNTRUSTED = Limits(seconds=20.0)
"""What the conversion of one file that somebody else wrote may take."""

LARGEST_DIFFERENCE = 1e-6
"""How far a graph may be from its estimator: relative on the price, absolute on the probability."""

_PROOF = {"regressor": "price_relative", "classifier": "probability"}
_COMMAND = (sys.executable, "-I", "-m", "cripto.registry.convert.child")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A model as it is served, and the proof that it is the one that was trained.

    The graph takes ``features``, float64 [N, n_features], and gives one output, float64 [N, 1]: ``log_return``
    of a regressor, ``probability`` (of a rise) of a classifier. Any batch size and thread count give the same
    bits. ``parity`` holds the largest differences from scikit-learn on the probe rows: ``price_relative`` and
    ``log_return``, or ``probability``. ``estimator`` names the classes that were fitted, outermost first.
    """

    onnx: bytes
    parity: dict[str, float]
    estimator: str


def convert_model(
    name: str,
    joblib_file: bytes,
    probes: "NDArray[np.float64]",
    features: Sequence[str],
    limits: Limits = LIMITS,
) -> Conversion:
    """Convert one model; see `convert_models`."""
    return convert_models({name: joblib_file}, probes, features, limits)[name]


def convert_models(
    models: Mapping[str, bytes],
    probes: "NDArray[np.float64]",
    features: Sequence[str],
    limits: Limits = LIMITS,
) -> dict[str, Conversion]:
    """Convert models (name to joblib file) in one child process, which alone imports what unpickles them.

    ``probes`` are feature rows, float64 [n, n_features], on which each graph must agree with its estimator.
    Equal files give equal graphs. Raises `InvalidInput` for names or probes that cannot be used, and
    `ModelRefused` with the reason for anything the child refuses, or if it crashes, lingers or babbles.
    """
    import numpy as np

    matrix = np.ascontiguousarray(probes, dtype="<f8")
    if matrix.ndim != 2 or not len(matrix) or matrix.shape[1] != len(features) or not np.isfinite(matrix).all():
        raise InvalidInput(f"probe rows are finite and of shape (n, {len(features)}), n at least 1")
    header = {
        "models": [{"name": name, "tipo": tipo_of(name)} for name in models],
        "features": list(features),
    }
    request = encode_frame(header, [matrix.tobytes(), *models.values()])
    if not models:
        return {}
    every = ", ".join(models)
    try:
        command = (*_COMMAND, str(math.ceil(limits.seconds) * (os.cpu_count() or 1)))
        answer = run_child(command, request, _environment(), limits)
    except ChildFailed as error:
        raise ModelRefused(every, f"the conversion process gave no answer: {error}") from error
    try:
        found, graphs = decode_frame(answer)
        results = list(zip(models, found["models"], graphs, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(every, "the conversion process gave a malformed answer") from error
    return {name: _believe(name, result, graph) for name, result, graph in results}


def convert_each(
    models: Mapping[str, bytes],
    probes: "NDArray[np.float64] | None",
    features: Sequence[str],
    limits: Limits = UNTRUSTED,
) -> dict[str, Conversion | ModelRefused]:
    """Convert files that somebody else wrote, each in a child of its own: one's refusal never loses another.

    Without ``probes``, standard normal rows are used, the same each time. ``limits`` are those of each model.
    Raises `InvalidInput` for names or probes that cannot be used.
    """
    import numpy as np

    rows = np.random.default_rng(0).standard_normal((256, len(features))) if probes is None else probes
    results: dict[str, Conversion | ModelRefused] = {}
    for name, file in models.items():
        try:
            results[name] = convert_model(name, file, rows, features, limits)
        except ModelRefused as refused:
            results[name] = refused
    return results


def _believe(name: str, result: Any, graph: bytes) -> Conversion:
    """One model's answer as a value; raise `ModelRefused` for a refusal, or an answer that proves nothing."""
    try:
        if (refused := result["refused"]) is not None:
            raise ModelRefused(name, str(refused)[:500])
        parity = {str(key): float(number) for key, number in result["parity"].items()}
        proof = parity[_PROOF[tipo_of(name)]]
        estimator = str(result["estimator"])[:200]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelRefused(name, "the conversion process gave a malformed answer") from error
    if not graph or not all(map(math.isfinite, parity.values())) or not 0 <= proof <= LARGEST_DIFFERENCE:
        raise ModelRefused(name, f"its graph and its estimator differ by {proof:g}")
    return Conversion(graph, parity, estimator)


def _environment() -> dict[str, str]:
    """All that the child learns of ours: no credentials, no settings, no home. One thread a library."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **kept}
