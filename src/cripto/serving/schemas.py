"""Answers as pydantic models: what OpenAPI documents and golden tests hold. Field texts are for the API's users.

The seed's fields are a contract: names, types and nesting stay; fields may be added.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.json_schema import SkipJsonSchema

from cripto.domain.clock import rfc3339
from cripto.domain.forecast import Situacao
from cripto.forecasting import Part, Refusal

__all__ = [
    "Answer",
    "AssetFailure",
    "AssetProblem",
    "Candles",
    "ClassifierAnswer",
    "Dados",
    "Degradation",
    "Faixa",
    "Health",
    "IntervalHealth",
    "ListedAsset",
    "ModelList",
    "Predictions",
    "ProblemAnswer",
    "Refused",
    "RegressorAnswer",
    "Reloaded",
    "ReloadedInterval",
    "Root",
    "SymbolAnswer",
    "SymbolCandle",
    "SymbolList",
    "Verdict",
    "problems",
    "refusals",
]


def _is_none(value: object) -> bool:
    return value is None


Time = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]


class Answer(BaseModel):
    """What every answer of the API has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_bytes(self) -> bytes:
        """The answer as UTF-8 JSON; what was not said is absent, not null."""
        return self.model_dump_json(exclude_unset=True).encode()


class Root(Answer):
    """O que responde aqui, e onde está o resto."""

    message: str = Field(description="Nome do serviço.", examples=["Cripto Prediction API"])
    version: str = Field(description="Versão do serviço.", examples=["1.0.0"])
    docs: str = Field(description="Caminho da documentação interativa.", examples=["/docs"])
    health: str = Field(description="Caminho do health check.", examples=["/health"])


class Candles(Answer):
    """Quão recentes são os candles."""

    assets: int = Field(description="Ativos com candles.")
    sample: int = Field(description="Ativos servidos dos dados de exemplo; nunca contam como atrasados.")
    behind: int = Field(description="Ativos aos quais falta ao menos um candle.")
    with_gaps: int = Field(
        description="Ativos aos quais faltam candles entre os últimos, de que uma predição é feita."
    )
    missing: int = Field(description="Todos os candles que lhes faltam ali.")
    newest_close: Time | None = Field(description="Fechamento do candle mais recente entre todos os ativos.")
    oldest_close: Time | None = Field(description="Último fechamento do ativo mais atrasado.")
    newest_age_seconds: float | None = Field(description="Idade de `newest_close`, em segundos.")
    oldest_age_seconds: float | None = Field(description="Idade de `oldest_close`, em segundos.")


class Degradation(Answer):
    """Algo que não está como devia."""

    interval: str = Field(description="O intervalo de que se trata.", examples=["1d"])
    part: Part = Field(
        description="O que é afetado; `listings`: o que as bolsas dizem de seus pares; "
        "`cache`: a cópia no disco local."
    )
    reason: str = Field(
        description="Nome curto do motivo, como em `type` dos problemas.", examples=["candles-atrasados"]
    )
    detail: str = Field(description="O motivo por extenso.")


Verdict = Literal["healthy", "degraded", "unhealthy"]


class IntervalHealth(Answer):
    """O mesmo de um dos intervalos servidos."""

    interval: str = Field(description="Intervalo dos candles.", examples=["1h"])
    status: Verdict
    total_models: int = Field(description="Quantos modelos estão carregados.", examples=[5])
    release: str | None = Field(description="Release que está sendo servida.")
    release_age_seconds: float | None = Field(description="Idade da release, em segundos.")
    candles: Candles


class Health(Answer):
    """Se o serviço pode prever, com quais modelos, e o que está degradado."""

    status: Verdict = Field(
        description="`healthy`: prevê; `degraded`: prevê, mas algo está atrasado ou foi recusado; "
        "`unhealthy`: não há modelos de nenhum intervalo."
    )
    models_loaded: bool = Field(description="Se há modelos carregados.")
    total_models: int = Field(description="Quantos modelos estão carregados.", examples=[5])
    models: list[str] = Field(description="Nomes dos modelos carregados.")
    versions: dict[str, str] = Field(description="Versão de cada modelo carregado.")
    release: str | None = Field(description="Release que está sendo servida.", examples=["20250729-2130"])
    interval: str = Field(
        description="Intervalo padrão dos candles, do qual falam os outros campos.", examples=["1d"]
    )
    release_age_seconds: float | None = Field(description="Idade da release, em segundos.")
    candles: Candles
    degraded: list[Degradation] = Field(
        description="O que está degradado, de todos os intervalos; vazio quando nada está."
    )
    intervals: list[IntervalHealth] = Field(description="Cada intervalo servido, o padrão primeiro.")


class Refused(Answer):
    """Uma release, ou um arquivo de modelo sem release, que não foi aceita, e por quê."""

    release: str = Field(
        description="Versão da release ou do arquivo; vazia se o nome do arquivo não diz nenhuma.",
        examples=["20250730-0000"],
    )
    file: str | None = Field(description="O arquivo, se foi só ele.", examples=[None])
    reason: str = Field(description="O motivo, em inglês, como nos registros.")


def refusals(refused: Iterable[Refusal]) -> list[Refused]:
    """What ``refused`` says, as an answer says it."""
    return [Refused(release=item.release, file=item.file, reason=item.reason) for item in refused]


class ModelList(Answer):
    """Os modelos carregados."""

    total_models: int = Field(examples=[5])
    models: list[str]
    versions: dict[str, str]
    last_loaded: Time | None = Field(description="Quando os modelos foram carregados.")
    release: str | None = Field(description="Release que está sendo servida.")
    refused: list[Refused] = Field(description="A release a servir agora, ou arquivos sem release, se recusados.")
    interval: str = Field(description="Intervalo dos candles.", examples=["1d"])


class ReloadedInterval(Answer):
    """O que a recarga deu em um dos intervalos servidos."""

    interval: str = Field(description="Intervalo dos candles.", examples=["1h"])
    release: str | None = Field(description="Release que está sendo servida.")
    total_models: int = Field(examples=[5])
    failed: str | None = Field(
        description="Se a recarga falhou, o motivo: o nome curto de um problema.", examples=["sem-release"]
    )


class Reloaded(Answer):
    """O resultado de uma recarga; salvo `intervals`, os campos falam do intervalo padrão."""

    message: str = Field(examples=["Modelos recarregados com sucesso"])
    total_models: int = Field(examples=[5])
    models: list[str]
    release: str = Field(description="Release que está sendo servida.")
    refused: list[Refused] = Field(description="A release a servir agora, ou arquivos sem release, se recusados.")
    intervals: list[ReloadedInterval] = Field(description="Cada intervalo servido, o padrão primeiro.")


class Faixa(Answer):
    """Entre quais preços o de `alvo` deve ficar, com a probabilidade `nivel`; a predição está entre eles."""

    nivel: float = Field(gt=0, lt=1, description="Parte dos preços que a faixa deve conter.", examples=[0.8])
    minimo: float = Field(gt=0, description="O menor preço, em `cotacao`.", examples=[43900.0])
    maximo: float = Field(gt=0, description="O maior preço, em `cotacao`.", examples=[46100.0])


class RegressorAnswer(Answer):
    """Predição de um regressor: um preço."""

    predicao: float = Field(description="Preço previsto para `alvo`, em `cotacao`.", examples=[45000.5])
    modelo: str
    tipo: Literal["regressor"]
    versao: str
    variacao: float = Field(description="Variação simples prevista do preço até `alvo`: 0.01 é 1 %.")
    faixa: Faixa | SkipJsonSchema[None] = Field(
        default=None, description="A faixa de 80 %; ausente se a release não a conhece."
    )
    faixa_95: Faixa | SkipJsonSchema[None] = Field(
        default=None, description="A faixa de 95 %, em volta da de 80 %; ausente como ela."
    )


class ClassifierAnswer(Answer):
    """Predição de um classificador: se o preço sobe."""

    predicao: Literal[0, 1] = Field(
        description="1 exatamente quando `probabilidade` é maior que 0.5.", examples=[1]
    )
    probabilidade: float = Field(ge=0, le=1, description="Probabilidade de o preço subir.", examples=[0.75])
    modelo: str
    tipo: Literal["classifier"]
    versao: str
    calibrada: bool = Field(description="Se a probabilidade foi calibrada.")


class SymbolCandle(Answer):
    """O último candle fechado."""

    abertura: Time
    fechamento: Time
    preco: float = Field(description="Preço de fechamento, em `cotacao`.")


class Dados(Answer):
    """De onde vieram os candles."""

    fonte: str = Field(description="Fonte do último candle.")
    situacao: Situacao = Field(
        description="`atual`; `atrasado`: faltam candles; `amostra`: dados de exemplo; "
        "`retirado`: a exchange o retirou."
    )
    candles_em_atraso: int = Field(ge=0, description="Candles que já fecharam e ainda não chegaram.")
    janela: str = Field(description="SHA-256 dos candles usados.", pattern=r"^sha256:[0-9a-f]{64}$")
    par: str | SkipJsonSchema[None] = Field(
        default=None,
        exclude_if=_is_none,
        description="O par da bolsa, se ela negocia um múltiplo do ativo; senão este campo falta.",
        examples=["1000SATS/USDT"],
    )
    fator: Annotated[int, Field(ge=2)] | SkipJsonSchema[None] = Field(
        default=None,
        exclude_if=_is_none,
        description="Quantas unidades do ativo fazem uma do par; preços e volumes já são por unidade do ativo.",
        examples=[1000],
    )


class SymbolAnswer(Answer):
    """As predições de todos os modelos para um ativo."""

    ativo: str = Field(examples=["BTC"])
    timestamp: Time = Field(description="Fechamento do último candle: o momento para o qual a predição é feita.")
    modelos: Mapping[str, Annotated[RegressorAnswer | ClassifierAnswer, Field(discriminator="tipo")]]
    total_modelos: int = Field(examples=[5])
    cotacao: str = Field(description="Moeda dos preços.", examples=["USDT"])
    intervalo: str = Field(examples=["1d"])
    candle: SymbolCandle
    alvo: Time = Field(description="Fechamento do próximo candle: o momento previsto.")
    release: str
    novidade: float | SkipJsonSchema[None] = Field(
        default=None,
        ge=0,
        le=1,
        description="Parte dos exemplos de treino menos incomuns que estes candles: acima de 0.99 os modelos "
        "extrapolam; ausente se a release não sabe.",
        examples=[0.42],
    )
    dados: Dados


class AssetProblem(BaseModel):
    """Por que um ativo não tem predição; alguns tipos acrescentam campos, como `simbolos_proximos`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = Field(examples=["urn:cripto:problema:ativo-desconhecido"])
    title: str = Field(examples=["Ativo desconhecido"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["Não há candles de BTX. Símbolos parecidos: BTC."])


class AssetFailure(Answer):
    """Um ativo pedido que não tem predição."""

    ativo: str = Field(
        description="O ativo; como foi pedido, até 20 caracteres, se não é um símbolo.", examples=["BTX"]
    )
    erro: AssetProblem


class Predictions(Answer):
    """As predições de vários ativos, na ordem em que foram pedidos; ativos repetidos vêm uma vez."""

    total: int = Field(description="Quantos elementos tem `predicoes`.", examples=[2])
    total_erros: int = Field(description="Quantos deles são erros.", examples=[1])
    predicoes: list[SymbolAnswer | AssetFailure]


class ListedAsset(Answer):
    """Um ativo com candles."""

    ativo: str = Field(examples=["BTC"])
    cotacao: str = Field(description="Moeda dos preços.", examples=["USDT"])
    fonte: str = Field(description="Fonte do último candle.", examples=["binance"])
    fechamento: Time = Field(description="Fechamento do último candle.")
    situacao: Situacao = Field(description="Como em `dados.situacao` de uma predição.")
    candles_em_atraso: int = Field(ge=0, description="Candles que já fecharam e ainda não chegaram.")
    predicao: bool = Field(description="Se os candles bastam para uma predição.")
    motivo: str | None = Field(
        description="Se não bastam, o motivo: o nome curto de um problema.", examples=["historico-insuficiente"]
    )


class SymbolList(Answer):
    """Uma página dos ativos com candles, em ordem alfabética."""

    total: int = Field(description="Quantos ativos há ao todo.")
    ativos: list[ListedAsset]
    proximo: str | None = Field(description="O `apos` da próxima página; nulo na última.", examples=["BTC"])
    intervalo: str = Field(description="Intervalo dos candles.", examples=["1d"])


class ProblemAnswer(BaseModel):
    """Um problema, como na RFC 9457. Alguns tipos acrescentam campos, como `simbolos_proximos`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:cripto:problema:ativo-desconhecido"])
    title: str = Field(examples=["Ativo desconhecido"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["Não há candles de BTX. Símbolos parecidos: BTC."])
    instance: str
    request_id: str


def problems(
    *statuses: int,
    missing: str = "Não há candles do ativo (`simbolos_proximos` traz os parecidos), ou o intervalo não é servido "
    "aqui (`intervalos` traz os que são).",
    unusable: str = "Ativo malformado, histórico insuficiente, lacuna no histórico, ou não há tal `intervalo`.",
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's ``responses`` for the statuses at which a route tells a problem.

    ``missing`` describes a 404 and ``unusable`` a 422.
    """
    reasons = {
        401: "Token de administração ausente ou errado.",
        410: "Nenhuma bolsa negocia mais o ativo; `bolsas` diz quais o negociavam.",
        404: missing,
        422: unusable,
        500: "O serviço falhou; nada da falha é mostrado.",
        503: "Ainda não é possível responder; veja `Retry-After`.",
    }
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    return {
        status: {"description": reasons[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in statuses
    }
