"""How candidates compare with the present recipe on the same later rows, as they would be served."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.model_name import tipo_of
from cripto.training.dataset import Dataset
from cripto.training.engine import Engine
from cripto.training.estimators import Recipe
from cripto.training.scores.resampling import Resampling, day_numbers, sums_by_day
from cripto.training.search_space import Space
from cripto.training.served import served
from cripto.training.targets import rises
from cripto.training.walk_forward import Fold, FoldTask, Predictions, predict_fold

__all__ = ["NONE_BETTER", "CandidateWalk", "compared"]

NONE_BETTER: Final = "none surely better"
"""What is said of a model whose recipe stays."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CandidateWalk:
    """One model on its way through the window, by whatever recipe."""

    name: str
    dataset: Dataset
    folds: tuple[Fold, ...]
    earlier: tuple[Fold, ...]
    seed: int

    @property
    def tested(self) -> slice:
        """The rows that are scored: test parts follow one another without a gap."""
        return slice(self.folds[0].test.start, self.folds[-1].test.stop)

    def losses(self, recipes: Sequence[Recipe], engine: Engine, done: Callable[[int], None]) -> list[Floats]:
        """By recipe the loss of each tested row, float64 (tested,): squared errors, of probabilities as served."""
        classifier = tipo_of(self.name) == "classifier"
        walked = (*self.earlier, *self.folds) if classifier else self.folds
        tasks = [FoldTask(self.name, recipe, fold, self.seed) for recipe in recipes for fold in walked]
        # the longest first, so that the last ones to end are short
        order = sorted(range(len(tasks)), key=lambda place: -tasks[place].fold.train.stop)
        told = engine.run(predict_fold, [tasks[place] for place in order], self.dataset, done)
        said = dict(zip(order, told, strict=True))
        result = []
        for number in range(len(recipes)):
            mine = [said[number * len(walked) + place] for place in range(len(walked))]
            split = len(walked) - len(self.folds)
            predictions = self._predictions(self.folds, mine[split:])
            if classifier:
                before = self._predictions(self.earlier, mine[:split]) if split else None
                predictions = served(self.dataset, predictions, before).predictions
            result.append(self._loss(predictions.values[self.name][self.tested]))
        return result

    def baseline(self) -> Floats:
        """The losses of knowing nothing: the price stays, or rises with one half."""
        rows = self.tested.stop - self.tested.start
        return self._loss(np.full(rows, 0.5 if tipo_of(self.name) == "classifier" else 0.0))

    def _loss(self, told: Floats) -> Floats:
        actual = self.dataset.log_return[self.tested]
        if tipo_of(self.name) == "classifier":
            return np.asarray((told - rises(actual)) ** 2)
        return np.asarray((told - actual) ** 2)

    def _predictions(self, folds: tuple[Fold, ...], told: Sequence[Floats]) -> Predictions:
        values, number = np.full(len(self.dataset), np.nan), np.zeros(len(self.dataset), dtype=np.int64)
        for fold, said in zip(folds, told, strict=True):
            values[fold.test], number[fold.test] = said, fold.number
        return Predictions(folds, number, {self.name: values})


def compared(
    walking: CandidateWalk,
    space: Space,
    present: Recipe,
    settings: Sequence[Mapping[str, Any]],
    losses: list[Floats],
    level: float,
) -> tuple[dict[str, Any], int | None]:
    """What is told of one model, and which candidate wins, if any; ``losses`` begins with the present recipe's."""
    day, days = day_numbers(walking.dataset.time[walking.tested])
    daily = sums_by_day(day, days, [walking.baseline(), *losses])
    draws = Resampling(days, walking.seed)
    drawn = draws.sums(daily)
    part = [
        slice(fold.test.start - walking.tested.start, fold.test.stop - walking.tested.start)
        for fold in walking.folds
    ]
    rows: list[dict[str, Any]] = []
    improvements = np.full(len(settings), -np.inf)
    for place, (candidate, loss) in enumerate(zip(settings, losses[1:], strict=True)):
        improvement = _share(daily[:, 2 + place].sum(), daily[:, 1].sum())
        interval = strict = None
        if improvement is not None:
            improvements[place] = improvement
            with np.errstate(divide="ignore", invalid="ignore"):
                again = 1 - drawn[:, 2 + place] / drawn[:, 1]
            interval, strict = draws.bounds(again), draws.bounds(again, level)
        rows.append(
            {
                "settings": dict(candidate),
                "loss": _finite(loss.mean()),
                "skill": _share(daily[:, 2 + place].sum(), daily[:, 0].sum()),
                "improvement": improvement,
                "interval": interval,
                "interval_for_all_tried": strict,
                "by_fold": [_share(loss[here].sum(), losses[0][here].sum()) for here in part],
                "surely_better": strict is not None and strict[0] > 0,
            }
        )
    best = int(improvements.argmax()) if np.isfinite(improvements).any() else None
    better = np.where([row["surely_better"] for row in rows], improvements, -np.inf)
    winner = int(better.argmax()) if np.isfinite(better).any() else None
    found = {
        "present": {
            "settings": space.present(present),
            "loss": _finite(losses[0].mean()),
            "skill": _share(daily[:, 1].sum(), daily[:, 0].sum()),
        },
        "verdict": NONE_BETTER if winner is None else "surely better",
        "winner": None if winner is None else rows[winner],
        "best": None if best is None else rows[best],
        "space": space.to_json(),
        "candidates": rows,
    }
    return found, winner


def _share(loss: float, against: float) -> float | None:
    """How much less ``loss`` is, as a share of ``against``; null where there is none, or no number."""
    return _finite(1 - float(loss) / float(against)) if against > 0 else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
