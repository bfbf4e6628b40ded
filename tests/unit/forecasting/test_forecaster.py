import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.domain.forecast import ClassifierForecast, Forecast, RegressorForecast
from cripto.errors import CriptoError, ModelRefused, OperatorError
from cripto.features import build_features
from cripto.forecasting.forecaster import forecast_windows, restate
from cripto.forecasting.release import LoadedRelease
from cripto.forecasting.runtime import Matrix, Vector
from cripto.forecasting.windows import Window, read_windows
from tests.unit.forecasting.toys import (
    DAILY,
    LAST_CLOSE,
    SPEC,
    VERSION,
    FailingModel,
    ToyModel,
    candles,
    toy_release,
)

NOW = LAST_CLOSE + timedelta(hours=1)


def windows(frame: pl.DataFrame) -> list[Window]:
    found = read_windows(frame, DAILY, SPEC.lookback).by_symbol.values()
    return [window for window in found if isinstance(window, Window)]


def forecast(release: LoadedRelease, *, source: str = "binance") -> Forecast:
    outcome = forecast_windows(release, windows(candles("BTC", source=source)), NOW)["BTC"]
    assert isinstance(outcome, Forecast)
    return outcome


def model_of(release: LoadedRelease, name: str) -> RegressorForecast | ClassifierForecast:
    (found,) = [model for model in forecast(release).models if model.name == name]
    return found


class EchoModel(ToyModel):
    """Gives each row's first feature."""

    def predict(self, matrix: Matrix) -> Vector:
        self.batches.append(len(matrix))
        return np.ascontiguousarray(matrix[:, 0])


def test_a_regressor_gives_the_price_that_its_log_return_leads_to() -> None:
    found = model_of(toy_release(ToyModel("regressor_rf", math.log(1.1))), "regressor_rf")
    assert isinstance(found, RegressorForecast)
    close = candles("BTC")["close"][-1]
    assert found.price == pytest.approx(close * 1.1, rel=1e-9)
    assert found.price == float(f"{found.price:.10g}")
    assert found.change == 0.1
    assert found.version == VERSION


@pytest.mark.parametrize(
    ("probability", "rises"), [(0.5, 0), (0.5000000004, 0), (0.500000001, 1), (0.0, 0), (1.0, 1)]
)
def test_the_class_follows_from_the_probability_that_is_served(probability: float, rises: int) -> None:
    found = model_of(toy_release(ToyModel("classifier_rf", probability)), "classifier_rf")
    assert isinstance(found, ClassifierForecast)
    assert found.probability == round(probability, 9)
    assert found.rises == rises


def test_a_probability_past_the_edge_by_rounding_alone_is_served_at_the_edge() -> None:
    found = model_of(toy_release(ToyModel("classifier_rf", 1 + 1e-12)), "classifier_rf")
    assert isinstance(found, ClassifierForecast)
    assert found.probability == 1.0


def test_no_forecast_is_a_negative_zero() -> None:
    release = toy_release(ToyModel("regressor_rf", -1e-300), ToyModel("classifier_rf", -1e-300))
    models = {model.name: model for model in forecast(release).models}
    regressor, classifier = models["regressor_rf"], models["classifier_rf"]
    assert isinstance(regressor, RegressorForecast)
    assert isinstance(classifier, ClassifierForecast)
    assert math.copysign(1, regressor.change) == math.copysign(1, classifier.probability) == 1


def test_times_are_those_of_the_last_candle_and_the_next() -> None:
    found = forecast(toy_release())
    assert (found.opened, found.closed, found.target) == (
        LAST_CLOSE - DAILY.step,
        LAST_CLOSE,
        LAST_CLOSE + DAILY.step,
    )
    assert (found.release, found.interval, found.quote) == (VERSION, "1d", "USDT")


@pytest.mark.parametrize(
    ("late", "situacao", "missed"),
    [
        (timedelta(hours=-5), "atual", 0),
        (timedelta(hours=23), "atual", 0),
        (timedelta(days=1), "atrasado", 1),
        (timedelta(days=3, hours=2), "atrasado", 3),
    ],
)
def test_the_state_says_how_many_candles_are_missing(late: timedelta, situacao: str, missed: int) -> None:
    provenance = restate(forecast(toy_release()), LAST_CLOSE + late).provenance
    assert (provenance.situacao, provenance.missed) == (situacao, missed)


def test_sample_candles_say_so_however_old_they_are() -> None:
    found = forecast(toy_release(), source=SAMPLE_SOURCE)
    assert (found.provenance.situacao, found.provenance.source) == ("amostra", "amostra")
    late = restate(found, NOW + timedelta(days=9))
    assert (late.provenance.situacao, late.provenance.missed) == ("amostra", 9)


def test_many_assets_run_each_model_once() -> None:
    model = ToyModel("regressor_rf")
    outcomes = forecast_windows(toy_release(model), windows(candles("BTC", "ETH", "LTC")), NOW)
    assert sorted(outcomes) == ["BTC", "ETH", "LTC"]
    assert model.batches == [3]


def test_each_asset_gets_its_own_row_in_any_order_of_windows() -> None:
    frame = candles("BTC", "ETH", "LTC")
    table = build_features(frame, SPEC, DAILY).group_by("symbol").last()
    expected = dict(zip(table["symbol"], table[SPEC.names[0]], strict=True))
    outcomes = forecast_windows(toy_release(EchoModel("regressor_lin")), windows(frame)[::-1], NOW)
    for symbol, outcome in outcomes.items():
        assert isinstance(outcome, Forecast)
        change = next(model for model in outcome.models if model.name == "regressor_lin")
        assert isinstance(change, RegressorForecast)
        assert change.change == round(math.expm1(expected[symbol]), 10)


def test_one_asset_and_many_give_equal_forecasts() -> None:
    release = toy_release(EchoModel("regressor_lin"))
    many = windows(candles("BTC", "ETH", "LTC"))
    together = forecast_windows(release, many, NOW)
    assert together == {window.symbol: forecast_windows(release, [window], NOW)[window.symbol] for window in many}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 800.0, -800.0])
def test_a_number_that_is_no_price_is_an_error_of_that_model(value: float) -> None:
    outcome = forecast_windows(toy_release(ToyModel("regressor_gbr", value)), windows(candles("BTC")), NOW)["BTC"]
    assert isinstance(outcome, ModelRefused)
    assert outcome.model == "regressor_gbr"


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.01, 1.01])
def test_a_number_that_is_no_probability_is_an_error_of_that_model(value: float) -> None:
    outcome = forecast_windows(toy_release(ToyModel("classifier_log", value)), windows(candles("BTC")), NOW)["BTC"]
    assert isinstance(outcome, ModelRefused)
    assert outcome.model == "classifier_log"


def test_a_broken_candle_in_the_lake_spoils_only_its_own_asset() -> None:
    frame = candles("BTC", "ETH").with_columns(
        pl.when(pl.col("symbol") == "ETH").then(math.nan).otherwise(pl.col("close")).alias("close")
    )
    outcomes = forecast_windows(toy_release(), windows(frame), NOW)
    assert isinstance(outcomes["BTC"], Forecast)
    assert isinstance(outcomes["ETH"], OperatorError)


def test_only_broken_candles_run_no_model() -> None:
    model = ToyModel("regressor_rf")
    frame = candles("BTC").with_columns(close=pl.lit(-1.0))
    assert isinstance(forecast_windows(toy_release(model), windows(frame), NOW)["BTC"], CriptoError)
    assert model.batches == []


def test_a_model_that_fails_as_a_whole_is_told() -> None:
    with pytest.raises(ModelRefused):
        forecast_windows(toy_release(FailingModel("classifier_rf")), windows(candles("BTC")), NOW)


def test_no_windows_give_no_forecasts() -> None:
    assert forecast_windows(toy_release(), [], NOW) == {}
