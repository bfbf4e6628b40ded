"""All scores of all models, and the verdicts they lead to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cripto.domain.clock import rfc3339
from cripto.domain.model_name import tipo_of
from cripto.training.dataset import to_datetime
from cripto.training.scores.classifier import BINS, score_classifier
from cripto.training.scores.coverage import coverage
from cripto.training.scores.payoff import FEE, Market, payoff
from cripto.training.scores.reference import SCALE_ROWS, season_of
from cripto.training.scores.regimes import LOUDNESS_CANDLES, MARKET_DAYS
from cripto.training.scores.regressor import score_regressor
from cripto.training.scores.resampling import (
    DRAWS,
    LEVEL,
    MINIMUM_DAYS,
    Resampling,
    block_days,
    day_numbers,
    sums_by_day,
)
from cripto.training.scores.rows import ScoredRows
from cripto.training.scores.skill import Skill
from cripto.training.scores.slices import Losses, losses_of, slices
from cripto.training.verdict import Evidence, judge, rule

__all__ = ["FORMAT", "Evaluation", "evaluate"]

FORMAT: Final = 1
"""Number of the form of an evaluation's JSON; docs/evaluation.md describes it."""

_DETAILS: Final = ("reliability", "parts", "assets", "regimes", "cumulative", "ilustracao", "coverage")
_POINTS: Final = 200


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found: ``scored`` says on what, ``method`` how, ``models`` what of each, by name."""

    scored: Mapping[str, Any]
    method: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]

    def summaries(self) -> dict[str, dict[str, Any]]:
        """Each model's scores and verdict without the details: what a manifest holds."""
        return {
            name: {key: value for key, value in scores.items() if key not in _DETAILS}
            for name, scores in self.models.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The evaluation as JSON values; never NaN."""
        return {
            "format": FORMAT,
            "scored": dict(self.scored),
            "method": dict(self.method),
            "models": {name: dict(scores) for name, scores in self.models.items()},
        }


def evaluate(rows: ScoredRows, seed: int, fee: float = FEE) -> Evaluation:
    """Score every model of ``rows`` and judge it; equal arguments give equal bits."""
    day, days = day_numbers(rows.time)
    draws = Resampling(days, seed)
    scored: dict[str, dict[str, Any]] = {}
    losses: dict[str, Losses] = {}
    skills: dict[str, Skill] = {}
    for name, predicted in rows.predicted.items():
        score = score_regressor if tipo_of(name) == "regressor" else score_classifier
        skill, scores = score(rows, predicted, day, draws)
        skills[name] = skill
        losses[name] = losses_of(rows, name, skill.baseline)
        scored[name] = {"tipo": tipo_of(name), "rows": len(rows), "days": days, "skill": skill.value, **scores}
    parts = slices(rows, losses, seed)
    market = Market(rows)
    models = {}
    for name, scores in scored.items():
        strict, strictest = skills[name].strict, skills[name].strictest
        verdict, reason = judge(
            Evidence(
                skill=scores["skill"],
                baseline=scores["baseline"]["name"],
                low=None if strict is None else strict[0],
                lowest=None if strictest is None else strictest[0],
                days=days,
                parts=[part["skill"] for part in parts[name]["parts"]],
                spread=scores["prediction_deviation"] if scores["tipo"] == "classifier" else None,
            )
        )
        models[name] = {
            **scores,
            "verdict_interval": strict,
            "skill_verdict_interval": strictest,
            "parts_positive": sum((part["skill"] or 0.0) > 0 for part in parts[name]["parts"]),
            "verdict": verdict,
            "reason": reason,
            **parts[name],
            "cumulative": _cumulative(rows, losses[name]),
            "ilustracao": payoff(rows, name, market, draws, fee),
            "coverage": coverage(rows, name, seed),
        }
    return Evaluation(_scored(rows, days), _method(rows, draws, seed, fee), models)


def _scored(rows: ScoredRows, days: int) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "days": days,
        "assets": rows.symbol.n_unique(),
        "parts": rows.parts,
        "first": rfc3339(to_datetime(rows.time[0])),
        "last": rfc3339(to_datetime(rows.time[-1])),
        "without_season": rows.unseasonal,
    }


def _method(rows: ScoredRows, draws: Resampling, seed: int, fee: float) -> dict[str, Any]:
    return {
        "bootstrap": {
            "kind": "circular blocks of UTC days",
            "block_days": block_days(draws.days),
            "draws": DRAWS,
            "level": LEVEL,
            "minimum_days": MINIMUM_DAYS,
            "seed": seed,
        },
        "season_candles": season_of(rows.interval),
        "scale_rows": SCALE_ROWS,
        "calibration_bins": BINS,
        "volatility_candles": LOUDNESS_CANDLES,
        "market_days": MARKET_DAYS,
        "fee": fee,
        "verdict": rule(),
    }


def _cumulative(rows: ScoredRows, losses: Losses) -> list[list[Any]]:
    """``[day, skill so far]``: what each day added to the skill on all rows, summed up; 200 points at most."""
    total = float(losses.baseline.sum())
    if not total > 0:
        return []
    day, days = day_numbers(rows.time)
    gained = np.cumsum(sums_by_day(day, days, [losses.baseline - losses.model])[:, 0]) / total
    dates = np.unique(rows.time.astype("datetime64[D]"))
    shown = np.unique(np.linspace(0, days - 1, num=min(days, _POINTS)).astype(np.intp))
    return [[str(dates[place]), float(gained[place])] for place in shown]
