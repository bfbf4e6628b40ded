"""``GET /health``: whether the service can predict, and what is not as it should be."""

from collections.abc import Sequence
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from cripto.domain.clock import Clock
from cripto.errors import NoRelease
from cripto.forecasting import Part, Status
from cripto.serving.context import Context, json_response
from cripto.serving.errors import problem_of
from cripto.serving.schemas import Candles, Degradation, Health, IntervalHealth, Verdict

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
        answer = health_of(list(context.services.statuses().values()), context.clock)
        alive = answer.status != "unhealthy" or x_probe == "liveness"
        return json_response(answer.to_bytes(), 200 if alive else 503)


def health_of(statuses: Sequence[Status], clock: Clock) -> Health:
    """What the ``statuses`` come to, for probes and people; the first is that of the default interval."""
    alive = any(status.models for status in statuses)
    found = {status.interval.name: _degradations(status, alive=alive) for status in statuses}
    intervals = [_interval_health(status, found[status.interval.name], clock) for status in statuses]
    default, own = statuses[0], intervals[0]
    degraded = list(chain.from_iterable(found.values()))
    return Health(
        status=_verdict(alive, degraded),
        models_loaded=bool(default.models),
        total_models=len(default.models),
        models=list(default.models),
        versions=dict(default.versions),
        release=default.release,
        interval=default.interval.name,
        release_age_seconds=own.release_age_seconds,
        candles=own.candles,
        degraded=degraded,
        intervals=intervals,
    )


def _verdict(loaded: bool, degraded: Sequence[Degradation]) -> Verdict:
    if not loaded:
        return "unhealthy"
    return "degraded" if degraded else "healthy"


def _interval_health(status: Status, degraded: Sequence[Degradation], clock: Clock) -> IntervalHealth:
    age = None
    if status.release_created is not None:
        age = max(0.0, (clock.now() - status.release_created).total_seconds())
    candles = status.candles
    return IntervalHealth(
        interval=status.interval.name,
        status=_verdict(bool(status.models), degraded),
        total_models=len(status.models),
        release=status.release,
        release_age_seconds=age,
        candles=Candles(
            assets=candles.assets,
            sample=candles.sample,
            behind=candles.behind,
            with_gaps=candles.gapped,
            missing=candles.missing,
            newest_close=candles.newest_close,
            oldest_close=candles.oldest_close,
            newest_age_seconds=candles.newest_age,
            oldest_age_seconds=candles.oldest_age,
        ),
    )


def _degradations(status: Status, *, alive: bool) -> list[Degradation]:
    """What is wrong with one interval; ``alive`` is whether any can predict."""
    found = []

    def find(part: Part, reason: str, detail: str) -> None:
        found.append(Degradation(interval=status.interval.name, part=part, reason=reason, detail=detail))

    for problem in status.problems:
        told = problem_of(problem.error)
        find(problem.part, told.slug, told.detail)
    if alive and not status.models and all(problem.part != "release" for problem in status.problems):
        told = problem_of(NoRelease(interval=status.interval.name))
        find("release", told.slug, told.detail)
    # a name that is not understood was never meant for us: it is listed, and no reason to worry
    if files := [item.file for item in status.refused if item.file is not None and item.release]:
        detail = f"{len(files)} arquivos de modelo foram recusados; /models diz quais e por quê."
        find("release", "arquivos-recusados", detail)
    if status.models and status.candles.assets == 0:
        find("candles", "sem-candles", "Não há candles de nenhum ativo.")
    if status.candles.stale:
        detail = "Todos os ativos estão atrasados: já fecharam candles que não chegaram."
        find("candles", "candles-atrasados", detail)
    return found
