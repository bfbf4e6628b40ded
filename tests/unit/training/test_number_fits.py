"""Fits of calibration, ranges and novelty: what is planted comes back, and what is too little is said to be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cripto.forecasting.calibration import calibrate
from cripto.forecasting.novelty import NoveltyScale
from cripto.forecasting.ranges import RangeScale
from cripto.training._conformal import conformal_quantile, time_weights
from cripto.training.calibration_fit import centre_of, fit_calibration
from cripto.training.novelty_fit import fit_novelty
from cripto.training.range_fit import LEAST_TIMES, fit_ranges

NAMES = ("volatility_20", "range", "weekday_sin", "hour_sin", "return_1")
Floats = NDArray[np.float64]
scores = arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 100))


def days(count: int, each: int = 1) -> NDArray[np.datetime64]:
    return np.repeat(np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(1, "D"), each)


def loud_rows(count: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Features, and errors whose size is the volatility times 0.7 times the power 0.8 of a range."""
    random = np.random.default_rng(seed)
    volatility, bar = np.exp(random.normal(-3.5, 0.6, count)), np.exp(random.normal(-3, 0.5, count))
    features = np.column_stack(
        [volatility, bar, random.uniform(-1, 1, count), np.zeros(count), random.normal(size=count)]
    )
    return features, random.laplace(0, 1, count) * volatility**0.6 * bar**0.4


@settings(max_examples=60)
@given(scores, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_with_equal_weights_the_quantile_is_the_textbooks(values: Floats, level: float) -> None:
    rank = math.ceil(round((len(values) + 1) * level, 9))
    expected = sorted(values)[rank - 1] if rank <= len(values) else math.inf
    assert conformal_quantile(values, np.full(len(values), 0.3), level) == expected


@settings(max_examples=40)
@given(scores, st.integers(0, 2**32 - 1))
def test_a_quantile_rises_with_its_level_and_knows_no_order(values: Floats, seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = random.uniform(0.1, 1, len(values))
    found = [conformal_quantile(values, weights, level) for level in (0.5, 0.8, 0.95)]
    assert found == sorted(found)
    shuffled = random.permutation(len(values))
    assert conformal_quantile(values[shuffled], weights[shuffled], 0.8) == pytest.approx(found[1])


def test_each_candle_time_weighs_one_and_old_ones_less() -> None:
    time = np.concatenate([days(1, 4), days(2)[1:]])
    assert time_weights(time).tolist() == [0.25, 0.25, 0.25, 0.25, 1.0]
    assert time_weights(days(3), half_life_days=1.0).tolist() == [0.25, 0.5, 1.0]


def test_ranges_find_what_scales_the_errors() -> None:
    features, error = loud_rows(20_000)
    ranges = fit_ranges(features, NAMES, error, days(2000, 10))
    assert ranges is not None
    weights = {term.feature: term.weight for term in ranges.terms}
    assert weights["volatility_20"] == pytest.approx(0.6, abs=0.05)
    assert weights["range"] == pytest.approx(0.4, abs=0.05)
    assert weights["weekday_sin"] == pytest.approx(0.0, abs=0.05)
    assert "hour_sin" not in weights, "it never varied"
    assert "return_1" not in weights, "it is no measure of volatility"
    # Laplace's own quantiles: ln 5 and ln 20 scales
    assert ranges.quantiles == pytest.approx((math.log(5), math.log(20)), rel=0.05)


def test_ranges_hold_what_they_promise_of_rows_they_never_saw() -> None:
    ranges = fit_ranges(*_swap(loud_rows(5000)), days(500, 10))
    assert ranges is not None
    features, error = loud_rows(20_000, seed=1)
    widths = RangeScale(ranges, NAMES).half_widths(features)
    for level, width in zip((0.8, 0.95), widths, strict=True):
        held = np.abs(error) <= width
        assert held.mean() == pytest.approx(level, abs=0.02)
        order = np.argsort(features[:, 0])
        assert [held[part].mean() for part in np.array_split(order, 3)] == pytest.approx([level] * 3, abs=0.03)


def _swap(rows: tuple[Floats, Floats]) -> tuple[Floats, tuple[str, ...], Floats]:
    return rows[0], NAMES, rows[1]


def test_ranges_are_the_same_numbers_each_time() -> None:
    features, error = loud_rows(3000)
    assert fit_ranges(features, NAMES, error, days(300, 10)) == fit_ranges(features, NAMES, error, days(300, 10))


def test_a_larger_price_unit_of_time_scales_the_ranges() -> None:
    features, error = loud_rows(3000)
    once = fit_ranges(features, NAMES, error, days(300, 10))
    twice = fit_ranges(features, NAMES, error * 2, days(300, 10))
    assert once is not None
    assert twice is not None
    scale = RangeScale(once, NAMES).half_widths(features)
    np.testing.assert_allclose(RangeScale(twice, NAMES).half_widths(features), scale * 2, rtol=1e-5)


def test_too_little_gives_no_ranges() -> None:
    features, error = loud_rows(LEAST_TIMES * 10)
    assert fit_ranges(features, NAMES, error, days(LEAST_TIMES, 10)) is not None
    assert fit_ranges(features, NAMES, error, days(LEAST_TIMES // 2, 20)) is None
    assert fit_ranges(features[:50], NAMES, error[:50], days(50)) is None
    assert fit_ranges(features, NAMES, np.zeros(len(error)), days(LEAST_TIMES, 10)) is None


def test_prices_that_stand_still_do_not_narrow_the_ranges_of_those_that_move() -> None:
    features, error = loud_rows(6000)
    still = np.arange(6000) % 2 == 0
    features[still], error[still] = 0.0, 0.0
    ranges = fit_ranges(features, NAMES, error, days(600, 10))
    assert ranges is not None
    widths = RangeScale(ranges, NAMES).half_widths(features)
    assert (widths > 0).all()
    assert (np.abs(error) <= widths[0])[~still].mean() == pytest.approx(0.8, abs=0.02)


def test_errors_of_nothing_between_others_end_in_finite_ranges() -> None:
    features, error = loud_rows(2000)
    error[features[:, 0] < np.median(features[:, 0])] = 0.0
    ranges = fit_ranges(features, NAMES, error, days(200, 10))
    assert ranges is not None
    assert np.isfinite(RangeScale(ranges, NAMES).half_widths(features)).all()


def test_a_release_of_other_features_still_has_ranges() -> None:
    error = np.random.default_rng(0).normal(size=500) * 0.02
    ranges = fit_ranges(np.zeros((500, 1)), ["return_1"], error, days(500))
    assert ranges is not None
    assert ranges.terms == ()
    assert RangeScale(ranges, ["return_1"]).half_widths(np.zeros((1, 1)))[0, 0] == pytest.approx(0.0256, rel=0.15)


def sure_rows(count: int, too_sure: float, seed: int = 0) -> tuple[Floats, NDArray[np.bool_]]:
    """Probabilities whose logits are ``too_sure`` times those of the truth, and what came."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 0.6, count)
    rose = random.uniform(size=count) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-logits * too_sure)), rose


def test_calibration_undoes_what_was_too_sure() -> None:
    raw, rose = sure_rows(20_000, 2.0)
    calibration = fit_calibration(raw, rose, days(20_000), 0.0)
    assert calibration is not None
    assert calibration.slope == pytest.approx(0.5, abs=0.05)
    assert calibration.shift == pytest.approx(0, abs=0.01)
    later, came = sure_rows(20_000, 2.0, seed=1)
    assert ((calibrate(later, calibration) - came) ** 2).mean() < ((later - came) ** 2).mean()


def test_calibration_never_makes_a_forecast_surer() -> None:
    raw, rose = sure_rows(5000, 0.3)
    calibration = fit_calibration(raw, rose, days(5000), 0.0)
    assert calibration is not None
    assert calibration.slope == 1.0


def test_forecasts_that_are_wrong_are_drawn_to_the_share_of_rises() -> None:
    raw, rose = sure_rows(5000, 2.0)
    centre = centre_of(np.where(rose, 0.03, -0.03), days(5000))
    calibration = fit_calibration(raw, ~rose, days(5000), centre)
    assert calibration is not None
    assert calibration.slope == 0.0
    assert np.ptp(calibrate(raw, calibration)) < 1e-12


def test_probabilities_that_all_lie_too_high_are_moved_to_the_centre() -> None:
    """A model that learned from a bull market says more than half on average; that says nothing of tomorrow."""
    raw, rose = sure_rows(20_000, 1.0)
    shifted = 1 / (1 + np.exp(-(np.log(raw / (1 - raw)) + 0.3)))
    calibration = fit_calibration(shifted, rose, days(20_000), math.log(0.49 / 0.51))
    assert calibration is not None
    served = calibrate(shifted, calibration)
    assert np.log(served / (1 - served)).mean() == pytest.approx(math.log(0.49 / 0.51), abs=1e-6)


def test_a_short_history_of_rises_hardly_moves_the_centre() -> None:
    assert -0.06 < centre_of(np.full(100, 0.03), days(100)) < 0.0
    rare = np.where(np.arange(400_000) % 5 == 0, 0.001, -0.001)
    assert centre_of(rare, days(400_000)) == pytest.approx(math.log(0.2 / 0.8), abs=0.05)


def test_a_louder_market_rises_less_often() -> None:
    calm, loud = (centre_of(size * np.where(np.arange(1000) % 2, 1.0, -1.0), days(1000)) for size in (0.001, 0.1))
    assert loud < calm < 0.0
    assert calm == pytest.approx(0.0, abs=0.002)


def test_closes_that_stay_as_they_were_are_no_rises() -> None:
    """Half of the closes do not move: a quarter rises, however short the history."""
    quarters = np.tile([0.0, 0.0001, 0.0, -0.0001], 100)
    assert centre_of(quarters, days(400)) == pytest.approx(math.log(0.25 / 0.75), abs=0.001)
    assert math.isfinite(centre_of(np.zeros(200), days(200)))


def test_too_little_gives_no_calibration() -> None:
    raw, rose = sure_rows(1000, 1.0)
    assert fit_calibration(raw[:50], rose[:50], days(50), 0.0) is None
    assert fit_calibration(raw, rose, days(50, 20), 0.0) is None


def test_novelty_of_the_training_rows_is_spread_evenly() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(4000, 5)) * [0.01, 0.1, 1, 1, 5]
    novelty = fit_novelty(rows, ("a", "b", "c", "weekday_sin", "e"))
    assert novelty is not None
    assert novelty.features == ("a", "b", "c", "e")
    shares = NoveltyScale(novelty, ("a", "b", "c", "weekday_sin", "e")).of(rows)
    np.testing.assert_allclose(np.quantile(shares, [0.1, 0.5, 0.9, 0.99]), [0.1, 0.5, 0.9, 0.99], atol=0.01)


def test_rows_that_are_all_alike_have_no_novelty() -> None:
    assert fit_novelty(np.ones((500, 2)), ("a", "b")) is None
    assert fit_novelty(np.ones((500, 1)), ("weekday_sin",)) is None
    two = np.repeat([[0.0], [1.0]], 250, axis=0)
    assert fit_novelty(two, ("a",)) is None or len(fit_novelty(two, ("a",)).knots) >= 2  # type: ignore[union-attr]
