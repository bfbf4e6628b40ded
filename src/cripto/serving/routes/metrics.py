"""``GET /metrics``: what Prometheus reads."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cripto.serving.compression import Content, send
from cripto.serving.context import Context
from cripto.serving.metrics import CONTENT_TYPE

__all__ = ["metrics_route"]


def metrics_route(router: APIRouter, context: Context) -> None:
    """Add the route."""

    @router.get(
        "/metrics",
        summary="Métricas",
        tags=["serviço"],
        response_class=PlainTextResponse,
        response_description="Métricas no formato de texto do Prometheus.",
    )
    async def metrics(request: Request) -> Response:
        """Modelos carregados, tempo e erros das predições, idades da release e dos candles, requisições."""
        body = await context.scrapes.run(context.metrics.render)
        content = Content(body, CONTENT_TYPE, {"cache-control": "no-store"})
        return await send(request, content, context.scrapes)
