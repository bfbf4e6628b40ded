"""The builder agrees with plain Python to 1e-9, before rounding to float32."""

import polars as pl
import pytest
from hypothesis import given, settings

from cripto.domain.feature_spec import Feature
from cripto.features import default_spec, spec_of
from cripto.features._candles import read_candles
from cripto.features.builder import LIMIT, exact_features
from cripto.features.kinds import KINDS
from tests.doubles.candle_histories import histories
from tests.doubles.candles import DAILY, HOURLY
from tests.doubles.feature_oracle import ORACLES, bars_of, oracle

OTHER_PARAMETERS = {1: (7,), 2: (3, 11), 3: (2, 5, 4)}


def test_every_kind_has_an_oracle() -> None:
    assert set(ORACLES) == set(KINDS)


@given(histories(interval=HOURLY))
@settings(max_examples=50, deadline=None)
def test_the_builder_agrees_with_the_oracle(candles: pl.DataFrame) -> None:
    spec = default_spec()
    exact = exact_features(read_candles(candles, HOURLY), spec)[:, -1]
    bars = bars_of(candles, HOURLY)[-spec.lookback :]
    for feature, value in zip(spec.features, exact, strict=True):
        expected = max(-LIMIT, min(LIMIT, oracle(feature, bars)))
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), feature.name


@given(histories(least=22, most=40))
@settings(max_examples=30, deadline=None)
def test_the_builder_agrees_with_the_oracle_for_other_parameters(candles: pl.DataFrame) -> None:
    spec = spec_of(Feature(kind, OTHER_PARAMETERS.get(KINDS[kind].params, ())) for kind in KINDS)
    exact = exact_features(read_candles(candles, DAILY), spec)[:, -1]
    bars = bars_of(candles, DAILY)[-spec.lookback :]
    for feature, value in zip(spec.features, exact, strict=True):
        expected = max(-LIMIT, min(LIMIT, oracle(feature, bars)))
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), feature.name
