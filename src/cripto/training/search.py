"""A search for better recipes with a stated budget, inside the training window and with luck allowed for.

Every candidate (`cripto.training.search_space`) walks forward through rows that lie before all that a release is
scored on, beside the present recipe on the same rows. Whoever tries many finds one that was lucky, so the interval
of a candidate's improvement (`cripto.training.candidate_scores`) is as wide as the number of all candidates asks
(Bonferroni), and only one whose interval lies above zero takes a recipe's place.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from cripto.domain.clock import rfc3339
from cripto.domain.interval import Interval
from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.errors import TrainingRefused
from cripto.training.candidate_scores import CandidateWalk, compared
from cripto.training.dataset import Dataset, to_datetime
from cripto.training.engine import Engine
from cripto.training.estimators import Recipe
from cripto.training.scores.resampling import LEVEL, MINIMUM_DAYS, day_numbers
from cripto.training.search_space import KEPT, SearchPlan, candidates
from cripto.training.served import EARLIER_FOLDS
from cripto.training.walk_forward import (
    Fold,
    WindowKind,
    refuse_one_class,
    walk_forward,
)

__all__ = ["FORMAT", "SEARCH_FILE", "SearchResult", "digest_of", "rows_before", "search"]

SEARCH_FILE: Final = "search.json"
"""Name of the search's result in a release that was trained with one."""

FORMAT: Final = 1
"""Of `SearchResult.to_json`."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was tried, ``described`` and ``models`` as JSON values; the ``recipes`` to train with thereafter."""

    described: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]
    recipes: Mapping[str, Recipe]

    def to_json(self) -> dict[str, Any]:
        """Spaces, budget, seed, data, and the scores of everything that was tried."""
        return {**self.described, "models": dict(self.models)}

    def to_bytes(self) -> bytes:
        """The same as a file."""
        return (json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def summary(self) -> dict[str, Any]:
        """The same without spaces, and of the candidates of each model the best alone."""
        models = {}
        for name, found in self.models.items():
            kept = {key: value for key, value in found.items() if key not in {"candidates", "space"}}
            models[name] = {**kept, "tried": len(found["candidates"])}
        return {**self.described, "models": models}


def rows_before(dataset: Dataset, stop: int) -> Dataset:
    """The first ``stop`` rows alone: what a search is given cannot reach what lies after them."""
    return replace(
        dataset,
        features=dataset.features[:stop],
        log_return=dataset.log_return[:stop],
        time=dataset.time[:stop],
        symbol=dataset.symbol[:stop],
    )


def digest_of(dataset: Dataset) -> str:
    """SHA-256 of names, features, targets, times and assets of all rows, in order."""
    digest = hashlib.sha256("\n".join(dataset.names).encode())
    for values in (dataset.features, dataset.log_return, dataset.time.astype("datetime64[us]").astype(np.int64)):
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update("\n".join(dataset.symbol.to_list()).encode())
    return digest.hexdigest()


def search(
    plan: SearchPlan,
    recipes: Mapping[str, Recipe],
    dataset: Dataset,
    interval: Interval,
    seed: int,
    engine: Engine,
    report: Callable[[int, int], None],
    window: WindowKind = "expanding",
) -> SearchResult:
    """Try what ``plan`` allows on ``dataset``, the training window and nothing else: see `rows_before`.

    ``report`` hears how many of all fits are done, on the thread that called. Equal arguments give an equal
    result; nothing is written. Raises `TrainingRefused` where the window holds too little.
    """
    folds, earlier = _folds(dataset, interval, plan, window)
    names = [name for name in MODEL_NAMES if name in plan.spaces and name in recipes]
    tried = {name: candidates(name, plan.spaces[name], recipes[name], plan, dataset.names, seed) for name in names}
    total = sum(map(len, tried.values()))
    level = 1 - (1 - LEVEL) / max(1, total)
    fits = {name: len(folds) + (len(earlier) if tipo_of(name) == "classifier" else 0) for name in names}
    every = sum((1 + len(tried[name])) * fits[name] for name in names)
    done = 0
    report(0, every)
    models, chosen = {}, dict(recipes)
    for name in names:
        walking = CandidateWalk(name, dataset, folds, earlier, seed)
        columns = walking.losses(
            [recipes[name], *(recipe for _, recipe in tried[name])],
            engine,
            partial(_told, report, done, every),
        )
        done += (1 + len(tried[name])) * fits[name]
        models[name], winner = compared(
            walking, plan.spaces[name], recipes[name], [settings for settings, _ in tried[name]], columns, level
        )
        if winner is not None:
            chosen[name] = tried[name][winner][1]
    described = {
        "format": FORMAT,
        "interval": interval.name,
        "seed": seed,
        "budget": {"candidates_a_model": plan.candidates, "tried": total, "fits": every},
        "drawn": {"kept_with_probability": KEPT},
        "rule": {
            "level": LEVEL,
            "level_for_all_tried": level,
            "needs": "the interval of the improvement above zero",
        },
        "data": {
            "sha256": digest_of(dataset),
            "rows": len(dataset),
            "features": len(dataset.names),
            "assets": dataset.symbol.n_unique(),
            "first": rfc3339(to_datetime(dataset.time[0])),
            "last": rfc3339(to_datetime(dataset.time[-1])),
        },
        "walk_forward": {"window": window, "folds": [fold.to_json() for fold in folds]},
    }
    return SearchResult(described, models, chosen)


def _told(report: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    report(before + done, total)


def _folds(
    dataset: Dataset, interval: Interval, plan: SearchPlan, window: WindowKind
) -> tuple[tuple[Fold, ...], tuple[Fold, ...]]:
    """The folds that score, and those inside the first one's training part that calibrate it, if it has room."""
    try:
        folds = walk_forward(dataset.time, interval, folds=plan.folds, window=window)
        refuse_one_class(dataset, folds)
    except TrainingRefused as error:
        raise TrainingRefused(f"the training window holds too little to search in: {error}") from error
    _, days = day_numbers(dataset.time[folds[0].test.start :])
    if days < MINIMUM_DAYS:
        raise TrainingRefused(
            f"the training window holds too little to search in: candidates would be compared on {days} days;"
            f" at least {MINIMUM_DAYS} are needed"
        )
    try:
        earlier = walk_forward(
            dataset.time[: folds[0].train.stop], interval, folds=EARLIER_FOLDS, embargo=folds[0].embargo
        )
        refuse_one_class(dataset, earlier)
    except TrainingRefused:
        earlier = ()
    return folds, earlier
