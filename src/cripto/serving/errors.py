"""The one table from our errors to what the API says of them, and the problems HTTP itself has.

Rows are found along an error's classes, nearest first; every class of `cripto.errors` has its own. Details are
Portuguese and come from typed attributes, never from an exception's text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cripto.domain.clock import rfc3339
from cripto.errors import (
    CallerError,
    CriptoError,
    ExchangeDenied,
    ExchangeUnavailable,
    HistoryGap,
    InsufficientHistory,
    IntervalNotServed,
    InvalidAsset,
    InvalidInput,
    InvalidSettings,
    ModelRefused,
    NoRelease,
    ObjectNotFound,
    OperatorError,
    Overloaded,
    ReleaseRefused,
    RetiredAsset,
    RetryLater,
    StorageDenied,
    StorageUnavailable,
    TrainingRefused,
    Unauthorized,
    UnknownAsset,
    UnknownInterval,
    UnknownPair,
    UnknownRelease,
    WriteConflict,
)
from cripto.serving.problems import Problem

__all__ = [
    "INTERNAL_ERROR",
    "TABLE",
    "Row",
    "http_problem",
    "invalid_assets",
    "invalid_request",
    "problem_of",
    "reload_failed",
    "slug_of",
]

_Explain = Callable[[Any], tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Row:
    """How one class of errors is told: status, slug, title, and what gives detail and members from an error."""

    status: int
    slug: str
    title: str
    explain: _Explain
    headers: Mapping[str, str] | None = None


def _says(detail: str) -> _Explain:
    return lambda _: (detail, {})


def _unknown_asset(error: UnknownAsset) -> tuple[str, Mapping[str, Any]]:
    detail = f"Não há candles de {error.asset}."
    if error.nearest:
        detail += f" Símbolos parecidos: {', '.join(error.nearest)}."
    return detail, {"simbolos_proximos": list(error.nearest)}


def _retired_asset(error: RetiredAsset) -> tuple[str, Mapping[str, Any]]:
    closed, exchanges = rfc3339(error.closed), list(error.exchanges)
    return (
        f"{error.asset} não é mais negociado em {error.quote}, segundo {' e '.join(exchanges)}. "
        f"O último candle fechou em {closed}.",
        {"situacao": "retirado", "bolsas": exchanges, "cotacao": error.quote, "ultimo_fechamento": closed},
    )


def _insufficient_history(error: InsufficientHistory) -> tuple[str, Mapping[str, Any]]:
    return (
        f"{error.asset} tem {error.available} candles e a predição precisa de {error.needed}.",
        {"candles_disponiveis": error.available, "candles_necessarios": error.needed},
    )


def _history_gap(error: HistoryGap) -> tuple[str, Mapping[str, Any]]:
    after, before = rfc3339(error.after), rfc3339(error.before)
    return (
        f"Faltam candles de {error.asset} entre {after} e {before}, dentro da janela da predição.",
        {"lacuna": {"depois_de": after, "antes_de": before}},
    )


def _unknown_interval(error: UnknownInterval) -> tuple[str, Mapping[str, Any]]:
    return f"Os intervalos são {', '.join(error.known)}.", {"intervalos": list(error.known)}


def _interval_not_served(error: IntervalNotServed) -> tuple[str, Mapping[str, Any]]:
    return (
        f"O intervalo {error.interval} não é servido aqui. São servidos: {', '.join(error.served)}.",
        {"intervalos": list(error.served)},
    )


def _no_release(error: NoRelease) -> tuple[str, Mapping[str, Any]]:
    of = "" if error.interval is None else f" de {error.interval}"
    return f"Ainda não há modelos{of} carregados. Tente de novo em breve.", {}


def _unknown_release(error: UnknownRelease) -> tuple[str, Mapping[str, Any]]:
    return f"Não há release {error.version}.", {}


def _unknown_pair(error: UnknownPair) -> tuple[str, Mapping[str, Any]]:
    return f"{error.exchange} não lista {error.pair}.", {"bolsa": error.exchange, "par": error.pair}


def _exchange_unavailable(error: ExchangeUnavailable) -> tuple[str, Mapping[str, Any]]:
    return f"{error.exchange} não respondeu como devia. Tente de novo em breve.", {"bolsa": error.exchange}


def _exchange_denied(error: ExchangeDenied) -> tuple[str, Mapping[str, Any]]:
    return f"{error.exchange} recusa este serviço; use outra bolsa.", {"bolsa": error.exchange}


def _release_refused(error: ReleaseRefused) -> tuple[str, Mapping[str, Any]]:
    return (
        f"A release {error.release} foi recusada; /models diz o motivo.",
        {"release": error.release},
    )


def _model_refused(error: ModelRefused) -> tuple[str, Mapping[str, Any]]:
    return f"O modelo {error.model} não deu uma resposta utilizável.", {"modelo": error.model}


TABLE: Mapping[type[CriptoError], Row] = {
    InvalidAsset: Row(
        422,
        "ativo-invalido",
        "Ativo inválido",
        _says("Um ativo tem de 1 a 20 letras ou algarismos, sem espaços, acentos ou sinais."),
    ),
    UnknownAsset: Row(404, "ativo-desconhecido", "Ativo desconhecido", _unknown_asset),
    RetiredAsset: Row(410, "ativo-retirado", "Ativo retirado", _retired_asset),
    InsufficientHistory: Row(422, "historico-insuficiente", "Histórico insuficiente", _insufficient_history),
    HistoryGap: Row(422, "lacuna-no-historico", "Lacuna no histórico", _history_gap),
    InvalidInput: Row(
        422, "entrada-invalida", "Entrada inválida", _says("A requisição tem um valor que não pode ser usado.")
    ),
    UnknownInterval: Row(422, "intervalo-invalido", "Intervalo inválido", _unknown_interval),
    IntervalNotServed: Row(404, "intervalo-nao-servido", "Intervalo não servido", _interval_not_served),
    UnknownRelease: Row(404, "release-desconhecida", "Release desconhecida", _unknown_release),
    UnknownPair: Row(404, "par-desconhecido", "Par desconhecido", _unknown_pair),
    Unauthorized: Row(
        401,
        "nao-autorizado",
        "Não autorizado",
        _says("Envie o token de administração em Authorization: Bearer."),
        {"www-authenticate": 'Bearer realm="cripto"'},
    ),
    NoRelease: Row(
        503,
        "sem-release",
        "Nenhuma release carregada",
        _no_release,
    ),
    StorageUnavailable: Row(
        503,
        "armazenamento-indisponivel",
        "Armazenamento indisponível",
        _says("O armazenamento não respondeu. Tente de novo em breve."),
    ),
    ExchangeUnavailable: Row(503, "bolsa-indisponivel", "Bolsa indisponível", _exchange_unavailable),
    Overloaded: Row(
        503, "sobrecarga", "Sobrecarga", _says("Há pedidos demais esperando resposta. Tente de novo em breve.")
    ),
    WriteConflict: Row(
        503,
        "escrita-concorrente",
        "Escrita concorrente",
        _says("Outra escrita chegou antes. Tente de novo em breve."),
    ),
    InvalidSettings: Row(
        500, "configuracao-invalida", "Configuração inválida", _says("O serviço está mal configurado.")
    ),
    StorageDenied: Row(
        503,
        "armazenamento-negado",
        "Acesso ao armazenamento negado",
        _says("O armazenamento recusou as credenciais do serviço."),
    ),
    ExchangeDenied: Row(503, "bolsa-negada", "Acesso à bolsa negado", _exchange_denied),
    ObjectNotFound: Row(
        503, "objeto-ausente", "Objeto ausente", _says("Falta no armazenamento um objeto que devia existir.")
    ),
    ReleaseRefused: Row(503, "release-recusada", "Release recusada", _release_refused),
    ModelRefused: Row(500, "modelo-recusado", "Modelo recusado", _model_refused),
    TrainingRefused: Row(
        500, "treino-recusado", "Treino recusado", _says("Não há candles suficientes ou utilizáveis para treinar.")
    ),
    CallerError: Row(400, "requisicao-recusada", "Requisição recusada", _says("A requisição precisa ser mudada.")),
    RetryLater: Row(503, "tente-mais-tarde", "Tente mais tarde", _says("Tente de novo em breve.")),
    OperatorError: Row(
        500, "intervencao-necessaria", "Intervenção necessária", _says("Quem opera o serviço precisa agir.")
    ),
    CriptoError: Row(500, "erro-do-servico", "Erro do serviço", _says("O serviço não pôde responder.")),
}
"""Every class of `cripto.errors`, and how it is told."""

INTERNAL_ERROR = Problem(
    500, "erro-interno", "Erro interno", "O serviço falhou; o registro de erros guarda este request_id."
)
"""What is said of an error nobody foresaw: nothing about it."""

_HTTP = {
    404: ("rota-desconhecida", "Rota desconhecida", "Não há nada neste caminho; /docs mostra as rotas."),
    405: ("metodo-nao-permitido", "Método não permitido", "Esta rota não aceita esse método."),
}


def slug_of(error: BaseException) -> str:
    """The slug an error is told, counted and listed under; ``erro-interno`` if it is none of ours."""
    row = _row(error)
    return INTERNAL_ERROR.slug if row is None else row.slug


def problem_of(error: BaseException) -> Problem:
    """The problem that tells ``error``; `INTERNAL_ERROR` if it is none of ours."""
    row = _row(error)
    if row is None:
        return INTERNAL_ERROR
    detail, members = row.explain(error)
    return Problem(row.status, row.slug, row.title, detail, members, row.headers or {})


def http_problem(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a bare HTTP status, such as that of an unknown path."""
    phrase = HTTPStatus(status).phrase
    slug, title, detail = _HTTP.get(status, (f"http-{status}", phrase, phrase))
    return Problem(
        status, slug, title, detail, extra_headers={key.lower(): text for key, text in (headers or {}).items()}
    )


def invalid_request(fields: list[dict[str, str]]) -> Problem:
    """The problem for a request whose parameters do not fit; ``fields`` are ``{"campo", "regra"}``."""
    return Problem(
        422,
        "requisicao-invalida",
        "Requisição inválida",
        "Um parâmetro da requisição não tem a forma esperada.",
        {"erros": fields},
    )


def invalid_assets(rule: str, limit: int) -> Problem:
    """The problem of a list of assets that is ``missing`` or ``too_long``: it takes 1 to ``limit``."""
    return Problem(
        422,
        "requisicao-invalida",
        "Requisição inválida",
        f"O parâmetro ativos pede de 1 a {limit} símbolos separados por vírgulas.",
        {"erros": [{"campo": "query.ativos", "regra": rule}], "limite": limit},
    )


def reload_failed(error: BaseException, serving: str | None) -> Problem:
    """The problem of a reload that failed; ``serving`` is the release that is served on, if any."""
    cause = problem_of(error)
    kept = "Nada estava carregado." if serving is None else f"A release {serving} continua sendo servida."
    return Problem(
        503,
        "recarga-falhou",
        "A recarga falhou",
        f"{cause.title}. {kept}",
        {"causa": cause.slug, "release": serving},
    )


def _row(error: BaseException) -> Row | None:
    for cls in type(error).__mro__:
        if issubclass(cls, CriptoError) and cls in TABLE:
            return TABLE[cls]
    return None
