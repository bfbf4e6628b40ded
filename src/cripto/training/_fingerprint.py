"""What tells machines apart whose fits would differ in their last bits, which the proofs compare."""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import polars as pl

from cripto.errors import TrainingRefused
from cripto.training.dataset import Dataset
from cripto.training.estimators import RECIPES
from cripto.training.fitting import fit, one_thread

__all__ = ["Fingerprint", "fingerprint", "refuse_unlike"]

_ROWS: Final = 2048
_FEATURES: Final = 44
_ASKED: Final = (
    "regressor_lin",
    "classifier_log",
)  # BLAS fits these, and trees take the same steps anywhere


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``numbers`` is the SHA-256 of what a machine fits to rows that are always the same; ``machine`` names it."""

    numbers: str
    machine: str


@cache
def fingerprint() -> Fingerprint:
    """What the machine that asks is told by; worked out once a process, with no fit beside it."""
    import sklearn
    import threadpoolctl

    # whole numbers scaled by a power of two: the same bits wherever they are made
    drawn = np.random.default_rng(0).integers(-(2**20), 2**20, (_ROWS, _FEATURES + 1)) / 2.0**20
    dataset = Dataset(
        names=tuple(f"feature_{place}" for place in range(_FEATURES)),
        features=np.ascontiguousarray(drawn[:, 1:]),
        log_return=np.ascontiguousarray(drawn[:, 0]),
        time=np.arange(_ROWS).astype("datetime64[us]"),
        symbol=pl.repeat("A", _ROWS, eager=True).alias("symbol"),
    )
    digest = hashlib.sha256()
    with one_thread():
        for name in _ASKED:
            model = fit(name, RECIPES[name], dataset, slice(None), seed=0)
            digest.update(model.to_bytes())
            digest.update(model.predict(dataset).tobytes())
        kinds = {
            f"{library['internal_api']} {library['version']} for {library['architecture']}"
            for library in threadpoolctl.threadpool_info()
            if "architecture" in library
        }
    parts = (platform.machine(), *sorted(kinds), f"numpy {np.__version__}", f"scikit-learn {sklearn.__version__}")
    return Fingerprint(digest.hexdigest(), ", ".join(parts))


def refuse_unlike(driver: Fingerprint, print_of: Callable[[], Fingerprint]) -> None:
    """Raise `TrainingRefused` where ``print_of`` says that this machine fits other bits than the driver's."""
    mine = print_of()
    if mine.numbers != driver.numbers:
        raise TrainingRefused(
            "the machines that fit are of another kind than the one that proves their fits, bit for bit:"
            f" {mine.machine}; the driver is {driver.machine}"
        )
