"""The application factory. It reads no settings and no environment: everything comes as an argument."""

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cripto.domain.clock import Clock
from cripto.errors import CriptoError
from cripto.forecasting import PredictionService
from cripto.serving.context import Context, problem_response
from cripto.serving.errors import http_problem, invalid_request, problem_of
from cripto.serving.lifespan import background
from cripto.serving.metrics import Metrics
from cripto.serving.middleware import Envelope
from cripto.serving.openapi import DESCRIPTION, TAGS, document
from cripto.serving.reloading import Reloader
from cripto.serving.routes import all_routes

__all__ = ["Application", "create_app"]

Application = FastAPI
"""What `create_app` makes, for whoever runs it and must not know the framework."""


def create_app(
    service: PredictionService,
    *,
    version: str,
    clock: Clock,
    admin_token: str | None = None,
    refresh_seconds: float = 30.0,
    reload_min_seconds: float = 5.0,
    access_log: bool = False,
    prediction_threads: int = 4,
) -> Application:
    """An application that serves ``service`` and, while it runs, keeps it fresh.

    It starts at once and answers 503 until a release is loaded. ``admin_token`` guards ``/reload``;
    ``refresh_seconds`` is how often the store is looked at, and the longest a cache may keep an answer;
    ``reload_min_seconds`` the least time between two reloads; ``prediction_threads`` how many answers are
    worked out at once.
    """
    # The refresh loop, a reload, and a start from disk: none waits for predictions, nor they for a slow store.
    renewing = CapacityLimiter(3)
    metrics = Metrics(service, clock)
    context = Context(
        service=service,
        clock=clock,
        metrics=metrics,
        reloader=Reloader(service, clock, metrics, renewing, reload_min_seconds),
        predicting=CapacityLimiter(prediction_threads),
        version=version,
        admin_token=admin_token,
        refresh_seconds=refresh_seconds,
    )
    # /docs from our own files: no browser is sent to a CDN, and it works where there is no way out
    app = FastAPIOffline(
        static_url="/docs-assets",
        title="Cripto Prediction API",
        summary="Predições de criptomoedas com modelos de machine learning verificáveis.",
        description=DESCRIPTION,
        version=version,
        openapi_tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        redoc_url=None,
        redirect_slashes=False,
        lifespan=background(service, refresh_seconds, renewing),
        # FastAPI would ask the environment where to send traces
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(all_routes(context))
    app.add_middleware(Envelope, metrics=metrics, access_log=access_log)
    _tell_errors_as_problems(app)
    document(app)
    return app


def _tell_errors_as_problems(app: FastAPI) -> None:
    @app.exception_handler(CriptoError)
    async def ours(request: Request, error: CriptoError) -> Response:
        return problem_response(request, problem_of(error))

    @app.exception_handler(HTTPException)
    async def bare(request: Request, error: HTTPException) -> Response:
        return problem_response(request, http_problem(error.status_code, error.headers))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        # where and which rule; never the value, which may be anything
        fields = [
            {"campo": ".".join(map(str, item["loc"])), "regra": str(item["type"])} for item in error.errors()
        ]
        return problem_response(request, invalid_request(fields))
