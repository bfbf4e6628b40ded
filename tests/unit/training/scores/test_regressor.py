import json
import math

import numpy as np
import pytest

from cripto.training.scores import ScoredRows
from cripto.training.scores.regressor import score_regressor
from cripto.training.scores.resampling import Resampling, day_numbers
from cripto.training.scores.skill import Skill
from tests.unit.training.scores.toys import days, scored


def score(rows: ScoredRows, name: str = "regressor_lin") -> tuple[Skill, dict[str, object]]:
    day, count = day_numbers(rows.time)
    return score_regressor(rows, rows.predicted[name], day, Resampling(count, 0))


def test_scores_are_those_computed_by_hand() -> None:
    rows = scored([0.2, 0.1, -0.1, 0.0], {"regressor_lin": [0.1, -0.1, 0.0, 0.2]}, drift=0.05, scale=0.5)
    skill, scores = score(rows)
    assert scores["rmse"] == pytest.approx(math.sqrt((0.01 + 0.04 + 0.01 + 0.04) / 4))
    assert scores["mae"] == pytest.approx((0.1 + 0.2 + 0.1 + 0.2) / 4)
    assert scores["mase"] == pytest.approx((0.1 + 0.2 + 0.1 + 0.2) / 4 / 0.5)
    assert scores["directional_accuracy"] == 0.5  # of the two rows that moved and were called
    assert skill.baseline == "drift"  # 0.0225 + 0.0025 + 0.0225 + 0.0025 against 0.04 + 0.01 + 0.01
    assert skill.value == pytest.approx(1 - 0.10 / 0.05)
    assert scores["baseline"] == {
        "name": "drift",
        "rmse": pytest.approx(math.sqrt(0.05 / 4)),
        "mae": pytest.approx((0.15 + 0.05 + 0.15 + 0.05) / 4),
        "mase": pytest.approx((0.15 + 0.05 + 0.15 + 0.05) / 4 / 0.5),
        "directional_accuracy": pytest.approx(2 / 3),
    }
    against = scores["baselines"]
    assert isinstance(against, dict)
    assert against["last_price"]["skill"] == pytest.approx(1 - 0.10 / 0.06)


def test_each_figure_has_an_interval_around_it() -> None:
    random = np.random.default_rng(0)
    actual = random.normal(0, 0.03, 1200)
    rows = scored(actual, {"regressor_lin": actual * 0.3 + random.normal(0, 0.01, 1200)}, days(300, 4))
    skill, scores = score(rows)
    intervals = scores["intervals"]
    assert isinstance(intervals, dict)
    assert set(intervals) == {"rmse", "mae", "mase", "directional_accuracy", "skill"}
    for name, (low, high) in intervals.items():
        value = skill.value if name == "skill" else scores[name]
        assert isinstance(value, float)
        assert low < value < high
    assert skill.strict is not None
    assert skill.interval is not None
    assert skill.strict[0] < skill.interval[0], "the verdict's interval is the wider one"


def test_few_days_have_figures_without_intervals() -> None:
    _, scores = score(scored(np.linspace(-0.01, 0.01, 20), {"regressor_lin": np.zeros(20)}))
    intervals = scores["intervals"]
    assert isinstance(intervals, dict)
    assert set(intervals.values()) == {None}


@pytest.mark.parametrize("value", [0.0, 0.01])
def test_prices_that_never_move_have_no_skill_and_no_nan(value: float) -> None:
    skill, scores = score(scored(np.zeros(50), {"regressor_lin": np.full(50, value)}))
    assert skill.value is None
    assert skill.interval is None
    assert scores["directional_accuracy"] is None
    json.dumps(scores, allow_nan=False)


def test_model_that_says_zero_ties_with_the_last_price() -> None:
    skill, scores = score(scored(np.resize([0.01, -0.01], 50), {"regressor_lin": np.zeros(50)}))
    assert skill.value == 0
    assert scores["directional_accuracy"] is None
    json.dumps(scores, allow_nan=False)
