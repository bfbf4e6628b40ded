"""Ranges, calibrated probabilities and novelty on their way from a release to an answer."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from cripto.domain.calibration import Calibration
from cripto.domain.forecast import ClassifierForecast, Forecast, RegressorForecast
from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.ranges import LEVELS, Ranges, ScaleTerm
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import CriptoError, InvalidInput, ModelRefused
from cripto.features import latest_matrix
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.encode import encode_answer
from cripto.forecasting.forecaster import forecast_windows
from cripto.forecasting.novelty import NoveltyScale
from cripto.forecasting.ranges import RangeScale, range_scales
from cripto.forecasting.release import LoadedRelease, load_release
from cripto.forecasting.windows import Window, candles_of, read_windows
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from tests.unit.forecasting.toys import (
    DAILY,
    LAST_CLOSE,
    NOVELTY,
    RANGES,
    SPEC,
    VERSION,
    ToyModel,
    candles,
    draft,
    toy_release,
)

NOW = LAST_CLOSE + timedelta(hours=1)
COINS = ["ADA", "BTC", "ETH", "SOL", "XRP"]


def windows(frame: pl.DataFrame) -> list[Window]:
    found = read_windows(frame, DAILY, SPEC.lookback).by_symbol.values()
    return [window for window in found if isinstance(window, Window)]


def forecasts(release: LoadedRelease, frame: pl.DataFrame) -> dict[str, Forecast]:
    found = forecast_windows(release, windows(frame), NOW)
    return {symbol: forecast for symbol, forecast in found.items() if isinstance(forecast, Forecast)}


def ranged(forecast: Forecast) -> RegressorForecast:
    (found,) = [model for model in forecast.models if isinstance(model, RegressorForecast) and model.ranges]
    return found


def test_ranges_are_nested_hold_the_prediction_and_are_those_of_the_one_function() -> None:
    frame = candles(*COINS)
    release = toy_release(ToyModel("regressor_lin", 0.02))
    for symbol, forecast in forecasts(release, frame).items():
        found = ranged(forecast)
        narrow, wide = found.ranges
        assert (narrow.level, wide.level) == LEVELS
        assert 0 < wide.low < narrow.low < found.price < narrow.high < wide.high
        rows = candles_of([window for window in windows(frame) if window.symbol == symbol])
        _, matrix = latest_matrix(rows, SPEC, DAILY)
        widths = RangeScale(RANGES, SPEC.names).half_widths(matrix)[:, 0]
        for item, width in zip(found.ranges, widths, strict=True):
            assert item.low == float(f"{forecast.price * np.exp(0.02 - width):.10g}")
            assert item.high == float(f"{forecast.price * np.exp(0.02 + width):.10g}")
        assert forecast.novelty == round(float(NoveltyScale(NOVELTY, SPEC.names).of(matrix)[0]), 4)


@pytest.mark.parametrize("factor", [1000.0, 1e-9])
def test_prices_in_another_unit_have_ranges_in_that_unit(factor: float) -> None:
    frame = candles("BTC")
    scaled = frame.with_columns(pl.col("open", "high", "low", "close") * factor)
    release = toy_release()
    once, other = (forecasts(release, rows)["BTC"] for rows in (frame, scaled))
    for item, twin in zip(ranged(once).ranges, ranged(other).ranges, strict=True):
        assert (twin.low, twin.high) == pytest.approx((item.low * factor, item.high * factor), rel=1e-6)
    assert other.novelty == pytest.approx(once.novelty, abs=1e-3)


def test_many_assets_have_what_each_has_alone_to_the_last_byte() -> None:
    frame, release = candles(*COINS), toy_release()
    together = forecasts(release, frame)
    for symbol in COINS:
        alone = forecasts(release, frame.filter(pl.col("symbol") == symbol))[symbol]
        assert encode_answer(alone) == encode_answer(together[symbol])


def test_a_calibrated_probability_is_served_and_decides_the_class() -> None:
    release = toy_release(ToyModel("classifier_log", 0.6), ToyModel("classifier_rf", 0.6))
    models = tuple(
        replace(model, calibration=Calibration(-1.0, 0.5)) if model.name == "classifier_log" else model
        for model in release.models
    )
    found = {
        model.name: model
        for model in forecasts(replace(release, models=models), candles("BTC"))["BTC"].models
        if isinstance(model, ClassifierForecast)
    }
    served = calibrate(np.array([0.6]), Calibration(-1.0, 0.5))[0]
    assert found["classifier_log"].probability == round(float(served), 9)
    assert (found["classifier_log"].rises, found["classifier_log"].calibrated) == (0, True)
    assert (found["classifier_rf"].rises, found["classifier_rf"].calibrated) == (1, False)


def test_the_answer_names_ranges_and_novelty_where_they_are_known_and_nowhere_else() -> None:
    frame = candles("BTC")
    answer = json.loads(encode_answer(forecasts(toy_release(), frame)["BTC"]))
    lin = answer["modelos"]["regressor_lin"]
    assert list(lin) == ["predicao", "modelo", "tipo", "versao", "variacao", "faixa", "faixa_95"]
    assert list(lin["faixa"]) == ["nivel", "minimo", "maximo"]
    assert (lin["faixa"]["nivel"], lin["faixa_95"]["nivel"]) == (0.8, 0.95)
    assert "faixa" not in answer["modelos"]["regressor_rf"]
    assert 0 <= answer["novidade"] <= 1
    unknown = json.loads(encode_answer(forecasts(replace(toy_release(), novelty=None), frame)["BTC"]))
    assert "novidade" not in unknown


def test_a_price_that_stood_still_has_a_narrow_range_and_not_none() -> None:
    still = candles("BTC").with_columns(open=pl.lit(5.0), high=pl.lit(5.0), low=pl.lit(5.0), close=pl.lit(5.0))
    found = ranged(forecasts(toy_release(ToyModel("regressor_lin", 0.0)), still)["BTC"])
    narrow, wide = found.ranges
    assert 4.99 < wide.low < narrow.low < 5.0 < narrow.high < wide.high < 5.01


@pytest.mark.parametrize("log_return", [709.0, -744.0])
def test_a_range_beyond_what_floats_hold_is_an_error_of_that_model(log_return: float) -> None:
    frame = candles("BTC").with_columns(pl.col("open", "high", "low", "close") / pl.col("close").last())
    wide = Ranges(0.0, (), (2.0, 3.0))
    release = toy_release(ToyModel("regressor_lin", log_return))
    ranges = range_scales({"regressor_lin": wide}, SPEC.names)
    outcome = forecast_windows(replace(release, ranges=ranges), windows(frame), NOW)["BTC"]
    assert isinstance(outcome, CriptoError)
    assert isinstance(outcome, ModelRefused)


def test_a_release_is_loaded_with_its_numbers_and_probed_without_them() -> None:
    registry = ReleaseRegistry(MemoryStore())
    # raw: what the graphs give, whatever is made of it
    expected = {name: [0.01 if name.startswith("regressor") else 0.75] for name in MODEL_NAMES}
    probes = {"features": [[0.0] * len(SPEC.features)], "expected": expected}
    release = draft(files={"probes.json": json.dumps(probes).encode()})
    models = dict(release.models)
    models["classifier_log"] = replace(models["classifier_log"], calibration=Calibration(-2.0, 0.5))
    registry.publish(replace(release, models=models))
    loaded = load_release(registry, ReleaseVersion.parse(VERSION))
    matrix = np.zeros((3, len(SPEC.features)))
    assert loaded.raw(matrix)["classifier_log"].tolist() == [0.75] * 3
    served = calibrate(np.full(3, 0.75), Calibration(-2.0, 0.5))
    assert loaded.predict(matrix)["classifier_log"].tobytes() == served.tobytes()
    assert list(loaded.half_widths(matrix)) == ["regressor_lin"]
    assert loaded.novelty is not None


def test_numbers_of_a_feature_the_release_does_not_have_cannot_be_published() -> None:
    release = draft()
    models = dict(release.models)
    strange = Ranges(0.0, (ScaleTerm("tea_leaves_5", 1.0, False),), (1.0, 2.0))
    models["regressor_rf"] = replace(models["regressor_rf"], ranges=strange)
    with pytest.raises(InvalidInput, match="tea_leaves_5"):
        replace(release, models=models).seal()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("regressor_rf", {"calibration": Calibration(0.0, 1.0)}),
        ("classifier_rf", {"ranges": RANGES}),
    ],
)
def test_numbers_of_the_wrong_kind_of_model_cannot_be_published(name: str, change: dict[str, object]) -> None:
    release = draft()
    models = dict(release.models)
    models[name] = replace(models[name], **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=name):
        replace(release, models=models).seal()
