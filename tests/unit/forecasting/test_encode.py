import json
from datetime import timedelta

from cripto.domain.forecast import Forecast
from cripto.domain.model_name import MODEL_NAMES
from cripto.forecasting.encode import encode_answer
from cripto.forecasting.forecaster import forecast_windows
from cripto.forecasting.windows import Window, read_windows
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, SPEC, VERSION, candles, toy_release


def forecast() -> Forecast:
    window = read_windows(candles("BTC"), DAILY, SPEC.lookback).by_symbol["BTC"]
    assert isinstance(window, Window)
    outcome = forecast_windows(toy_release(), [window], LAST_CLOSE + timedelta(days=2))["BTC"]
    assert isinstance(outcome, Forecast)
    return outcome


def test_an_answer_has_the_fields_of_the_contract_in_their_order() -> None:
    made = forecast()
    value = json.loads(encode_answer(made))
    close = candles("BTC")["close"][-1]
    models = value.pop("modelos")
    assert value == {
        "ativo": "BTC",
        "timestamp": "2025-03-22T00:00:00Z",
        "total_modelos": 5,
        "cotacao": "USDT",
        "intervalo": "1d",
        "candle": {"abertura": "2025-03-21T00:00:00Z", "fechamento": "2025-03-22T00:00:00Z", "preco": close},
        "alvo": "2025-03-23T00:00:00Z",
        "release": VERSION,
        "novidade": made.novelty,
        "dados": {
            "fonte": "binance",
            "situacao": "atrasado",
            "candles_em_atraso": 2,
            "janela": made.provenance.window,
        },
    }
    assert tuple(models) == MODEL_NAMES
    assert list(models["regressor_rf"]) == ["predicao", "modelo", "tipo", "versao", "variacao"]
    assert models["classifier_log"] == {
        "predicao": 1,
        "probabilidade": 0.75,
        "modelo": "classifier_log",
        "tipo": "classifier",
        "versao": VERSION,
        "calibrada": True,
    }


def test_equal_forecasts_give_equal_bytes() -> None:
    assert encode_answer(forecast()) == encode_answer(forecast())
