"""What must hold of features whatever the candles are."""

from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cripto.features import build_features, default_spec, latest_features, latest_matrix
from cripto.features._candles import LARGEST, SMALLEST_PRICE, read_candles
from cripto.features.builder import exact_features
from tests.doubles.candle_histories import PRICES, histories, without
from tests.doubles.candles import DAILY, HOURLY
from tests.doubles.feature_laws import (
    assert_altering_the_future_changes_no_past,
    assert_cutting_the_future_changes_no_past,
    assert_lookback_is_enough,
    assert_same_bits,
    bits,
    complete_rows,
)

SPEC = default_spec()
TWO = ("ADA", "BTC")

law = settings(max_examples=40, deadline=None)


def build(candles: pl.DataFrame) -> pl.DataFrame:
    return build_features(candles, SPEC, DAILY)


@law
@given(histories(TWO), st.integers(0, 90))
def test_cutting_the_future_never_changes_the_past(candles: pl.DataFrame, place: int) -> None:
    newest = candles["time"][min(place, len(candles) - 1)]
    assert_cutting_the_future_changes_no_past(build, candles, newest)


@law
@given(histories(TWO), st.integers(61, 90))
def test_altering_the_future_never_changes_the_past(candles: pl.DataFrame, place: int) -> None:
    newest = candles["time"][min(place, len(candles) - 1)]
    assert_altering_the_future_changes_no_past(build, candles, newest)


@law
@given(histories(TWO))
def test_a_row_from_its_lookback_alone_is_the_row_from_all_history(candles: pl.DataFrame) -> None:
    keys = candles.filter(pl.col("symbol") == "BTC").select("symbol", "time").rows()[-30:]
    assert_lookback_is_enough(build, candles, SPEC.lookback, keys[::7])


@law
@given(histories(("ADA", "BTC", "ZEC")))
def test_an_asset_alone_has_the_rows_it_has_among_others(candles: pl.DataFrame) -> None:
    mine = pl.col("symbol") == "BTC"
    assert_same_bits(build(candles.filter(mine)), build(candles).filter(mine))


@law
@given(histories(TWO), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(candles: pl.DataFrame, random: Random) -> None:
    places = list(range(len(candles)))
    random.shuffle(places)
    assert_same_bits(build(candles[places]), build(candles))


@law
@given(histories(TWO))
def test_swapping_the_names_of_two_assets_swaps_their_rows(candles: pl.DataFrame) -> None:
    swap = pl.col("symbol").replace_strict({"ADA": "BTC", "BTC": "ADA"})
    assert_same_bits(build(candles.with_columns(swap)), build(candles).with_columns(swap).sort("symbol", "time"))


@law
@given(histories(TWO, most=130), st.sets(st.integers(0, 250), max_size=3))
def test_a_gap_nulls_exactly_the_windows_that_cross_it(candles: pl.DataFrame, missing: set[int]) -> None:
    holed = without(candles, missing)
    features = build(holed)
    expected = complete_rows(holed, SPEC.lookback, DAILY)
    assert len(features) == len(holed)
    for name in SPEC.names:
        assert features[name].is_not_null().to_list() == expected


@law
@given(histories(TWO, most=130), st.sets(st.integers(0, 250), max_size=3))
def test_a_gap_changes_no_row_whose_window_does_not_cross_it(candles: pl.DataFrame, missing: set[int]) -> None:
    features = build(without(candles, missing)).drop_nulls()
    assert_same_bits(features, build(candles).join(features, on=["symbol", "time"], how="semi"))


@law
@given(histories(TWO))
def test_no_candle_however_extreme_gives_nan_or_infinity(candles: pl.DataFrame) -> None:
    complete = build(candles).filter(pl.Series(complete_rows(candles, SPEC.lookback, DAILY)))
    assert not complete.is_empty()
    values = complete.select(SPEC.names)
    assert sum(values.null_count().row(0)) == 0
    assert np.isfinite(values.to_numpy()).all()


@law
@given(histories(TWO), st.integers(-20, 20), st.integers(-20, 20))
def test_powers_of_two_in_prices_and_volumes_change_no_bit(candles: pl.DataFrame, price: int, volume: int) -> None:
    scaled = candles.with_columns(pl.col(*PRICES) * 2.0**price, pl.col("volume") * 2.0**volume)
    # a history that already ends near the bounds of what is a price may be scaled over them
    assume(all(scaled[name].is_between(SMALLEST_PRICE, LARGEST).all() for name in PRICES))
    assert_same_bits(build(scaled), build(candles))


@law
@given(histories(TWO, jumps=False), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_any_factor_in_prices_and_volumes_changes_nothing(
    candles: pl.DataFrame, price: float, volume: float
) -> None:
    scaled = candles.with_columns(pl.col(*PRICES) * price, pl.col("volume") * volume)
    exact, expected = (exact_features(read_candles(frame, DAILY), SPEC) for frame in (scaled, candles))
    np.testing.assert_allclose(exact, expected, rtol=1e-9, atol=1e-9)
    # Rounding to float32 may turn that into one step of float32, of at most 2 ** -23.
    rounded, as_before = (build(frame).select(SPEC.names).to_numpy() for frame in (scaled, candles))
    np.testing.assert_allclose(rounded, as_before, rtol=1.2e-7, atol=1e-9)


@law
@given(histories(TWO), st.integers(1, 100))
def test_how_many_rows_are_reduced_at_once_changes_no_bit(candles: pl.DataFrame, rows_at_once: int) -> None:
    rows = read_candles(candles, DAILY)
    whole = exact_features(rows, SPEC)
    parts = exact_features(rows, SPEC, rows_at_once=rows_at_once)
    assert (whole.view(np.int64) == parts.view(np.int64)).all()


@law
@given(histories(TWO, least=1, most=130), st.sets(st.integers(0, 250), max_size=2))
def test_the_latest_rows_are_the_last_rows(candles: pl.DataFrame, missing: set[int]) -> None:
    holed = without(candles, missing)
    last = build(holed).group_by("symbol", maintain_order=True).last()
    table = latest_features(holed, SPEC, DAILY)
    assert_same_bits(table, last)
    symbols, matrix = latest_matrix(holed, SPEC, DAILY)
    assert symbols == table["symbol"].to_list()
    assert matrix.shape == (len(symbols), len(SPEC.names))
    assert matrix.tobytes() == np.ascontiguousarray(table.select(SPEC.names).to_numpy()).tobytes()


@law
@given(histories(TWO))
def test_every_number_is_a_float32_and_no_zero_is_negative(candles: pl.DataFrame) -> None:
    values = build(candles).drop_nulls().select(SPEC.names).to_numpy()
    assert (values == values.astype(np.float32)).all()
    assert not np.signbit(values[values == 0.0]).any()


@law
@given(histories(interval=HOURLY))
def test_bounded_features_keep_their_bounds(candles: pl.DataFrame) -> None:
    rows = build_features(candles, SPEC, HOURLY).drop_nulls()
    slack = 1e-6
    for name in ("position_20", "stochastic_d_14_3", "rsi_14", "up_share_20", "upper_wick", "lower_wick"):
        assert rows[name].is_between(-slack, 1 + slack).all(), name
    for name in ("body", "efficiency_20", "autocorrelation_20", "volume_balance_20", "hour_sin", "weekday_cos"):
        assert rows[name].is_between(-1 - slack, 1 + slack).all(), name
    assert (rows["drawdown_60"] <= 0).all()
    assert (rows["runup_60"] >= 0).all()


def test_bits_tell_zeros_and_neighbours_apart() -> None:
    table = pl.DataFrame({"symbol": ["A"], "time": [0], "x": [0.0]})
    with pytest.raises(AssertionError, match="bits differ in x"):
        assert_same_bits(table, table.with_columns(x=-pl.col("x")))
    assert (bits(table) == 0).all()
