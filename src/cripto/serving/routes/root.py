"""``GET /``: what answers here."""

from fastapi import APIRouter
from starlette.responses import Response

from cripto.serving.context import Context, json_response
from cripto.serving.schemas import Root

__all__ = ["root_route"]


def root_route(router: APIRouter, context: Context) -> None:
    """Add the route."""
    body = Root(
        message="Cripto Prediction API", version=context.version, docs="/docs", health="/health"
    ).to_bytes()

    @router.get("/", response_model=Root, summary="Identificação do serviço", tags=["serviço"])
    async def root() -> Response:
        """Nome e versão do serviço, e onde estão a documentação e o health check."""
        return json_response(body)
