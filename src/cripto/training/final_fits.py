"""The fits that are published: every model on all rows, as files, with what they say of the probes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cripto.domain.model_name import MODEL_NAMES
from cripto.training.dataset import Dataset
from cripto.training.engine import Engine
from cripto.training.estimators import Recipe
from cripto.training.fitting import fit
from cripto.training.probes import published_rows

__all__ = ["FinalFit", "final_fits"]


@dataclass(frozen=True, slots=True)
class FinalFit:
    """One model as it is published.

    ``joblib`` is its file, ``rows`` on how many rows it was fitted; ``told``, float64 (rows,), is what it says of
    `cripto.training.probes.published_rows`.
    """

    name: str
    joblib: bytes
    rows: int
    told: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _FinalTask:
    name: str
    recipe: Recipe
    seed: int


def final_fits(
    recipes: Mapping[str, Recipe], dataset: Dataset, seed: int, engine: Engine, done: Callable[[int], None]
) -> dict[str, FinalFit]:
    """Fit every model on all rows of ``dataset``, or as many as its recipe allows; in ``MODEL_NAMES`` order.

    ``done`` hears how many are. Equal arguments give equal bytes, whatever the engine.
    """
    names = sorted(recipes, key=lambda name: -recipes[name].cost)
    fits = engine.run(_final_fit, [_FinalTask(name, recipes[name], seed) for name in names], dataset, done)
    by_name = {item.name: item for item in fits}
    return {name: by_name[name] for name in MODEL_NAMES if name in by_name}


def _final_fit(dataset: Dataset, task: _FinalTask) -> FinalFit:
    model = fit(task.name, task.recipe, dataset, slice(0, len(dataset)), task.seed)
    return FinalFit(task.name, model.to_bytes(), model.rows, model.predict(dataset, published_rows(dataset)))
