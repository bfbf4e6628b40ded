"""Forecasts as the bytes the API answers with: the seed's JSON, and nothing that changes between replicas."""

import json
from typing import Any

from cripto.domain.clock import rfc3339
from cripto.domain.forecast import Forecast, ModelForecast, RegressorForecast

__all__ = ["encode_answer"]


def encode_answer(forecast: Forecast) -> bytes:
    """The answer of ``GET /symbol/{ativo}`` as UTF-8 JSON; equal forecasts, equal bytes.

    The seed's fields keep the seed's names, types and nesting; the others are added beside them.
    """
    provenance = forecast.provenance
    value = {
        "ativo": forecast.asset,
        "timestamp": rfc3339(forecast.closed),
        "modelos": {model.name: _model(model) for model in forecast.models},
        "total_modelos": len(forecast.models),
        "cotacao": forecast.quote,
        "intervalo": forecast.interval,
        "candle": {
            "abertura": rfc3339(forecast.opened),
            "fechamento": rfc3339(forecast.closed),
            "preco": forecast.price,
        },
        "alvo": rfc3339(forecast.target),
        "release": forecast.release,
        "dados": {
            "fonte": provenance.source,
            "situacao": provenance.situacao,
            "candles_em_atraso": provenance.missed,
            "janela": provenance.window,
        },
    }
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _model(model: ModelForecast) -> dict[str, Any]:
    if isinstance(model, RegressorForecast):
        return {
            "predicao": model.price,
            "modelo": model.name,
            "tipo": "regressor",
            "versao": model.version,
            "variacao": model.change,
        }
    return {
        "predicao": model.rises,
        "probabilidade": model.probability,
        "modelo": model.name,
        "tipo": "classifier",
        "versao": model.version,
        "calibrada": model.calibrated,
    }
