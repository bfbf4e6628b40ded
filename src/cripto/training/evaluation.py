"""Scores on the hold-out, always beside those of the baseline that needs no model, and a verdict in one word.

Everything is measured on log returns and directions: pooled prices would measure how large the dearest coin is.
Skill is ``1 - loss / loss of the baseline`` (Murphy 1988), with the squared error for regressors, whose
baseline says that the price stays, and the Brier score for classifiers, whose baseline always says the share of
rises in the training part.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EVIDENCE",
    "MINIMUM_DAYS",
    "NO_SKILL",
    "SOME_EVIDENCE",
    "area_under_curve",
    "evaluate_classifier",
    "evaluate_regressor",
    "log_loss",
]

NO_SKILL: Final = "sem habilidade"
SOME_EVIDENCE: Final = "indícios"

EVIDENCE: Final = 3.0
"""Standard errors by which the mean daily advantage over the baseline must exceed zero to count as evidence.

Three, not two: five models are looked at in every release, and days are not quite independent.
"""

MINIMUM_DAYS: Final = 30
"""With fewer days in the hold-out nothing counts as evidence."""

_CERTAIN: Final = 1e-15

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


def evaluate_regressor(predicted: Floats, actual: Floats, time: Times) -> dict[str, Any]:
    """Score predicted against actual log returns of rows that opened at ``time``; JSON values, never NaN.

    Directional accuracy counts rows where the price moved and the model said a direction; it is null where
    there are none. The baseline's is the share of the commoner direction: what always saying it would score.
    """
    loss, baseline = (predicted - actual) ** 2, actual**2
    moved = actual != 0
    said = moved & (predicted != 0)
    rising = _mean(actual[moved] > 0)
    return {
        "tipo": "regressor",
        "rows": len(actual),
        "rmse": float(np.sqrt(loss.mean())),
        "mae": float(np.abs(predicted - actual).mean()),
        "directional_accuracy": _mean(np.sign(predicted[said]) == np.sign(actual[said])),
        "prediction_deviation": float(predicted.std()),
        "baseline": {
            "name": "last_price",
            "rmse": float(np.sqrt(baseline.mean())),
            "mae": float(np.abs(actual).mean()),
            "directional_accuracy": None if rising is None else max(rising, 1 - rising),
        },
        **_skill(loss, baseline, time),
    }


def evaluate_classifier(
    probability: Floats, rose: NDArray[np.bool_], base_rate: float, time: Times
) -> dict[str, Any]:
    """Score probabilities of a rise against whether it came; JSON values, never NaN.

    ``base_rate`` is the share of rises in the training part, all that the baseline knows. AUC is null where the
    hold-out holds one class only.
    """
    constant = np.full(len(rose), base_rate, dtype=np.float64)
    loss, baseline = (probability - rose) ** 2, (constant - rose) ** 2
    return {
        "tipo": "classifier",
        "rows": len(rose),
        "log_loss": log_loss(probability, rose),
        "brier": float(loss.mean()),
        "auc": area_under_curve(probability, rose),
        "accuracy": _mean((probability > 0.5) == rose),
        "prediction_deviation": float(probability.std()),
        "baseline": {
            "name": "base_rate",
            "probability": float(base_rate),
            "log_loss": log_loss(constant, rose),
            "brier": float(baseline.mean()),
            "auc": 0.5,
            "accuracy": _mean((constant > 0.5) == rose),
        },
        **_skill(loss, baseline, time),
    }


def log_loss(probability: Floats, rose: NDArray[np.bool_]) -> float:
    """Mean negative log likelihood, in nats; certainty is taken as 1e-15 short of it, so the value is finite."""
    clipped = np.clip(probability, _CERTAIN, 1 - _CERTAIN)
    return float(-np.where(rose, np.log(clipped), np.log1p(-clipped)).mean())


def area_under_curve(score: Floats, rose: NDArray[np.bool_]) -> float | None:
    """P(a row that rose is scored above one that did not), ties count half (Mann-Whitney); null with one class."""
    positives = int(rose.sum())
    negatives = len(rose) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[rose].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _skill(loss: Floats, baseline: Floats, time: Times) -> dict[str, Any]:
    """Skill, its evidence and the verdict.

    Coins move together, so a day of all assets is one observation: the advantage over the baseline is summed by
    UTC day, and the verdict is `SOME_EVIDENCE` only where skill is positive and the mean daily advantage lies
    `EVIDENCE` standard errors above zero. ``reason`` says what was wanting.
    """
    total = float(baseline.sum())
    skill = 1 - float(loss.sum()) / total if total > 0 else None
    _, day = np.unique(time.astype("datetime64[D]"), return_inverse=True)
    advantage = np.bincount(day, weights=baseline - loss)
    days = len(advantage)
    spread = float(advantage.std(ddof=1)) if days > 1 else 0.0
    errors = float(advantage.mean()) / (spread / np.sqrt(days)) if spread > 0 else None
    if skill is None:
        reason = "the baseline makes no error at all: no price moved"
    elif skill <= 0:
        reason = "not better than the baseline"
    elif days < MINIMUM_DAYS:
        reason = f"{days} days in the hold-out; {MINIMUM_DAYS} are needed"
    elif errors is None or errors < EVIDENCE:
        reason = f"the advantage over the baseline is within {EVIDENCE:g} standard errors of zero"
    else:
        reason = None
    return {
        "skill": skill,
        "standard_errors": None if errors is None else float(errors),
        "days": days,
        "verdict": SOME_EVIDENCE if reason is None else NO_SKILL,
        "reason": reason,
    }


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
