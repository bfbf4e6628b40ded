"""The proof a release gives before it serves: right numbers on its probes, sane ones on rows of our own."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from cripto.domain.model_name import tipo_of
from cripto.errors import ModelRefused
from cripto.forecasting.runtime import Matrix, Vector

__all__ = ["smoke_test", "smoke_test_numbers"]

_ROWS = 16
# What conversion promises: 1e-6 relative on a price is 1e-6 on a log return, and 1e-6 on a probability.
_RELATIVE, _ABSOLUTE = 0.0, 1e-6
_SLACK = 1e-9

Predict = Callable[[Matrix], Mapping[str, Vector]]


def smoke_test(predict: Predict, names: Sequence[str], n_features: int, probes: bytes | None) -> None:
    """Raise `ModelRefused` unless every model is finite, in range and independent of its batch.

    ``probes``, where the release has the file, is JSON ``{"features": [[...]], "expected": {name: [...]}}``:
    rows and what the models must give for them, to 1e-6.
    """
    matrix = _own_rows(n_features)
    together = predict(matrix)
    alone = predict(matrix[-1:])
    for name in names:
        _check_range(name, together[name])
        if not np.allclose(together[name][-1:], alone[name], rtol=_SLACK, atol=_SLACK):
            raise ModelRefused(name, "a row's output depends on the rows beside it")
    if probes is not None:
        _check_probes(predict, names, n_features, probes)


class Numbers(Protocol):
    """What a loaded release serves beyond its graphs' own numbers; `LoadedRelease` keeps it."""

    def predict(self, matrix: Matrix) -> Mapping[str, Vector]:
        """What is served, calibrated where there is a calibration, by model."""
        ...

    def half_widths(self, matrix: Matrix) -> Mapping[str, Matrix]:
        """Half widths of ranges, (levels, rows), by regressor that has any."""
        ...


def smoke_test_numbers(release: Numbers, n_features: int) -> None:
    """Raise `ModelRefused` unless served numbers are finite and in range, and ranges positive and nested."""
    matrix = _own_rows(n_features)
    for name, values in release.predict(matrix).items():
        _check_range(name, values)
    for name, widths in release.half_widths(matrix).items():
        if not (np.isfinite(widths).all() and (widths > 0).all() and (np.diff(widths, axis=0) >= 0).all()):
            raise ModelRefused(name, "it gives ranges that are not positive, finite and nested on probe rows")


def _own_rows(n_features: int) -> Matrix:
    rows = np.random.default_rng(20250729).standard_normal((_ROWS, n_features))
    rows[0] = 0.0
    # The builder rounds to float32, so no other numbers reach a tree's thresholds.
    return rows.astype(np.float32).astype(np.float64)


def _check_range(name: str, values: Vector) -> None:
    if not np.isfinite(values).all():
        raise ModelRefused(name, "it gives numbers that are not finite on probe rows")
    # Nothing bounds a linear model on rows no market has made; a probability is bounded everywhere.
    if tipo_of(name) == "classifier" and (values.min() < -_SLACK or values.max() > 1 + _SLACK):
        raise ModelRefused(name, "it gives probabilities outside 0 to 1 on probe rows")


def _check_probes(predict: Predict, names: Sequence[str], n_features: int, probes: bytes) -> None:
    try:
        value = json.loads(probes)
        matrix = np.array(value["features"], dtype=np.float64)
        expected = {name: np.array(value["expected"][name], dtype=np.float64) for name in names}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelRefused("probes.json", f"malformed ({type(error).__name__})") from error
    if matrix.ndim != 2 or matrix.shape[1] != n_features or len(matrix) == 0:
        raise ModelRefused("probes.json", f"its rows do not have {n_features} features")
    outputs = predict(matrix)
    for name in names:
        _check_range(name, outputs[name])
        if expected[name].shape != (len(matrix),):
            raise ModelRefused("probes.json", f"it does not hold one number a row for {name}")
        if not np.allclose(outputs[name], expected[name], rtol=_RELATIVE, atol=_ABSOLUTE):
            raise ModelRefused(name, "it does not reproduce the release's own probe outputs")
