"""The evaluation's own leak check: that it passes what is sound, and catches what is planted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.errors import TrainingRefused
from cripto.features import build_features, default_spec
from cripto.market.sample import sample_candles
from cripto.training.leaks import AUC_LIMIT, SKILL_LIMIT, Builder, look_ahead, refuse_miracles
from cripto.training.scores import evaluate
from tests.doubles.candles import DAILY, random_walk
from tests.unit.training.scores.toys import days, scored

SPEC = default_spec()
FEATURE = SPEC.names[7]


@pytest.fixture(scope="module", params=["a random walk", "the sample"])
def candles(request: pytest.FixtureRequest) -> pl.DataFrame:
    if request.param == "the sample":
        return sample_candles()
    return random_walk(["ADA", "BTC", "ETH"], 200)


def planted(extra: Callable[[pl.DataFrame], pl.DataFrame], blend: float = 1.0) -> Builder:
    """The builder, with ``extra``'s column ``peek`` (by symbol and time) added to a feature where it is known."""

    def build(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
        peek = extra(candles.sort("symbol", "time")).select("symbol", "time", "peek")
        return (
            build_features(candles, spec, interval)
            .join(peek, on=["symbol", "time"], how="left", maintain_order="left")
            .with_columns(pl.col(FEATURE) + blend * pl.col("peek").fill_null(0.0))
            .drop("peek")
        )

    return build


def _shifted(candles: pl.DataFrame, count: int) -> pl.DataFrame:
    return candles.with_columns(peek=pl.col("close").shift(-count).over("symbol") / pl.col("close") - 1)


def _standardised(candles: pl.DataFrame) -> pl.DataFrame:
    return candles.with_columns(peek=pl.col("close") / pl.col("close").mean().over("symbol"))


def _neighbours(candles: pl.DataFrame) -> pl.DataFrame:
    # rows of all coins in one column: the last row of a coin sees the first of the next
    return candles.with_columns(peek=pl.col("close").shift(-1) / pl.col("close") - 1)


def test_the_real_builder_passes_and_the_proof_says_what_was_compared(candles: pl.DataFrame) -> None:
    proof = look_ahead(candles, SPEC, DAILY, cuts=3, seed=1)
    assert len(proof.cuts) == 3
    assert proof.assets == 3
    assert proof.rows > 300
    assert proof.features == len(SPEC.names)
    assert len(proof.to_json()["cuts"]) == 3


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(lambda table: _shifted(table, 1), id="one candle ahead"),
        pytest.param(lambda table: _shifted(table, 3), id="three candles ahead"),
        pytest.param(_standardised, id="scaled by what the whole series holds"),
        pytest.param(_neighbours, id="shifted over the borders of coins"),
    ],
)
def test_planted_leak_is_caught_and_the_feature_named(candles: pl.DataFrame, leak: Any) -> None:
    with pytest.raises(TrainingRefused, match=f"^{FEATURE} of candles up to .* change with candles after it"):
        look_ahead(candles, SPEC, DAILY, planted(leak), cuts=3, seed=1)


def test_leak_is_caught_however_small_it_is() -> None:
    build = planted(lambda table: _shifted(table, 1), blend=1e-12)
    with pytest.raises(TrainingRefused, match=FEATURE):
        look_ahead(random_walk(["BTC"], 200), SPEC, DAILY, build, cuts=2)


def test_leak_that_hides_where_the_next_candle_is_missing_is_caught_by_changing_it() -> None:
    """It peeks only at candles that are there; the last row of what it is given is always honest."""

    def build(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
        table = planted(lambda rows: _shifted(rows, 1))(candles, spec, interval)
        last = pl.col("time") >= candles["time"].max()
        honest = build_features(candles, spec, interval)
        return table.with_columns(pl.when(last).then(honest[FEATURE]).otherwise(pl.col(FEATURE)))

    with pytest.raises(TrainingRefused, match=FEATURE):
        look_ahead(random_walk(["BTC"], 200), SPEC, DAILY, build, cuts=2)


def test_rows_that_come_with_later_candles_are_a_leak_too() -> None:
    def build(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
        return build_features(candles, spec, interval).filter(pl.len() > 180)

    with pytest.raises(TrainingRefused, match="come and go with candles after it"):
        look_ahead(random_walk(["BTC"], 200), SPEC, DAILY, build, cuts=3, seed=2)


def test_coins_too_short_for_a_feature_leave_nothing_to_compare() -> None:
    assert look_ahead(random_walk(["NEW"], 30), SPEC, DAILY).rows == 0


def test_order_of_candles_does_not_matter() -> None:
    candles = random_walk(["BTC", "ADA"], 150)
    assert look_ahead(candles.reverse(), SPEC, DAILY, cuts=2) == look_ahead(candles, SPEC, DAILY, cuts=2)


def test_the_law_holds_on_real_daily_candles_and_a_leak_in_them_is_caught(daily_file: Path) -> None:
    candles = pl.read_parquet(daily_file)
    assert look_ahead(candles, SPEC, DAILY, cuts=2).assets == 12
    with pytest.raises(TrainingRefused, match=FEATURE):
        look_ahead(candles, SPEC, DAILY, planted(lambda table: _shifted(table, 1)), cuts=1)


def test_scores_that_only_the_future_explains_are_refused() -> None:
    actual = np.random.default_rng(0).normal(0, 0.03, 2000)
    regressor = evaluate(scored(actual, {"regressor_lin": actual * 0.3}, days(400, 5)), 0)
    with pytest.raises(TrainingRefused, match=r"regressor_lin scores too well to be true: skill 0\.51"):
        refuse_miracles(regressor.models)
    hardly = np.where(actual > 0, 0.505, 0.495)
    classifier = evaluate(scored(actual, {"classifier_log": hardly}, days(400, 5)), 0)
    with pytest.raises(TrainingRefused, match=r"classifier_log scores too well to be true: AUC 1\.000"):
        refuse_miracles(classifier.models)


def test_scores_that_somebody_might_have_are_not_refused() -> None:
    random = np.random.default_rng(1)
    actual = random.normal(0, 0.03, 5000)
    known = 0.05 * actual + random.normal(0, 0.03, 5000) * np.sqrt(0.05 * 0.95)
    found = evaluate(scored(actual, {"regressor_lin": known}, days(1000, 5)), 0).models
    assert 0.03 < found["regressor_lin"]["skill"] < SKILL_LIMIT
    refuse_miracles(found)


def test_short_lucky_test_is_not_refused() -> None:
    actual = np.random.default_rng(1).normal(0, 0.03, 20)
    found = evaluate(
        scored(actual, {"regressor_lin": actual, "classifier_log": np.where(actual > 0, 0.9, 0.1)}), 0
    )
    assert found.models["classifier_log"]["auc"] > AUC_LIMIT
    refuse_miracles(found.models)
