"""``GET /symbols``: the assets there are candles of, in pages."""

import json
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from cripto.domain.asset import ASSET_PATTERN, parse_asset
from cripto.domain.clock import rfc3339
from cripto.domain.forecast import situacao_of
from cripto.errors import CriptoError
from cripto.serving.caching import entity_tag
from cripto.serving.compression import Content, send
from cripto.serving.context import Context
from cripto.serving.errors import slug_of
from cripto.serving.schemas import SymbolList, problems

__all__ = ["symbols_route"]

_MOST = 1000


def symbols_route(router: APIRouter, context: Context) -> None:
    """Add the route."""

    @router.get(
        "/symbols",
        response_model=SymbolList,
        summary="Ativos com candles",
        tags=["predições"],
        responses={
            200: {"headers": {"Link": {"description": "A próxima página, se há.", "schema": {"type": "string"}}}},
            304: {"description": "A página que `If-None-Match` nomeia ainda vale."},
            **problems(422, 503, unusable="`limite` ou `apos` não tem a forma esperada."),
        },
    )
    async def symbols(
        request: Request,
        limite: Annotated[int, Query(ge=1, le=_MOST, description="Quantos ativos por página.")] = 100,
        # checked by the domain, as every asset
        apos: Annotated[
            str | None,
            Query(
                description="Só ativos depois deste, em ordem alfabética; não precisa existir.",
                examples=["BTC"],
                json_schema_extra={"pattern": ASSET_PATTERN},
            ),
        ] = None,
    ) -> Response:
        """Os ativos em ordem alfabética: último candle, quão recente é, cotação, e se há predição.

        Para percorrer todos, peça `apos` igual a `proximo` até que seja nulo, ou siga o cabeçalho `Link`.
        Ativos que entram ou saem enquanto isso não fazem nenhum outro faltar ou repetir.
        """
        after = "" if apos is None else parse_asset(apos)
        page = partial(_page, context, after, limite)
        return await send(request, await context.desk.run(page), context.desk)


def _page(context: Context, after: str, limit: int) -> Content:
    windows, now, interval = context.service.windows(), context.clock.now(), context.service.interval
    # one more than asked for tells whether there is another page
    found = windows.after(after, limit + 1)
    ages: dict[datetime, tuple[str, int]] = {}  # most candles end together
    listed = []
    for last in found[:limit]:
        if last.opened not in ages:
            closed = interval.close_of(last.opened)
            ages[last.opened] = rfc3339(closed), interval.missed_since(closed, now)
        closed_at, missed = ages[last.opened]
        window = windows.by_symbol[last.symbol]
        reason = slug_of(window) if isinstance(window, CriptoError) else None
        # plain values, as `ListedAsset` has them: a model each would take twice the time of all the rest
        listed.append(
            {
                "ativo": last.symbol,
                "cotacao": last.quote,
                "fonte": last.source,
                "fechamento": closed_at,
                "situacao": "retirado" if last.retired else situacao_of(missed, sample=last.sample),
                "candles_em_atraso": missed,
                "predicao": reason is None,
                "motivo": reason,
            }
        )
    following = found[limit - 1].symbol if len(found) > limit else None
    value = {"total": len(windows.last_candles), "ativos": listed, "proximo": following}
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    seconds = (interval.close_of(interval.floor(now)) - now).total_seconds()
    headers = {"cache-control": context.cache_control.within(seconds).decode()}
    if following is not None:
        # relative, so that it also holds behind a proxy which serves us under a path of its own
        headers["link"] = f'<symbols?limite={limit}&apos={following}>; rel="next"'
    return Content(body, "application/json", headers, entity_tag([body]))
