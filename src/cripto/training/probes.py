"""Rows on which a release proves itself: joblib against ONNX when it is published, and again when it is loaded."""

import json
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cripto.training.dataset import Dataset

__all__ = ["PROBES_FILE", "probe_file", "probe_rows", "published_rows"]

PROBES_FILE: Final = "probes.json"
"""Name of the probe file in a release."""

_SPREAD: Final = 512
_PUBLISHED: Final = 64


def probe_rows(dataset: Dataset) -> NDArray[np.intp]:
    """Rows for the parity check, ascending: spread evenly over time and assets, and each feature's extremes."""
    rows = len(dataset)
    spread = np.linspace(0, rows - 1, num=min(rows, _SPREAD)).astype(np.intp)
    extremes = np.concatenate([dataset.features.argmin(axis=0), dataset.features.argmax(axis=0)])
    return np.unique(np.concatenate([spread, extremes])).astype(np.intp)


def published_rows(dataset: Dataset) -> NDArray[np.intp]:
    """The rows of the probe file, ascending: a few of `probe_rows`, spread evenly."""
    every = probe_rows(dataset)
    return every[np.linspace(0, len(every) - 1, num=min(len(every), _PUBLISHED)).astype(np.intp)]


def probe_file(dataset: Dataset, told: Mapping[str, NDArray[np.float64]]) -> bytes:
    """The probe file: `published_rows` and, by model, what it says of them before conversion.

    JSON ``{"features": [[...]], "expected": {name: [...]}}``, which whoever loads the release reproduces.
    """
    value = {
        "features": dataset.features[published_rows(dataset)].tolist(),
        "expected": {name: values.tolist() for name, values in told.items()},
    }
    return (json.dumps(value, allow_nan=False) + "\n").encode()
