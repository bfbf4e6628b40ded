"""The parent's side of a conversion: what it sends, what it believes of the answer, and what it refuses."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cripto.domain.model_name import tipo_of
from cripto.errors import InvalidInput, ModelRefused
from cripto.registry.convert._answers import Conversion, believed
from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert._paths import child_command
from cripto.registry.convert._process import ChildFailed, Limits, run_child

if TYPE_CHECKING:  # the child imports this package, and scans a file before it imports numpy
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LIMITS", "UNTRUSTED", "convert_each", "convert_model", "convert_models"]

LIMITS = Limits()
"""What a conversion may take, all of its models together."""

UNTRUSTED = Limits(seconds=60.0)
"""What the conversion of one file that somebody else wrote may take."""


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
    return _convert(models, matrix.tobytes(), features, limits)


def convert_each(
    models: Mapping[str, bytes], features: Sequence[str] | None = None, limits: Limits = UNTRUSTED
) -> dict[str, Conversion | ModelRefused]:
    """Convert files that somebody else wrote, each in a child of its own: one's refusal never loses another.

    Without ``features`` each file must say itself on which it was fitted. The probe rows are the child's: 256
    standard normal ones, the same each time. ``limits`` are those of each model. A refusal is ``final`` where
    this installation will always say the same of the same bytes, and not where the child crashed, lingered,
    ran out of memory or lacks a library. Raises `InvalidInput` for names that cannot be used.
    """
    results: dict[str, Conversion | ModelRefused] = {}
    for name, file in models.items():
        try:
            results.update(_convert({name: file}, b"", features, limits))
        except ModelRefused as refused:
            results[name] = refused
    return results


def _convert(
    models: Mapping[str, bytes], matrix: bytes, features: Sequence[str] | None, limits: Limits
) -> dict[str, Conversion]:
    """Ask one child; ``matrix`` holds the probe rows, and is empty where the child takes its own."""
    header = {
        "models": [{"name": name, "tipo": tipo_of(name)} for name in models],
        "features": None if features is None else list(features),
    }
    request = encode_frame(header, [matrix, *models.values()])
    if not models:
        return {}
    every = ", ".join(models)
    try:
        command = (*child_command(), str(math.ceil(limits.seconds) * (os.cpu_count() or 1)))
        answer = run_child(command, request, _environment(), limits)
    except ChildFailed as error:
        raise ModelRefused(every, f"the conversion process gave no answer: {error}") from error
    try:
        found, graphs = decode_frame(answer)
        results = list(zip(models, found["models"], graphs, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(every, "the conversion process gave a malformed answer") from error
    return {name: _read(name, result, graph, features) for name, result, graph in results}


def _read(name: str, result: Any, graph: bytes, features: Sequence[str] | None) -> Conversion:
    """One model's answer as a value; raise `ModelRefused` for a refusal, or an answer that proves nothing."""
    if not isinstance(result, dict) or "refused" not in result:
        raise ModelRefused(name, "the conversion process gave a malformed answer")
    if (reason := result["refused"]) is not None:
        raise ModelRefused(name, str(reason)[:500], final=result.get("final") is True)
    try:
        return believed(tipo_of(name), result, graph, features)
    except ValueError as error:
        raise ModelRefused(name, f"the conversion process gave an answer that proves nothing: {error}") from error


def _environment() -> dict[str, str]:
    """All that the child learns of ours: no credentials, no settings, no home. One thread a library."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **kept}
