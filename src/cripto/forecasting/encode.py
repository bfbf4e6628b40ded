"""Forecasts as the bytes the API answers with: the seed's JSON, and nothing that changes between replicas."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cripto.domain.clock import rfc3339
from cripto.domain.forecast import Forecast, ModelForecast, Provenance, RegressorForecast, Situacao, state_at
from cripto.domain.interval import Interval

__all__ = ["EncodedForecast", "encode_answer", "encode_forecast"]


_RANGES = ("faixa", "faixa_95")
"""What the ranges of a regressor are called, in the order of `cripto.domain.ranges.LEVELS`."""


@dataclass(frozen=True, slots=True)
class EncodedForecast:
    """A forecast, encoded but for what the clock changes: its state, and how many candles it is behind.

    A few flat values instead of a dozen objects: thousands of these are held, and the garbage collector stops
    every request while it walks what it could collect.
    """

    before: bytes
    after: bytes
    situacao: Situacao
    closed: datetime
    interval: Interval

    def body(self, now: datetime) -> bytes:
        """The answer as it is told at ``now``."""
        return self.before + _state(*state_at(self.situacao, self.closed, self.interval, now)) + self.after


def encode_answer(forecast: Forecast) -> bytes:
    """The answer of ``GET /symbol/{ativo}`` as UTF-8 JSON; equal forecasts, equal bytes.

    The seed's fields keep the seed's names, types and nesting; the others are added beside them.
    """
    provenance = forecast.provenance
    return _before(forecast) + _state(provenance.situacao, provenance.missed) + _after(forecast)


def encode_forecast(forecast: Forecast, interval: Interval) -> EncodedForecast:
    """The same, of candles of ``interval``, to be told at any time."""
    return EncodedForecast(
        _before(forecast), _after(forecast), forecast.provenance.situacao, forecast.closed, interval
    )


def _before(forecast: Forecast) -> bytes:
    value: dict[str, Any] = {
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
    }
    if forecast.novelty is not None:
        value["novidade"] = forecast.novelty
    value["dados"] = _dados(forecast.provenance)
    return _json(value).removesuffix(b"}}")


def _dados(provenance: Provenance) -> dict[str, Any]:
    told: dict[str, Any] = {"fonte": provenance.source}
    if provenance.pair is not None:
        told |= {"par": provenance.pair, "fator": provenance.factor}
    return told


def _state(situacao: Situacao, missed: int) -> bytes:
    return b',"situacao":"%s","candles_em_atraso":%d' % (situacao.encode(), missed)


def _after(forecast: Forecast) -> bytes:
    return b',"janela":%s}}' % _json(forecast.provenance.window)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _model(model: ModelForecast) -> dict[str, Any]:
    if isinstance(model, RegressorForecast):
        return {
            "predicao": model.price,
            "modelo": model.name,
            "tipo": "regressor",
            "versao": model.version,
            "variacao": model.change,
            **{
                name: {"nivel": item.level, "minimo": item.low, "maximo": item.high}
                for name, item in zip(_RANGES, model.ranges, strict=False)
            },
        }
    return {
        "predicao": model.rises,
        "probabilidade": model.probability,
        "modelo": model.name,
        "tipo": "classifier",
        "versao": model.version,
        "calibrada": model.calibrated,
    }
