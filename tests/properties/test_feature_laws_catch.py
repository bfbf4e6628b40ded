"""The laws are worth something only if they fail on a wrong builder: two planted bugs, and a sound twin."""

import numpy as np
import polars as pl
import pytest

from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.features import FORMULAS_VERSION
from cripto.features._candles import read_candles
from cripto.features._series import close
from cripto.features._window import Array, Window
from cripto.features.builder import exact_features
from cripto.features.kinds import KINDS, Kind
from tests.doubles.candles import DAILY, random_walk
from tests.doubles.feature_laws import (
    Build,
    assert_altering_the_future_changes_no_past,
    assert_cutting_the_future_changes_no_past,
    assert_lookback_is_enough,
)

WIDTH = 10
CANDLES = random_walk(["ADA", "BTC"], 200, seed=3)
MIDDLE = CANDLES["time"][120]
KEYS = CANDLES.select("symbol", "time").rows()[-20:]


def sound(window: Window) -> Array:
    return window.total(close, WIDTH)


def leaking(window: Window) -> Array:
    """A sum over a window centred on the candle, as a careless smoothing would take it."""
    return np.convolve(window.of(close), np.ones(WIDTH), mode="same")


def running(window: Window) -> Array:
    """The same sum by difference of running sums, as ``rolling_sum`` keeps it."""
    sums = np.cumsum(window.of(close))
    result: Array = sums - np.concatenate([np.zeros(WIDTH), sums[:-WIDTH]])
    return result


def builder(reduce: object) -> Build:
    kinds = {**KINDS, "toy": Kind(reduce, lambda: WIDTH, 0)}  # type: ignore[arg-type]
    spec = FeatureSpec(FORMULAS_VERSION, WIDTH, (Feature("toy"),))

    def build(candles: pl.DataFrame) -> pl.DataFrame:
        rows = read_candles(candles, DAILY)
        return rows.keys.with_columns(toy=pl.Series(exact_features(rows, spec, kinds)[0]))

    return build


def test_a_sound_feature_obeys_the_laws() -> None:
    build = builder(sound)
    assert_cutting_the_future_changes_no_past(build, CANDLES, MIDDLE)
    assert_altering_the_future_changes_no_past(build, CANDLES, MIDDLE)
    assert_lookback_is_enough(build, CANDLES, WIDTH, KEYS)


def test_a_feature_that_sees_the_future_breaks_the_truncation_law() -> None:
    with pytest.raises(AssertionError, match="bits differ in toy"):
        assert_cutting_the_future_changes_no_past(builder(leaking), CANDLES, MIDDLE)
    with pytest.raises(AssertionError, match="bits differ in toy"):
        assert_altering_the_future_changes_no_past(builder(leaking), CANDLES, MIDDLE)


def test_a_running_sum_breaks_the_lookback_law() -> None:
    build = builder(running)
    np.testing.assert_allclose(
        build(CANDLES).drop_nans()["toy"].to_numpy(),
        builder(sound)(CANDLES).drop_nans()["toy"].to_numpy(),
        rtol=1e-9,
    )
    with pytest.raises(AssertionError, match="bits differ in toy"):
        assert_lookback_is_enough(build, CANDLES, WIDTH, KEYS)
