import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cripto.training.evaluation import (
    MINIMUM_DAYS,
    NO_SKILL,
    SOME_EVIDENCE,
    area_under_curve,
    evaluate_classifier,
    evaluate_regressor,
    log_loss,
)


def days(count: int, each: int = 1) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.repeat(np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(1, "D"), each)


def test_regressor_scores_are_those_computed_by_hand() -> None:
    scores = evaluate_regressor(np.array([0.1, -0.1, 0.0, 0.2]), np.array([0.2, 0.1, -0.1, 0.0]), days(4))
    assert scores["rmse"] == pytest.approx(math.sqrt((0.01 + 0.04 + 0.01 + 0.04) / 4))
    assert scores["mae"] == pytest.approx((0.1 + 0.2 + 0.1 + 0.2) / 4)
    assert scores["baseline"] == {
        "name": "last_price",
        "rmse": pytest.approx(math.sqrt((0.04 + 0.01 + 0.01) / 4)),
        "mae": pytest.approx(0.1),
        "directional_accuracy": pytest.approx(2 / 3),
    }
    assert scores["skill"] == pytest.approx(1 - 0.10 / 0.06)
    assert scores["directional_accuracy"] == 0.5  # of the two rows that moved and were called
    assert scores["rows"] == 4


def test_classifier_scores_are_those_computed_by_hand() -> None:
    scores = evaluate_classifier(np.array([0.9, 0.4, 0.6]), np.array([True, False, False]), 0.5, days(3))
    assert scores["brier"] == pytest.approx((0.01 + 0.16 + 0.36) / 3)
    assert scores["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.6) + math.log(0.4)) / 3)
    assert scores["auc"] == 1.0
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["baseline"]["brier"] == pytest.approx(0.25)
    assert scores["baseline"]["log_loss"] == pytest.approx(math.log(2))
    assert scores["baseline"]["accuracy"] == pytest.approx(2 / 3)  # 0.5 is not above 0.5: it never says rise
    assert scores["skill"] == pytest.approx(1 - 0.53 / 0.75)


def test_area_under_the_curve_counts_ties_half() -> None:
    assert area_under_curve(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, True, False, True])) == 3.5 / 4


def test_area_under_the_curve_needs_both_classes() -> None:
    assert area_under_curve(np.array([0.1, 0.5]), np.array([True, True])) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({rose for _, rose in rows}) == 2
    )
)
def test_area_under_the_curve_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    ups = [score for score, rose in rows if rose]
    downs = [score for score, rose in rows if not rose]
    pairs = [1.0 if up > down else 0.5 if up == down else 0.0 for up in ups for down in downs]
    found = area_under_curve(np.array([float(score) for score, _ in rows]), np.array([rose for _, rose in rows]))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    assert 30 < log_loss(np.array([1.0]), np.array([False])) < 40


def test_steady_advantage_counts_as_evidence() -> None:
    random = np.random.default_rng(0)
    actual = random.normal(0, 0.03, 400)
    scores = evaluate_regressor(actual * 0.5, actual, days(100, 4))
    assert scores["verdict"] == SOME_EVIDENCE
    assert scores["reason"] is None
    assert scores["days"] == 100
    assert scores["skill"] == pytest.approx(0.75)


def test_advantage_within_noise_is_no_skill() -> None:
    actual = np.resize([0.01, -0.01], 100)
    right = np.arange(100) % 20 < 13
    scores = evaluate_regressor(np.where(right, actual, -actual) / 2, actual, days(100))
    assert scores["skill"] > 0
    assert scores["verdict"] == NO_SKILL
    assert "within 3 standard errors" in scores["reason"]


def test_worse_than_the_baseline_is_no_skill() -> None:
    scores = evaluate_regressor(np.full(100, 0.1), np.resize([-0.1, 0.05], 100), days(100))
    assert scores["skill"] < 0
    assert (scores["verdict"], scores["reason"]) == (NO_SKILL, "not better than the baseline")


def test_few_days_are_no_evidence_however_good() -> None:
    actual = np.random.default_rng(0).normal(0, 0.03, 1000)
    scores = evaluate_regressor(actual, actual, days(MINIMUM_DAYS - 1, 1000)[:1000])
    assert scores["verdict"] == NO_SKILL
    assert f"{MINIMUM_DAYS} are needed" in scores["reason"]


def test_assets_that_move_together_are_one_observation_a_day() -> None:
    random = np.random.default_rng(1)
    actual = random.normal(0, 0.03, 100)
    predicted = 0.2 * actual + random.normal(0, 0.012, 100)
    alone = evaluate_regressor(predicted, actual, days(100))
    together = evaluate_regressor(np.repeat(predicted, 50), np.repeat(actual, 50), days(100, 50))
    assert together["standard_errors"] == pytest.approx(alone["standard_errors"])


def test_hours_of_one_day_are_one_observation() -> None:
    hours = np.datetime64("2024-01-01", "us") + np.arange(48) * np.timedelta64(1, "h")
    actual = np.linspace(-0.01, 0.01, 48)
    assert evaluate_regressor(actual / 2, actual, hours)["days"] == 2


@pytest.mark.parametrize("value", [0.0, 0.01])
def test_prices_that_never_move_have_no_skill_and_no_nan(value: float) -> None:
    scores = evaluate_regressor(np.full(50, value), np.zeros(50), days(50))
    assert scores["skill"] is None
    assert scores["directional_accuracy"] is None
    assert scores["baseline"]["directional_accuracy"] is None
    assert scores["verdict"] == NO_SKILL
    assert "no price moved" in scores["reason"]
    json.dumps(scores, allow_nan=False)


def test_model_that_says_zero_ties_with_the_baseline() -> None:
    scores = evaluate_regressor(np.zeros(50), np.resize([0.01, -0.01], 50), days(50))
    assert scores["skill"] == 0
    assert scores["directional_accuracy"] is None
    assert scores["standard_errors"] is None
    assert scores["verdict"] == NO_SKILL
    json.dumps(scores, allow_nan=False)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_one_class_hold_out_has_null_auc_and_no_nan(probability: float) -> None:
    scores = evaluate_classifier(np.full(50, probability), np.ones(50, dtype=bool), 0.5, days(50))
    assert scores["auc"] is None
    json.dumps(scores, allow_nan=False)


def test_base_rate_of_the_training_part_is_the_baseline() -> None:
    scores = evaluate_classifier(np.full(2, 0.6), np.array([True, False]), 0.6, days(2))
    assert scores["baseline"]["probability"] == 0.6
    assert scores["skill"] == 0
