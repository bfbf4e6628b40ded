"""Fitting one model, to the same bits each time; and writing it down."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.model_name import tipo_of
from cripto.training.dataset import Dataset
from cripto.training.estimators import Recipe
from cripto.training.targets import rises

__all__ = ["FittedModel", "fit", "one_thread", "sample_rows", "side_by_side"]

_COMPRESSION = 3


@dataclass(frozen=True, slots=True)
class FittedModel:
    """An estimator under its model name, and on how many rows it was fitted."""

    name: str
    estimator: Any
    rows: int

    def predict(self, dataset: Dataset, rows: slice | NDArray[np.intp] = slice(None)) -> NDArray[np.float64]:
        """Log returns of a regressor, or P(rises) of a classifier, float64 (rows,), for rows of ``dataset``.

        On one thread, BLAS included: how sums are shared out among more would change the last bits.
        """
        frame = _frame(dataset, rows)
        with one_thread():
            if tipo_of(self.name) == "regressor":
                return np.asarray(self.estimator.predict(frame), dtype=np.float64)
            return np.asarray(self.estimator.predict_proba(frame)[:, 1], dtype=np.float64)

    def to_bytes(self) -> bytes:
        """The estimator as a joblib file; equal estimators give equal bytes."""
        import joblib

        file = io.BytesIO()
        joblib.dump(self.estimator, file, compress=_COMPRESSION)
        return file.getvalue()


def sample_rows(rows: int, limit: int, seed: int) -> NDArray[np.intp]:
    """Which of ``rows`` a model is fitted on: all, or ``limit`` drawn evenly without replacement, in order."""
    if rows <= limit:
        return np.arange(rows, dtype=np.intp)
    return np.sort(np.random.default_rng(seed).choice(rows, size=limit, replace=False)).astype(np.intp)


def fit(name: str, recipe: Recipe, dataset: Dataset, rows: slice, seed: int) -> FittedModel:
    """Fit the model called ``name`` on ``rows`` of ``dataset``, or on as many of them as its recipe allows.

    Equal arguments give equal bits, whatever else runs, as long as BLAS keeps to one thread: see `one_thread`.
    """
    start, stop, _ = rows.indices(len(dataset))
    chosen = start + sample_rows(stop - start, recipe.max_rows, seed)
    target = dataset.log_return[chosen]
    estimator = recipe.build(len(chosen), seed)
    weights = {} if recipe.weights is None else {_weight_name(estimator): recipe.weights(dataset, chosen)}
    estimator.fit(
        _frame(dataset, chosen, recipe.features),
        target if tipo_of(name) == "regressor" else rises(target).astype(np.int64),
        **weights,
    )
    return FittedModel(name, estimator, len(chosen))


def one_thread() -> AbstractContextManager[Any]:
    """BLAS and OpenMP on one thread each, in the whole process, while it lasts."""
    import threadpoolctl

    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(limits=1)
    return limits


@contextmanager
def side_by_side() -> Iterator[None]:
    """Forests may be fitted and asked on several threads at once, while it lasts.

    Around each tree scikit-learn empties and refills the warning filters, which the threads of a process share:
    two forests at once warn of each other and lose the filters. What joblib has under the same names leaves them
    alone.
    """
    import joblib
    from sklearn.ensemble import _forest

    before = _forest.Parallel, _forest.delayed
    _forest.Parallel, _forest.delayed = joblib.Parallel, joblib.delayed
    try:
        yield
    finally:
        _forest.Parallel, _forest.delayed = before


def _weight_name(estimator: Any) -> str:
    """The keyword that takes sample weights: a pipeline's last step is what learns from the target."""
    steps = getattr(estimator, "steps", None)
    return f"{steps[-1][0]}__sample_weight" if steps else "sample_weight"


def _frame(
    dataset: Dataset, rows: slice | NDArray[np.intp], learned_from: tuple[str, ...] | None = None
) -> pl.DataFrame:
    """Rows under the features' names; columns that are not ``learned_from`` (all are if ``None``) hold zeros.

    A column that never moves splits no tree and gets the weight zero in a linear model, so that the fitted
    estimator takes all features, as every other does, and heeds the few.
    """
    values = dataset.features[rows]
    if learned_from is not None:
        values = np.where(np.isin(dataset.names, learned_from), values, 0.0)
    # Named columns are what makes scikit-learn keep the feature names in the file.
    return pl.from_numpy(values, schema=list(dataset.names))
