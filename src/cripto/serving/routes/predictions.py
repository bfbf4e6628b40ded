"""``GET /predictions``: the forecasts of many assets at once, made of the very bytes that each one has alone."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cripto.domain.asset import parse_asset
from cripto.errors import CriptoError, InvalidAsset
from cripto.forecasting import Answer
from cripto.serving.caching import entity_tag
from cripto.serving.compression import Content, send
from cripto.serving.context import Context, problem_response
from cripto.serving.errors import invalid_assets, problem_of, slug_of
from cripto.serving.negotiation import header_of, preferred_media
from cripto.serving.schemas import Predictions, problems

__all__ = ["predictions_route"]

_MOST_ASSETS = 200
_ECHOED = 20
_SECONDS_WITH_ERRORS = 5
_JSON, _LINES = "application/json", "application/x-ndjson"
_ASSETS: dict[str, Any] = {
    "name": "ativos",
    "in": "query",
    "required": True,
    "description": f"De 1 a {_MOST_ASSETS} símbolos separados por vírgulas, maiúsculos ou minúsculos.",
    "style": "form",
    "explode": False,
    # an asset may be malformed, and is then told so in its place; but something must be asked for
    "schema": {
        "type": "array",
        "items": {"type": "string", "pattern": r"^[^,]*[^, \t][^,]*$"},
        "minItems": 1,
        "maxItems": _MOST_ASSETS,
    },
    "example": ["BTC", "ETH"],
}
_LINES_CONTENT = {
    "schema": {"type": "string", "description": "Um elemento de `predicoes` por linha, na mesma ordem."}
}

_Asked = Mapping[str, InvalidAsset | None]
"""Upper-case symbols, and as they were written those that are none, with the error that says so."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """The entries in the order asked for, what each is known by, and until when the first of them holds."""

    bodies: list[bytes]
    tags: list[bytes]
    expires: datetime | None
    errors: Counter[str]


def predictions_route(router: APIRouter, context: Context) -> None:
    """Add the route."""

    @router.get(
        "/predictions",
        response_model=Predictions,
        summary="Predições para vários ativos",
        tags=["predições"],
        # written by hand: a list in one parameter, parted by commas, is a form that FastAPI does not know
        openapi_extra={"parameters": [_ASSETS]},
        responses={
            200: {"content": {_LINES: _LINES_CONTENT}},
            304: {"description": "A resposta que `If-None-Match` nomeia ainda vale."},
            **problems(422, 500, 503, unusable="`ativos` falta, está vazio ou é longo demais."),
        },
    )
    async def predictions(request: Request) -> Response:
        """As predições de até 200 ativos, cada uma exatamente como em `/symbol/{ativo}`, na ordem pedida.

        Um ativo sem predição não impede as outras: em seu lugar vêm `ativo` e `erro`. Com
        `Accept: application/x-ndjson` a resposta traz um ativo por linha.
        """
        texts = ",".join(request.query_params.getlist("ativos")).split(",", _MOST_ASSETS)
        if len(texts) > _MOST_ASSETS:
            return problem_response(request, invalid_assets("too_long", _MOST_ASSETS))
        asked = _asked(texts)
        if not asked:
            return problem_response(request, invalid_assets("missing", _MOST_ASSETS))
        batch = await _counted(context, asked)
        media = preferred_media(header_of(request, "accept"), (_JSON, _LINES))
        content = Content(
            body=_lines(batch) if media == _LINES else _document(batch),
            media_type=media,
            headers={"cache-control": _cache_control(context, batch), "vary": "Accept, Accept-Encoding"},
            etag=entity_tag([media.encode(), *batch.tags]),
        )
        return await send(request, content, context.desk)


async def _counted(context: Context, asked: _Asked) -> _Batch:
    started = perf_counter()
    try:
        held = context.service.all_held(asked)
        if held is not None:
            return _batch(asked, held)
        batch = await context.desk.run(partial(_worked_out, context, asked))
        for slug, count in batch.errors.items():
            context.metrics.prediction_error(slug, count)
        return batch
    except Exception as error:
        context.metrics.prediction_error(slug_of(error), len(asked))
        raise
    finally:
        context.metrics.prediction(perf_counter() - started, len(asked))


def _worked_out(context: Context, asked: _Asked) -> _Batch:
    return _batch(asked, context.service.answers([text for text, error in asked.items() if error is None]))


def _asked(texts: list[str]) -> _Asked:
    asked: dict[str, InvalidAsset | None] = {}
    for text in filter(None, (text.strip(" \t") for text in texts)):
        try:
            asked[parse_asset(text)] = None
        except InvalidAsset as error:
            asked[text] = error
    return asked


def _batch(asked: _Asked, answers: Mapping[str, Answer | CriptoError] | Mapping[str, Answer]) -> _Batch:
    bodies: list[bytes] = []
    tags: list[bytes] = []
    expiries: list[datetime] = []
    errors: Counter[str] = Counter()
    told: set[bytes] = set()
    for text, invalid in asked.items():
        outcome = invalid or answers[text]
        if isinstance(outcome, Answer):
            if outcome.tag in told:
                continue  # by another of its names
            told.add(outcome.tag)
            bodies.append(outcome.body)
            tags.append(outcome.tag)
            expiries.append(outcome.expires)
        else:
            body = _failure(text, outcome)
            bodies.append(body)
            tags.append(body)
            errors[slug_of(outcome)] += 1
    return _Batch(bodies, tags, min(expiries, default=None), errors)


def _failure(text: str, error: CriptoError) -> bytes:
    problem = problem_of(error)
    value = {"ativo": text[:_ECHOED], "erro": {**problem.kind, **problem.members}}
    # all of it in ASCII: what was asked for may hold anything, line ends of every alphabet too
    return json.dumps(value, separators=(",", ":")).encode()


def _document(batch: _Batch) -> bytes:
    counts = b'{"total":%d,"total_erros":%d,"predicoes":[' % (len(batch.bodies), batch.errors.total())
    return counts + b",".join(batch.bodies) + b"]}"


def _lines(batch: _Batch) -> bytes:
    return b"\n".join([*batch.bodies, b""])


def _cache_control(context: Context, batch: _Batch) -> str:
    seconds = math.inf if batch.expires is None else (batch.expires - context.clock.now()).total_seconds()
    # an error may pass with the next release or candle, and says so to nobody
    return context.cache_control.within(min(seconds, _SECONDS_WITH_ERRORS) if batch.errors else seconds).decode()
