"""Values worked out by hand; `tests/properties/test_feature_oracle.py` checks every kind on any candles."""

import math

import polars as pl
import pytest

from cripto.domain.feature_spec import Feature
from cripto.features import build_features, default_spec, spec_of
from tests.doubles.candles import DAILY, random_walk

SPEC = default_spec()
Row = dict[str, float]


def last_row(**columns: pl.Expr | float) -> Row:
    """Features of the last of 61 candles with these columns; prices not given follow the close."""
    close = columns.get("close", 1.0)
    values = {"close": close, "open": close, "high": close, "low": close, "volume": 1.0, **columns}
    exprs = {name: pl.lit(value) if isinstance(value, float) else value for name, value in values.items()}
    candles = random_walk(["BTC"], 61).with_columns(**exprs)
    return build_features(candles, SPEC, DAILY).tail(1).select(SPEC.names).row(0, named=True)


AGE = 60 - pl.int_range(pl.len())  # 60 for the first candle, 0 for the last


def test_a_flat_market_without_trades_has_the_defined_values() -> None:
    row = last_row(close=0.1, volume=0.0)
    halves = {"position_14", "position_20", "position_60", "stochastic_d_14_3", "rsi_14", "bollinger_position_20"}
    halves |= {"up_share_20"}
    for name in SPEC.names:
        if not name.startswith(("weekday", "hour")):
            assert row[name] == (0.5 if name in halves else 0.0), name


def test_steady_growth() -> None:
    row = last_row(close=(pl.lit(1.01).log() * (60 - AGE)).exp())
    growth = math.log(1.01)
    assert row["return_1"] == pytest.approx(growth, rel=1e-6)
    assert row["return_60"] == pytest.approx(60 * growth, rel=1e-6)
    assert row["volatility_20"] == pytest.approx(growth, rel=1e-6)
    assert (row["rsi_14"], row["up_share_20"], row["drawdown_60"]) == (1.0, 1.0, 0.0)
    assert row["efficiency_20"] == pytest.approx(1.0)
    assert row["runup_60"] == pytest.approx(59 * growth, rel=1e-6)
    assert row["autocorrelation_20"] == pytest.approx(19 / 20, rel=1e-6)
    assert row["skewness_20"] == pytest.approx(1.0, rel=1e-6)
    assert row["volume_balance_20"] == 1.0
    assert row["macd_12_26"] > 0.0


def test_a_market_that_swings_between_two_prices() -> None:
    row = last_row(close=1.0 + (AGE % 2 == 0).cast(pl.Float64))  # ... 2, 1, 2
    assert row["rsi_14"] == 0.5
    assert row["up_share_20"] == 0.5
    assert row["return_2"] == 0.0
    assert row["efficiency_20"] == pytest.approx(0.0, abs=1e-9)
    assert row["autocorrelation_20"] == pytest.approx(-19 / 20, rel=1e-6)
    # mean 1.5, deviation 0.5: bands 0.5 and 2.5, close 2.
    assert row["bollinger_position_20"] == pytest.approx(0.75)
    assert row["bollinger_width_20"] == pytest.approx(2.0 / 1.5, rel=1e-6)
    assert row["average_distance_20"] == pytest.approx(math.log(2.0 / 1.5), rel=1e-6)
    assert row["atr_14"] == pytest.approx(0.5)


def test_the_anatomy_of_a_bar() -> None:
    row = last_row(open=6.0, high=10.0, low=2.0, close=8.0)
    assert (row["body"], row["upper_wick"], row["lower_wick"]) == (0.25, 0.25, 0.5)
    assert row["range"] == pytest.approx(math.log(5), rel=1e-6)
    assert row["position_20"] == 0.75
    assert row["parkinson_10"] == pytest.approx(math.log(5) / math.sqrt(4 * math.log(2)), rel=1e-6)
    falling = last_row(open=8.0, high=10.0, low=2.0, close=6.0)
    assert (falling["body"], falling["upper_wick"], falling["lower_wick"]) == (-0.25, 0.25, 0.5)


def test_a_burst_and_a_drought_of_volume() -> None:
    newest = AGE == 0
    burst = last_row(volume=pl.when(newest).then(41.0).otherwise(1.0))  # mean 3, deviation sqrt(76)
    assert burst["volume_surprise_20"] == pytest.approx(math.log(41 / 3), rel=1e-6)
    assert burst["volume_zscore_20"] == pytest.approx(math.sqrt(19), rel=1e-6)
    assert burst["volume_trend_5_60"] == pytest.approx(math.log(9 / (100 / 60)), rel=1e-6)
    drought = last_row(volume=pl.when(newest).then(0.0).otherwise(1.0))
    assert drought["volume_surprise_20"] == pytest.approx(math.log(1e-6), rel=1e-6)
    assert drought["volume_zscore_20"] == pytest.approx(-math.sqrt(19), rel=1e-6)


def test_a_macd_of_equal_spans_is_nothing() -> None:
    spec = spec_of([Feature("macd", (26, 26)), Feature("macd_histogram", (26, 26, 9))])
    row = build_features(random_walk(["BTC"], 61), spec, DAILY).tail(1)
    assert row.row(0)[2:] == (0.0, 0.0)


def test_a_histogram_with_a_signal_of_one_is_nothing() -> None:
    spec = spec_of([Feature("macd_histogram", (12, 26, 1))])
    assert build_features(random_walk(["BTC"], 61), spec, DAILY)["macd_histogram_12_26_1"][-1] == 0.0


def test_the_widest_numbers_that_are_accepted_give_numbers() -> None:
    spec = spec_of(
        [*SPEC.features, Feature("return", (99,)), Feature("skewness", (99,)), Feature("bollinger_width", (100,))]
    )
    place = pl.int_range(pl.len())
    for shortest in (1, 7, 50):
        price = pl.when(place // shortest % 2 == 0).then(1e-30).otherwise(1e30)
        volume = pl.when(place % 3 == 0).then(0.0).when(place % 3 == 1).then(5e-324).otherwise(1e30)
        candles = random_walk(["ADA", "BTC"], 140).with_columns(
            *(price.alias(name) for name in ("open", "high", "low", "close")), volume=volume
        )
        rows = build_features(candles, spec, DAILY).filter(pl.int_range(pl.len()).over("symbol") >= 99)
        assert len(rows) == 82
        assert sum(rows.null_count().row(0)) == 0
        assert rows.select(pl.all_horizontal(pl.col(*spec.names).abs() <= 1e6).all()).item()
    tiny = random_walk(["BTC"], 61).with_columns(volume=pl.when(place % 2 == 0).then(5e-324).otherwise(1e-323))
    assert not any(map(math.isnan, build_features(tiny, SPEC, DAILY)[SPEC.names].tail(1).row(0)))
