"""Laws of calibrated probabilities, ranges and novelty, whatever the numbers of a release are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cripto.domain.calibration import LEAST_PROBABILITY, Calibration
from cripto.domain.novelty import FARTHEST, Novelty
from cripto.domain.ranges import LARGEST_SCALE, SMALLEST_SCALE, Ranges
from cripto.errors import InvalidInput
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.novelty import NoveltyScale
from cripto.forecasting.ranges import RangeScale, range_scales
from tests.unit.domain.test_served_numbers import CALIBRATION, NOVELTY, RANGES, novelties, ranges

NAMES = ("return_1", "volatility_20", "range", "weekday_sin")

calibrations = st.builds(Calibration, st.floats(-20, 20), st.floats(0, 20))
probabilities = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))
matrices = arrays(
    np.float64, st.tuples(st.integers(1, 40), st.just(len(NAMES))), elements=st.floats(-1e6, 1e6, width=32)
)


@given(calibrations, probabilities)
def test_calibration_keeps_the_order_and_is_never_certain(
    calibration: Calibration, raw: NDArray[np.float64]
) -> None:
    served = calibrate(np.sort(raw), calibration)
    assert (np.diff(served) >= 0).all()
    assert (served >= LEAST_PROBABILITY).all()
    assert (served <= 1 - LEAST_PROBABILITY).all()


@given(calibrations, probabilities)
def test_a_calibrated_row_does_not_depend_on_its_batch(calibration: Calibration, raw: NDArray[np.float64]) -> None:
    together = calibrate(raw, calibration)
    alone = np.concatenate([calibrate(raw[place : place + 1], calibration) for place in range(len(raw))])
    assert together.tobytes() == alone.tobytes()


def test_calibration_that_changes_nothing_changes_nothing() -> None:
    raw = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(calibrate(raw, Calibration(0.0, 1.0)), raw, rtol=0, atol=1e-15)


def test_what_is_no_probability_becomes_no_probability() -> None:
    served = calibrate(np.array([np.nan, -0.01, 1.01, np.inf, -np.inf]), CALIBRATION)
    assert np.isnan(served).all()
    assert np.isfinite(calibrate(np.array([-1e-12, 1 + 1e-12]), CALIBRATION)).all()


@settings(max_examples=40)
@given(ranges(), matrices)
def test_ranges_are_positive_finite_and_nested(given_ranges: Ranges, matrix: NDArray[np.float64]) -> None:
    names = [*given_ranges.features, "one more"]
    rows = np.resize(matrix, (len(matrix), len(names)))
    widths = RangeScale(given_ranges, names).half_widths(rows)
    assert widths.shape == (2, len(rows))
    assert np.isfinite(widths).all()
    assert (widths > 0).all()
    assert (widths[1] >= widths[0]).all()
    scale = RangeScale(given_ranges, names).scale(rows)
    assert (scale >= SMALLEST_SCALE * (1 - 1e-12)).all()
    assert (scale <= LARGEST_SCALE).all()


@given(matrices)
def test_a_rows_ranges_and_novelty_do_not_depend_on_its_batch(matrix: NDArray[np.float64]) -> None:
    scale, novelty = RangeScale(RANGES, NAMES), NoveltyScale(NOVELTY, NAMES)
    rows = [matrix[place : place + 1] for place in range(len(matrix))]
    assert scale.half_widths(matrix).tobytes() == np.hstack([scale.half_widths(row) for row in rows]).tobytes()
    assert novelty.of(matrix).tobytes() == np.concatenate([novelty.of(row) for row in rows]).tobytes()


@settings(max_examples=40)
@given(st.permutations(NAMES), matrices)
def test_columns_are_found_by_name(order: list[str], matrix: NDArray[np.float64]) -> None:
    places = [NAMES.index(name) for name in order]
    shuffled = np.ascontiguousarray(matrix[:, places])
    assert (RangeScale(RANGES, order).scale(shuffled) == RangeScale(RANGES, NAMES).scale(matrix)).all()
    assert (NoveltyScale(NOVELTY, order).of(shuffled) == NoveltyScale(NOVELTY, NAMES).of(matrix)).all()


@settings(max_examples=40)
@given(st.floats(1e-3, 0.5), st.floats(1.001, 2))
def test_a_louder_window_has_a_wider_range(volatility: float, louder: float) -> None:
    rows = np.array([[0.0, volatility, 0.0, 0.5], [0.0, volatility * louder, 0.0, 0.5]])
    narrow, wide = RangeScale(RANGES, NAMES).scale(rows)
    assert wide > narrow
    assert wide / narrow == pytest.approx(louder**0.9)


@settings(max_examples=40)
@given(novelties(), matrices)
def test_novelty_is_a_share(given_novelty: Novelty, matrix: NDArray[np.float64]) -> None:
    rows = np.resize(matrix, (len(matrix), len(given_novelty.features)))
    shares = NoveltyScale(given_novelty, given_novelty.features).of(rows)
    assert ((shares >= 0) & (shares <= 1)).all()


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-50, 50), st.floats(-50, 50))
def test_novelty_grows_away_from_the_centre(part: float, other: float, first: float, second: float) -> None:
    def at(share: float) -> float:
        row = np.array([[first * 0.03 * share, 0.0, 0.05 + second * 0.02 * share, 0.0]])
        return float(NoveltyScale(NOVELTY, NAMES).of(row)[0])

    near, far = sorted((part, other))
    assert at(near) <= at(far) + 1e-12


def test_what_lies_beyond_all_training_rows_is_wholly_new() -> None:
    scale = NoveltyScale(NOVELTY, NAMES)
    assert scale.of(np.array([[1e6, 0.0, -1e6, 0.0], [0.0, 0.0, 0.05, 0.0]])).tolist() == [1.0, 0.0]
    assert NOVELTY.knots[-1][0] < FARTHEST


@given(matrices)
def test_regressors_of_equal_terms_have_together_what_each_has_alone(matrix: NDArray[np.float64]) -> None:
    twin = Ranges(-1.0, tuple(replace(term, weight=term.weight / 3) for term in RANGES.terms), (1.0, 2.0))
    other = Ranges(-2.0, RANGES.terms[:1], (1.0, 2.0))
    given_ranges = {"a": RANGES, "b": other, "c": twin}
    scales = range_scales(given_ranges, NAMES)
    assert len(scales) == 2
    found = {name: widths for item in scales for name, widths in item.half_widths(matrix).items()}
    assert sorted(found) == ["a", "b", "c"]
    for name, item in given_ranges.items():
        assert found[name].tobytes() == RangeScale(item, NAMES).half_widths(matrix).tobytes()


def test_a_feature_the_release_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match="volatility_20"):
        RangeScale(RANGES, ["return_1"])
    with pytest.raises(InvalidInput, match="range"):
        NoveltyScale(NOVELTY, ["return_1"])
