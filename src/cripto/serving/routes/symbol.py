"""``GET /symbol/{ativo}``: the forecast of one asset, as encoded bytes under an entity tag.

Answers at hand are given by `cripto.serving.fast_lane`; this route documents them, and works out the others.
"""

from functools import partial
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from cripto.domain.asset import ASSET_PATTERN, parse_asset
from cripto.serving.caching import matches
from cripto.serving.context import Context
from cripto.serving.errors import slug_of
from cripto.serving.fast_lane import SYMBOL_ROUTE
from cripto.serving.negotiation import header_of
from cripto.serving.schemas import SymbolAnswer, problems

__all__ = ["symbol_route"]

_DESCRIPTION = "Símbolo do ativo: 1 a 20 letras ou algarismos, maiúsculas ou minúsculas."


def symbol_route(router: APIRouter, context: Context) -> None:
    """Add the route."""

    @router.get(
        SYMBOL_ROUTE,
        response_model=SymbolAnswer,
        summary="Predições para um ativo",
        tags=["predições"],
        responses={
            304: {"description": "A resposta que `If-None-Match` nomeia ainda vale."},
            **problems(404, 410, 422, 500, 503),
        },
    )
    async def symbol(
        request: Request,
        # the pattern is documented here and checked by the domain, so that every asset is refused in one way
        ativo: Annotated[
            str,
            Path(description=_DESCRIPTION, examples=["BTC"], json_schema_extra={"pattern": ASSET_PATTERN}),
        ],
    ) -> Response:
        """As predições dos cinco modelos para o fechamento do próximo candle.

        A resposta só muda quando um candle fecha ou uma release chega. Guarde o `ETag` e envie-o em
        `If-None-Match`: enquanto nada muda a resposta é 304, sem corpo.
        """
        started = perf_counter()
        try:
            answer = context.service.held(parse_asset(ativo))
            if answer is None:
                answer = await context.desk.run(partial(context.service.answer, ativo))
        except Exception as error:
            context.metrics.prediction_error(slug_of(error))
            raise
        finally:
            context.metrics.prediction(perf_counter() - started)
        headers = {
            "etag": answer.etag,
            "cache-control": context.cache_control.of(answer, context.clock.now()).decode(),
        }
        if matches(header_of(request, "if-none-match"), answer.etag):
            return Response(status_code=304, headers=headers)
        return Response(answer.body, headers=headers, media_type="application/json")
