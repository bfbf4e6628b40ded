"""Scores of predicted log returns."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from cripto.training.scores.resampling import Floats, Resampling, sums_by_day
from cripto.training.scores.rows import ScoredRows
from cripto.training.scores.skill import Skill, mean, skill_of

__all__ = ["REGRESSOR_SCORES", "score_regressor"]

REGRESSOR_SCORES: Final = ("rmse", "mae", "mase")
"""Errors of log returns; MASE in units of what "the price stays" was wrong by in the training part."""


def score_regressor(
    rows: ScoredRows, predicted: Floats, days: Any, draws: Resampling
) -> tuple[Skill, dict[str, Any]]:
    """Skill, and all scores with their intervals as JSON values, of ``predicted`` log returns, float64 (rows,).

    ``days`` are the rows' day numbers, which ``draws`` draws from. Directional accuracy counts rows where the
    price moved and a direction was said; the baseline's is the share of the commoner direction.
    """
    models: dict[str, Floats] = {"model": predicted, **rows.returns}
    errors = {name: _errors(values, rows) for name, values in models.items()}
    said = (rows.actual != 0) & (predicted != 0)
    right = said & (np.sign(predicted) == np.sign(rows.actual))
    columns = [np.ones(len(rows)), said.astype(float), right.astype(float)]
    for columns_of in errors.values():
        columns += columns_of
    daily = sums_by_day(days, draws.days, columns)
    total = daily.sum(axis=0)
    drawn = draws.sums(daily)

    place = {name: 3 + 3 * number for number, name in enumerate(models)}
    skill = skill_of(
        {name: total[place[name]] for name in models},
        {name: drawn[:, place[name]] for name in models},
        draws,
    )

    def interval(top: int, root: bool = False, bottom: int = 0) -> list[float] | None:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = drawn[:, top] / drawn[:, bottom]
        return draws.bounds(np.sqrt(ratio) if root else ratio)

    moved = rows.actual != 0
    rising = mean(rows.actual[moved] > 0)
    scores = {name: _scores(total, place[name]) for name in models}
    first = place["model"]
    return skill, {
        **scores["model"],
        "directional_accuracy": float(total[2] / total[1]) if total[1] else None,
        "prediction_deviation": float(predicted.std()),
        "baseline": {
            "name": skill.baseline,
            **scores[skill.baseline],
            "directional_accuracy": None if rising is None else max(rising, 1 - rising),
        },
        "baselines": {name: {**scores[name], **skill.against[name].to_json()} for name in rows.returns},
        "intervals": {
            "rmse": interval(first, root=True),
            "mae": interval(first + 1),
            "mase": interval(first + 2),
            "directional_accuracy": interval(2, bottom=1),
            "skill": skill.interval,
        },
    }


def _errors(predicted: Floats, rows: ScoredRows) -> list[Floats]:
    error = np.abs(predicted - rows.actual)
    return [error**2, error, error / rows.scale]


def _scores(total: Floats, place: int) -> Mapping[str, float]:
    squared, absolute, scaled = total[place : place + 3] / total[0]
    return {"rmse": float(np.sqrt(squared)), "mae": float(absolute), "mase": float(scaled)}
