import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.errors import ModelRefused
from cripto.training.scores import ScoredRows, evaluate
from cripto.training.scores.payoff import Market, payoff
from cripto.training.scores.resampling import Resampling
from cripto.training.scores.slices import losses_of, slices
from cripto.training.verdict import NO_SKILL, SKILL, SOME_EVIDENCE
from tests.unit.training.scores.toys import days, returns_like_coins, scored

MODELS = ("regressor_rf", "regressor_gbr", "regressor_lin", "classifier_rf", "classifier_log")


def knowing(actual: np.ndarray[Any, Any], share: float, random: np.random.Generator) -> np.ndarray[Any, Any]:
    """The best forecast of returns of which ``share`` of the variance is known."""
    noise = random.normal(0, 1, actual.shape) * actual.std() * np.sqrt(share * (1 - share))
    known: np.ndarray[Any, Any] = share * actual + noise
    return known


def test_steady_knowledge_is_skill_and_every_figure_has_its_interval() -> None:
    random = np.random.default_rng(0)
    actual = random.normal(0, 0.03, (500, 8))
    predicted = knowing(actual, 0.05, random).ravel()
    chance = np.clip(0.5 + 4 * predicted, 0, 1)
    rows = scored(actual.ravel(), {"regressor_lin": predicted, "classifier_log": chance}, days(500, 8))
    models = evaluate(rows, 1).models
    assert {name: scores["verdict"] for name, scores in models.items()} == {
        "regressor_lin": SKILL,
        "classifier_log": SKILL,
    }
    for scores in models.values():
        assert scores["reason"] is None
        for name, interval in scores["intervals"].items():
            assert interval[0] <= scores[name] <= interval[1] or name == "ece"
        for entry in (*scores["parts"], *scores["assets"].values(), *scores["regimes"].values()):
            assert entry["few"] or entry["rows"] == 0 or entry["skill_interval"][0] < entry["skill"]


def test_knowledge_of_half_a_year_is_evidence_only() -> None:
    random = np.random.default_rng(0)
    actual = random.normal(0, 0.03, (180, 8))
    rows = scored(actual.ravel(), {"regressor_lin": knowing(actual, 0.06, random).ravel()}, days(180, 8))
    scores = evaluate(rows, 1).models["regressor_lin"]
    assert scores["verdict"] == SOME_EVIDENCE
    assert "180 days" in scores["reason"]


def test_knowledge_that_has_gone_is_not_called_skill() -> None:
    random = np.random.default_rng(0)
    actual = random.normal(0, 0.03, (500, 8))
    predicted = knowing(actual, 0.06, random)
    predicted[400:] = random.normal(0, 0.006, (100, 8))
    scores = evaluate(scored(actual.ravel(), {"regressor_lin": predicted.ravel()}, days(500, 8)), 1).models
    assert scores["regressor_lin"]["verdict"] == SOME_EVIDENCE
    assert "newest part" in scores["regressor_lin"]["reason"]


def test_constant_chance_is_no_skill_even_where_it_beats_a_base_rate_that_has_moved() -> None:
    actual = np.where(np.random.default_rng(0).uniform(size=2000) < 0.6, 0.01, -0.01)
    rows = scored(actual, {"classifier_log": np.full(2000, 0.6)}, days(500, 4), base_rate=0.45)
    scores = evaluate(rows, 1).models["classifier_log"]
    assert scores["skill"] > 0.03
    assert scores["verdict_interval"][0] > 0
    assert scores["verdict"] == NO_SKILL
    assert "hardly differ" in scores["reason"]


def test_drift_of_a_bull_market_is_not_taken_for_knowledge() -> None:
    actual = np.random.default_rng(0).normal(0.01, 0.03, 2000)
    rows = scored(actual, {"regressor_lin": np.full(2000, 0.01)}, days(500, 4), drift=0.0101)
    scores = evaluate(rows, 1).models["regressor_lin"]
    assert scores["baselines"]["last_price"]["skill_interval"][0] > 0
    assert scores["verdict"] == NO_SKILL


def test_few_days_are_no_evidence_however_good() -> None:
    actual = np.random.default_rng(0).normal(0, 0.03, 800)
    scores = evaluate(scored(actual, {"regressor_lin": actual}, days(80, 10)), 0).models["regressor_lin"]
    assert scores["skill"] == 1.0
    assert scores["verdict"] == NO_SKILL


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
def test_hardly_any_row_is_scored_without_nan_and_without_evidence(rows: int) -> None:
    actual = np.resize([0.01, -0.02, 0.0], rows)
    models = {name: np.full(rows, 0.4) for name in MODELS}
    evaluation = evaluate(scored(actual, models), 0)
    json.dumps(evaluation.to_json(), allow_nan=False)
    assert {scores["verdict"] for scores in evaluation.models.values()} == {NO_SKILL}


def test_constant_prices_are_scored_without_nan_and_without_evidence() -> None:
    evaluation = evaluate(scored(np.zeros(600), {name: np.full(600, 0.4) for name in MODELS}, days(200, 3)), 0)
    json.dumps(evaluation.to_json(), allow_nan=False)
    assert {scores["verdict"] for scores in evaluation.models.values()} == {NO_SKILL}


@pytest.mark.parametrize(
    ("name", "value"), [("regressor_lin", np.nan), ("regressor_lin", np.inf), ("classifier_rf", 1.001)]
)
def test_model_that_says_no_number_or_no_probability_is_refused(name: str, value: float) -> None:
    with pytest.raises(ModelRefused, match="1 of 40 rows"):
        scored(np.zeros(40), {name: np.append(np.zeros(39), value)})


def _like_coins(seed: int, count: int) -> ScoredRows:
    random = np.random.default_rng(seed)
    actual = returns_like_coins(random, count, 8)
    chance = 0.5 + 0.012 * random.normal(size=(2, count * 8))
    small = 0.02 * random.normal(size=(3, count * 8)) * 0.03
    said = dict(zip(MODELS, [*small, *chance], strict=True))
    return scored(actual.ravel(), said, days(count, 8))


@pytest.mark.parametrize("count", [100, pytest.param(400, marks=pytest.mark.slow)])
def test_luck_is_hardly_ever_taken_for_evidence(count: int) -> None:
    """Five models that know nothing and dare little, so that each is better than its baseline half of the time."""
    worlds = 20 if count == 100 else 300
    found = [
        scores["verdict"]
        for seed in range(worlds)
        for scores in evaluate(_like_coins(seed, count), seed).models.values()
    ]
    assert sum(word != NO_SKILL for word in found) <= 0.01 * len(found)


def test_equal_rows_and_seed_give_equal_figures() -> None:
    one, two = (json.dumps(evaluate(_like_coins(3, 100), 5).to_json()) for _ in range(2))
    assert one == two


def test_slices_share_the_rows_out_and_small_ones_are_marked() -> None:
    rows = _like_coins(0, 100)
    symbol = pl.Series(["NEW" if place < 20 else "OLD" for place in range(len(rows))])
    rows = scored(rows.actual, rows.predicted, rows.time, symbol=symbol, loud=np.arange(len(rows)) % 4 - 1)
    losses = {name: losses_of(rows, name, "last_price" if "reg" in name else "coin") for name in MODELS}
    for found in slices(rows, losses, 0).values():
        assert sum(part["rows"] for part in found["parts"]) == len(rows)
        assert found["assets"]["NEW"] == {
            **found["assets"]["NEW"],
            "rows": 20,
            "few": True,
            "skill_interval": None,
        }
        assert not found["assets"]["OLD"]["few"]
        assert [found["regimes"][f"volatility: {label}"]["rows"] for label in ("calm", "middling", "loud")] == [
            200
        ] * 3
        assert found["regimes"]["year: 2024"]["rows"] == len(rows)
        assert found["regimes"]["market: rising"] == {
            **found["regimes"]["market: rising"],
            "rows": 0,
            "skill": None,
            "skill_interval": None,
        }


def test_skill_so_far_ends_at_the_skill_of_all() -> None:
    for scores in evaluate(_like_coins(0, 400), 0).models.values():
        assert len(scores["cumulative"]) == 200
        assert scores["cumulative"][-1][1] == pytest.approx(scores["skill"])


def _payoff(actual: list[float], said: list[float], fee: float, **changed: Any) -> dict[str, Any]:
    rows = scored(actual, {"regressor_lin": said}, **changed)
    return payoff(rows, "regressor_lin", Market(rows), Resampling(len(set(rows.time)), 0), fee)


def test_payoff_is_that_computed_by_hand() -> None:
    found = _payoff([0.1, -0.2, 0.3, 0.1], [1.0, -1.0, 1.0, 1.0], 0.01)
    up = [np.expm1(move) for move in (0.1, 0.3, 0.1)]
    # bought for the first day and sold for the second; bought for the third, held, sold after the last
    expected = (1 + up[0] - 0.01) * (1 - 0.01) * (1 + up[1] - 0.01) * (1 + up[2] - 0.01)
    assert found["total"] == pytest.approx(expected - 1)
    assert found["long"] == 0.75
    hold = (1 + up[0] - 0.01) * np.exp(-0.2) * np.exp(0.3) * (1 + up[2] - 0.01)
    assert found["hold_total"] == pytest.approx(hold - 1)
    assert found["illustration"] is True
    assert found["daily_interval"] is None


def test_payoff_of_several_coins_is_that_of_equal_shares() -> None:
    found = _payoff([0.1, -0.1, 0.2, 0.2], [1.0] * 4, 0.0, time=days(2, 2))
    expected = (1 + (np.expm1(0.1) + np.expm1(-0.1)) / 2) * np.exp(0.2)
    assert found["total"] == found["hold_total"] == pytest.approx(expected - 1)


def test_gap_is_sold_before_and_bought_after() -> None:
    time = days(5)[[0, 1, 3, 4]]
    found = _payoff([0.0] * 4, [1.0] * 4, 0.01, time=time)
    assert found["total"] == pytest.approx(0.99**4 - 1)


def test_deepest_fall_is_measured_from_the_peak_before() -> None:
    assert _payoff([0.5, -0.4, 0.1, -0.3], [1.0] * 4, 0.0)["drawdown"] == pytest.approx(-np.expm1(-0.6))


def test_ruin_leaves_numbers() -> None:
    found = _payoff([-50.0, 0.1], [1.0, 1.0], 0.5)
    assert -1 <= found["total"] < -0.99
