"""The OpenAPI document: the seed's answers as examples, and the problem schema every route refers to."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from cripto.serving.schemas import ProblemAnswer

__all__ = ["DESCRIPTION", "TAGS", "document"]

DESCRIPTION = """\
Predições para o fechamento do próximo candle, de qualquer ativo com histórico no armazenamento, por cinco
modelos de uma mesma release.

Uma predição é função pura de *(release, ativo, candles até o último fechado)*: a mesma pergunta dá os mesmos
bytes em qualquer réplica, e cada resposta traz a release e o resumo SHA-256 dos candles de que foi feita.

Erros são `application/problem+json` (RFC 9457) em todas as rotas.
"""

TAGS: list[dict[str, Any]] = [
    {"name": "predições", "description": "O que os modelos dizem de um ativo."},
    {"name": "modelos", "description": "O que está carregado, e como recarregar."},
    {"name": "serviço", "description": "Identificação, saúde e métricas."},
]

_NAMES = ["regressor_rf", "regressor_gbr", "regressor_lin", "classifier_rf", "classifier_log"]
_VERSION = "20250729-2130"
_VERSIONS = dict.fromkeys(_NAMES, _VERSION)
_MODELS = {"total_models": 5, "models": _NAMES, "versions": _VERSIONS}

_CANDLES = {
    "assets": 39,
    "sample": 0,
    "behind": 0,
    "with_gaps": 0,
    "missing": 0,
    "newest_close": "2025-07-30T00:00:00Z",
    "oldest_close": "2025-07-30T00:00:00Z",
    "newest_age_seconds": 1800.0,
    "oldest_age_seconds": 1800.0,
}
_SYMBOL: dict[str, Any] = {
    "ativo": "BTC",
    "timestamp": "2025-07-30T00:00:00Z",
    "modelos": {
        "regressor_rf": {
            "predicao": 45000.5,
            "modelo": "regressor_rf",
            "tipo": "regressor",
            "versao": _VERSION,
            "variacao": 0.0011111111,
        },
        "classifier_rf": {
            "predicao": 1,
            "probabilidade": 0.75,
            "modelo": "classifier_rf",
            "tipo": "classifier",
            "versao": _VERSION,
            "calibrada": False,
        },
    },
    "total_modelos": 5,
    "cotacao": "USDT",
    "intervalo": "1d",
    "candle": {"abertura": "2025-07-29T00:00:00Z", "fechamento": "2025-07-30T00:00:00Z", "preco": 44950.55},
    "alvo": "2025-07-31T00:00:00Z",
    "release": _VERSION,
    "dados": {
        "fonte": "binance",
        "situacao": "atual",
        "candles_em_atraso": 0,
        "janela": "sha256:" + "0" * 64,
    },
}

_EXAMPLES: dict[str, dict[str, Any]] = {
    "/": {"message": "Cripto Prediction API", "version": "1.0.0", "docs": "/docs", "health": "/health"},
    "/health": {
        "status": "healthy",
        "models_loaded": True,
        **_MODELS,
        "release": _VERSION,
        "interval": "1d",
        "release_age_seconds": 3600.0,
        "candles": _CANDLES,
        "degraded": [],
        "intervals": [
            {
                "interval": "1d",
                "status": "healthy",
                "total_models": 5,
                "release": _VERSION,
                "release_age_seconds": 3600.0,
                "candles": _CANDLES,
            }
        ],
    },
    "/models": {
        **_MODELS,
        "last_loaded": "2025-07-29T21:30:00Z",
        "release": _VERSION,
        "refused": [],
        "interval": "1d",
    },
    "/symbol/{ativo}": _SYMBOL,
    "/predictions": {
        "total": 2,
        "total_erros": 1,
        "predicoes": [
            _SYMBOL,
            {
                "ativo": "BTX",
                "erro": {
                    "type": "urn:cripto:problema:ativo-desconhecido",
                    "title": "Ativo desconhecido",
                    "status": 404,
                    "detail": "Não há candles de BTX. Símbolos parecidos: BTC.",
                    "simbolos_proximos": ["BTC"],
                },
            },
        ],
    },
    "/symbols": {
        "total": 39,
        "ativos": [
            {
                "ativo": "BTC",
                "cotacao": "USDT",
                "fonte": "binance",
                "fechamento": "2025-07-30T00:00:00Z",
                "situacao": "atual",
                "candles_em_atraso": 0,
                "predicao": True,
                "motivo": None,
            },
            {
                "ativo": "NEW",
                "cotacao": "USDT",
                "fonte": "binance",
                "fechamento": "2025-07-30T00:00:00Z",
                "situacao": "atual",
                "candles_em_atraso": 0,
                "predicao": False,
                "motivo": "historico-insuficiente",
            },
        ],
        "proximo": "NEW",
        "intervalo": "1d",
    },
    "/reload": {
        "message": "Modelos recarregados com sucesso",
        "total_models": 5,
        "models": _NAMES,
        "release": _VERSION,
        "refused": [],
        "intervals": [{"interval": "1d", "release": _VERSION, "total_models": 5, "failed": None}],
    },
}


def document(app: FastAPI) -> None:
    """Complete the document FastAPI derives, once, when it is first asked for."""
    derive = app.openapi

    def complete() -> dict[str, Any]:
        known = app.openapi_schema
        value = derive()
        if value is not known:
            _add_problem_schema(value, ProblemAnswer)
            _add_examples(value)
        return value

    app.openapi = complete  # type: ignore[method-assign]


def _add_problem_schema(value: dict[str, Any], model: type[BaseModel]) -> None:
    schemas = value.setdefault("components", {}).setdefault("schemas", {})
    schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    # parameters that do not fit are told as problems too, so FastAPI's own schemas would be untrue
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    for operations in value["paths"].values():
        for operation in operations.values():
            answer = operation["responses"].get("422")
            if answer is not None and "application/json" in answer.get("content", {}):
                answer["content"] = problem
                answer["description"] = "Um parâmetro não tem a forma esperada."


def _add_examples(value: dict[str, Any]) -> None:
    for path, example in _EXAMPLES.items():
        value["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"] = example
