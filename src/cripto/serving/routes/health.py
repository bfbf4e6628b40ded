"""``GET /health``: whether the service can predict, and what is not as it should be."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header
from starlette.responses import Response

from cripto.domain.clock import Clock
from cripto.forecasting import Status
from cripto.serving.context import Context, json_response
from cripto.serving.errors import problem_of
from cripto.serving.schemas import Candles, Degradation, Health

__all__ = ["health_of", "health_route"]


def health_route(router: APIRouter, context: Context) -> None:
    """Add the route."""

    @router.get(
        "/health",
        response_model=Health,
        summary="Health check",
        tags=["serviço"],
        responses={503: {"model": Health, "description": "Nenhum modelo carregado (`unhealthy`)."}},
    )
    async def health(
        x_probe: Annotated[
            str | None,
            Header(description="`liveness` responde 200 enquanto o processo vive.", examples=["liveness"]),
        ] = None,
    ) -> Response:
        """Diz se o serviço pode prever, com quais modelos, e o que está degradado.

        Com o cabeçalho `X-Probe: liveness` o status HTTP é 200 enquanto o processo vive, haja modelos ou não.
        """
        answer = health_of(context.service.status(), context.clock)
        alive = answer.status != "unhealthy" or x_probe == "liveness"
        return json_response(answer.to_bytes(), 200 if alive else 503)


def health_of(status: Status, clock: Clock) -> Health:
    """What ``status`` comes to, for probes and people."""
    degraded = _degradations(status)
    verdict: Literal["healthy", "degraded", "unhealthy"] = "degraded" if degraded else "healthy"
    if not status.models:
        verdict = "unhealthy"
    age = None
    if status.release_created is not None:
        age = max(0.0, (clock.now() - status.release_created).total_seconds())
    candles = status.candles
    return Health(
        status=verdict,
        models_loaded=bool(status.models),
        total_models=len(status.models),
        models=list(status.models),
        versions=dict(status.versions),
        release=status.release,
        interval=status.interval.name,
        release_age_seconds=age,
        candles=Candles(
            assets=candles.assets,
            sample=candles.sample,
            behind=candles.behind,
            newest_close=candles.newest_close,
            oldest_close=candles.oldest_close,
            newest_age_seconds=candles.newest_age,
            oldest_age_seconds=candles.oldest_age,
        ),
        degraded=degraded,
    )


def _degradations(status: Status) -> list[Degradation]:
    found = []
    for problem in status.problems:
        told = problem_of(problem.error)
        found.append(Degradation(part=problem.part, reason=told.slug, detail=told.detail))
    # a name that is not understood was never meant for us: it is listed, and no reason to worry
    if files := [item.file for item in status.refused if item.file is not None and item.release]:
        detail = f"{len(files)} arquivos de modelo foram recusados; /models diz quais e por quê."
        found.append(Degradation(part="release", reason="arquivos-recusados", detail=detail))
    if status.models and status.candles.assets == 0:
        found.append(Degradation(part="candles", reason="sem-candles", detail="Não há candles de nenhum ativo."))
    if status.candles.stale:
        detail = "Todos os ativos estão atrasados: já fecharam candles que não chegaram."
        found.append(Degradation(part="candles", reason="candles-atrasados", detail=detail))
    return found
