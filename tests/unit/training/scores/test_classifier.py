import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cripto.training.scores import ScoredRows
from cripto.training.scores.classifier import (
    BINS,
    area_under_curve,
    equal_mass_bins,
    log_losses,
    score_classifier,
)
from cripto.training.scores.resampling import Resampling, day_numbers
from cripto.training.scores.skill import Skill
from tests.unit.training.scores.toys import days, scored


def score(rows: ScoredRows) -> tuple[Skill, dict[str, object]]:
    day, count = day_numbers(rows.time)
    return score_classifier(rows, rows.predicted["classifier_log"], day, Resampling(count, 0))


def test_scores_are_those_computed_by_hand() -> None:
    skill, scores = score(scored([0.1, -0.1, 0.0], {"classifier_log": [0.9, 0.4, 0.6]}, base_rate=0.6))
    assert scores["brier"] == pytest.approx((0.01 + 0.16 + 0.36) / 3)
    assert scores["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.6) + math.log(0.4)) / 3)
    assert scores["auc"] == 1.0
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["ece"] == pytest.approx((0.1 + 0.4 + 0.6) / 3)  # each row is a bin of its own
    assert skill.baseline == "coin"  # 0.75 against 0.16 + 0.36 + 0.36
    assert skill.value == pytest.approx(1 - 0.53 / 0.75)
    assert scores["baseline"] == {
        "name": "coin",
        "probability": 0.5,
        "log_loss": pytest.approx(math.log(2)),
        "brier": pytest.approx(0.25),
        "auc": 0.5,
        "accuracy": pytest.approx(2 / 3),  # 0.5 is not above 0.5: it never says rise
    }
    against = scores["baselines"]
    assert isinstance(against, dict)
    assert against["base_rate"]["skill"] == pytest.approx(1 - 0.53 / 0.88)


def test_base_rate_of_the_training_part_ties_with_itself() -> None:
    _, scores = score(scored([0.1, -0.1], {"classifier_log": [0.6, 0.6]}, base_rate=0.6))
    against = scores["baselines"]
    assert isinstance(against, dict)
    assert against["base_rate"]["skill"] == 0


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
    ups = [value for value, rose in rows if rose]
    downs = [value for value, rose in rows if not rose]
    pairs = [1.0 if up > down else 0.5 if up == down else 0.0 for up in ups for down in downs]
    found = area_under_curve(np.array([float(value) for value, _ in rows]), np.array([rose for _, rose in rows]))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_interval_of_the_area_is_that_of_drawing_rows_again() -> None:
    """Against the slow way: 400 draws of whole days, the exact area of each."""
    random = np.random.default_rng(2)
    count, coins = 240, 8
    actual = random.normal(0, 0.03, count * coins)
    probability = np.clip(0.5 + 0.8 * actual + random.normal(0, 0.05, len(actual)), 0, 1)
    rows = scored(actual, {"classifier_log": probability}, days(count, coins))
    _, scores = score(rows)
    intervals = scores["intervals"]
    assert isinstance(intervals, dict)
    draws, slow = Resampling(count, 0), []
    for starts in draws._starts[:400]:
        drawn = np.concatenate([(start + np.arange(draws.block)) % count for start in starts])
        place = (drawn[:, None] * coins + np.arange(coins)).ravel()
        area = area_under_curve(probability[place], actual[place] > 0)
        assert area is not None
        slow.append(area)
    assert intervals["auc"] == pytest.approx(draws.bounds(np.array(slow)), abs=0.006)


@given(st.lists(st.integers(0, 1000).map(lambda number: number / 1000), min_size=1, max_size=200))
def test_bins_have_equal_mass_and_keep_the_order(values: list[float]) -> None:
    array = np.array(values)
    bins = equal_mass_bins(array, BINS)
    assert sorted(set(bins.tolist())) == list(range(bins.max() + 1))
    order = np.argsort(array, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    for value in set(values):
        assert len(set(bins[array == value].tolist())) == 1, "equal values share a bin"
    if len(set(values)) == len(values):
        counts = np.bincount(bins)
        assert counts.max() - counts.min() <= 1


def test_calibrated_probabilities_have_a_small_error_and_bold_ones_a_large_one() -> None:
    random = np.random.default_rng(0)
    probability = random.uniform(0.3, 0.7, 20_000)
    rose = np.where(random.uniform(size=20_000) < probability, 0.01, -0.01)
    bold = np.clip(0.5 + 2 * (probability - 0.5), 0, 1)
    errors = [
        score(scored(rose, {"classifier_log": said}, days(1000, 20)))[1]["ece"] for said in (probability, bold)
    ]
    assert errors[0] < 0.015  # type: ignore[operator]
    assert errors[1] == pytest.approx(0.1, abs=0.01)


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    assert 30 < log_losses(np.array([1.0]), np.array([False]))[0] < 40


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_rows_of_one_class_have_null_auc_and_no_nan(probability: float) -> None:
    _, scores = score(scored(np.ones(50), {"classifier_log": np.full(50, probability)}))
    assert scores["auc"] is None
    json.dumps(scores, allow_nan=False)
