"""What routes share: made once per application and handed to each of them, never global."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from cripto.domain.clock import Clock
from cripto.serving.caching import CacheControl
from cripto.serving.desk import Desk
from cripto.serving.metrics import Metrics
from cripto.serving.problems import MEDIA_TYPE, Problem
from cripto.serving.reloading import Reloader
from cripto.serving.request_id import request_id_of
from cripto.serving.services import Services

__all__ = ["Context", "json_response", "problem_response"]


@dataclass(frozen=True, slots=True)
class Context:
    """One application's parts. ``desk`` works out what is not at hand, ``scrapes`` is for metrics."""

    services: Services
    clock: Clock
    metrics: Metrics
    reloader: Reloader
    desk: Desk
    scrapes: Desk
    version: str
    admin_token: str | None
    cache_control: CacheControl


def json_response(body: bytes, status: int = 200) -> Response:
    """An answer that holds for this moment only."""
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def problem_response(request: Request, problem: Problem) -> Response:
    """The response that tells ``problem``."""
    body = problem.body(request_id_of(request.scope))
    return Response(body, problem.status, problem.headers, MEDIA_TYPE)
