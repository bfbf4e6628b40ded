"""``GET /models``: what is loaded, and what was refused."""

from fastapi import APIRouter
from starlette.responses import Response

from cripto.serving.context import Context, json_response
from cripto.serving.routes.interval import Intervalo
from cripto.serving.schemas import ModelList, problems, refusals

__all__ = ["models_route"]


def models_route(router: APIRouter, context: Context) -> None:
    """Add the route."""

    @router.get(
        "/models",
        response_model=ModelList,
        summary="Modelos carregados",
        tags=["modelos"],
        responses=problems(
            404,
            422,
            missing="O intervalo não é servido aqui; `intervalos` traz os que são.",
            unusable="Não há tal `intervalo`.",
        ),
    )
    async def models(intervalo: Intervalo = None) -> Response:
        """Os modelos que estão respondendo, suas versões, e as releases que foram recusadas."""
        status = context.services.of(intervalo).status()
        answer = ModelList(
            total_models=len(status.models),
            models=list(status.models),
            versions=dict(status.versions),
            last_loaded=status.loaded_at,
            release=status.release,
            refused=refusals(status.refused),
            interval=status.interval.name,
        )
        return json_response(answer.to_bytes())
