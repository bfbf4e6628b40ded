"""``GET /reload``: take up what the store holds now."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from cripto.errors import NoRelease, Unauthorized
from cripto.forecasting import Status
from cripto.serving.context import Context, json_response, problem_response
from cripto.serving.errors import reload_failed, slug_of
from cripto.serving.schemas import Reloaded, ReloadedInterval, problems, refusals

__all__ = ["reload_route"]


def reload_route(router: APIRouter, context: Context) -> None:
    """Add the route. The token is part of its OpenAPI operation only where one is set."""
    bearer = HTTPBearer(auto_error=False, description="O token de administração do serviço.")
    guarded = context.admin_token is not None

    @router.get(
        "/reload",
        response_model=Reloaded,
        summary="Recarregar os modelos",
        tags=["modelos"],
        dependencies=[Depends(bearer)] if guarded else [],
        responses=problems(401, 503) if guarded else problems(503),
    )
    async def reload(
        request: Request, authorization: Annotated[str | None, Header(include_in_schema=False)] = None
    ) -> Response:
        """Busca, verifica e testa a release atual de cada intervalo e só então a troca pela que está servindo.

        Pedidos simultâneos, ou repetidos cedo demais, recebem o mesmo resultado. Uma recarga que falha não muda
        o que está sendo servido.
        """
        if context.admin_token is not None and not _is_bearer(authorization, context.admin_token):
            raise Unauthorized
        result = await context.reloader.reload()
        name = context.services.default.interval.name
        status, error = result.statuses[name], result.failures.get(name)
        if error is not None or status.release is None:
            problem = reload_failed(error or NoRelease(interval=name), status.release)
            return problem_response(request, problem)
        answer = Reloaded(
            message="Modelos recarregados com sucesso",
            total_models=len(status.models),
            models=list(status.models),
            release=status.release,
            refused=refusals(status.refused),
            intervals=[_reloaded(one, result.failures.get(name)) for name, one in result.statuses.items()],
        )
        return json_response(answer.to_bytes())


def _reloaded(status: Status, error: Exception | None) -> ReloadedInterval:
    failed = error or (NoRelease() if status.release is None else None)
    return ReloadedInterval(
        interval=status.interval.name,
        release=status.release,
        total_models=len(status.models),
        failed=None if failed is None else slug_of(failed),
    )


def _is_bearer(header: str | None, token: str) -> bool:
    scheme, _, given = (header or "").partition(" ")
    # compared as bytes and in constant time: str is only compared so where it is ASCII
    same = hmac.compare_digest(given.strip().encode(errors="replace"), token.encode())
    return same and scheme.lower() == "bearer"
