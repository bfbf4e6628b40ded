from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.errors import InvalidInput
from cripto.features import build_features, check_spec, default_spec, latest_features, spec_of
from cripto.features.builder import LIMIT
from tests.doubles.candles import DAILY, random_walk

SPEC = default_spec()


def test_one_row_per_candle_with_the_columns_of_the_spec() -> None:
    candles = random_walk(["BTC", "ADA"], 70)
    features = build_features(candles, SPEC, DAILY)
    assert features.columns == ["symbol", "time", *SPEC.names]
    assert features.select("symbol", "time").equals(candles.select("symbol", "time"))
    assert set(features.schema.values()) == {pl.String(), pl.Datetime("us", "UTC"), pl.Float64()}


@pytest.mark.parametrize("build", [build_features, latest_features])
def test_no_candles_give_an_empty_table_with_the_same_schema(build: object) -> None:
    candles = random_walk(["BTC"], 61)
    assert callable(build)
    empty = build(candles.clear(), SPEC, DAILY)
    assert empty.is_empty()
    assert empty.schema == build(candles, SPEC, DAILY).schema


@pytest.mark.parametrize(("count", "complete"), [(1, 0), (60, 0), (61, 1), (62, 2)])
def test_features_begin_where_the_lookback_is_there(count: int, complete: int) -> None:
    features = build_features(random_walk(["BTC"], count), SPEC, DAILY)
    assert len(features) == count
    assert len(features.drop_nulls()) == complete
    assert features.drop_nulls().equals(features.tail(complete))


def test_an_incomplete_row_is_null_in_every_feature_the_calendar_included() -> None:
    row = build_features(random_walk(["BTC"], 60), SPEC, DAILY).tail(1).select(SPEC.names)
    assert sum(row.null_count().row(0)) == len(SPEC.names)


def test_a_short_lookback_needs_no_more_candles_than_it_says() -> None:
    spec = spec_of([Feature("body"), Feature("weekday_sin")])
    assert build_features(random_walk(["BTC"], 3), spec, DAILY).null_count().row(0) == (0, 0, 0, 0)


def test_the_latest_rows_of_some_short_and_some_long_histories() -> None:
    candles = pl.concat([random_walk(["ADA"], 10), random_walk(["BTC"], 300)])
    latest = latest_features(candles, SPEC, DAILY)
    assert latest["symbol"].to_list() == ["ADA", "BTC"]
    assert latest["return_1"].is_null().to_list() == [True, False]


def test_candles_are_left_as_they_were() -> None:
    candles = random_walk(["BTC"], 80)
    before = candles.clone()
    build_features(candles, SPEC, DAILY)
    assert candles.equals(before)


def test_features_far_from_zero_stop_at_the_limit() -> None:
    spec = spec_of([Feature("atr", (2,))])
    prices = pl.when(pl.int_range(pl.len()) < 9).then(1e9).otherwise(1e-3)
    candles = random_walk(["BTC"], 10).with_columns(
        prices.alias(name) for name in ("open", "high", "low", "close")
    )
    assert build_features(candles, spec, DAILY)["atr_2"][-1] == LIMIT


def test_values_are_rounded_to_float32() -> None:
    values = build_features(random_walk(["BTC"], 61), SPEC, DAILY).tail(1).select(SPEC.names).to_numpy()
    assert (values == values.astype(np.float32)).all()


@pytest.mark.parametrize("build", [build_features, latest_features])
def test_a_spec_the_builder_does_not_know_is_refused_before_any_work(build: object) -> None:
    assert callable(build)
    with pytest.raises(InvalidInput, match="version 99"):
        build(pl.DataFrame(), FeatureSpec(99, 61, SPEC.features), DAILY)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (FeatureSpec(2, 61, SPEC.features), "formulas of version 2"),
        (FeatureSpec(1, 62, SPEC.features), "lookback of 62 candles and needs 61"),
        (FeatureSpec(1, 60, SPEC.features), "lookback of 60 candles and needs 61"),
        (FeatureSpec(1, 5, (Feature("horoscope"),)), "unknown kind of feature 'horoscope'"),
        (FeatureSpec(1, 5, (Feature("return"),)), "has 0 parameters, return takes 1"),
        (FeatureSpec(1, 5, (Feature("return", (0,)),)), "return_0 is not within 1 to 100"),
        (FeatureSpec(1, 5, (Feature("return", (-3,)),)), "not within"),
        (FeatureSpec(1, 5, (Feature("volatility", (101,)),)), "not within"),
        (FeatureSpec(1, 1, (Feature("bollinger_width", (1,)),)), "not within 2"),
    ],
)
def test_check_spec_says_what_it_does_not_know(spec: FeatureSpec, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        check_spec(spec)


def test_the_default_spec_is_known_and_survives_its_manifest() -> None:
    check_spec(SPEC)
    check_spec(FeatureSpec.from_json(SPEC.to_json()))


def test_the_close_and_not_the_open_dates_a_candle() -> None:
    spec = spec_of([Feature("weekday_sin"), Feature("weekday_cos"), Feature("hour_sin")])
    sunday = datetime(2024, 1, 7, tzinfo=UTC)
    row = build_features(random_walk(["BTC"], 1, start=sunday), spec, DAILY)
    assert row.row(0)[2:] == (0.0, 1.0, 0.0)  # it closes on Monday, at midnight
