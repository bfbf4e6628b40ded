"""The application factory. It reads no settings and no environment: everything comes as an argument."""

from collections.abc import Callable, Iterable, Sequence

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from cripto.domain.clock import Clock
from cripto.errors import CriptoError
from cripto.forecasting import PredictionService
from cripto.serving.caching import CacheControl
from cripto.serving.context import Context, problem_response
from cripto.serving.desk import Desk
from cripto.serving.errors import http_problem, invalid_request, problem_of
from cripto.serving.fast_lane import FastLane
from cripto.serving.fleet import Fleet
from cripto.serving.lifespan import background
from cripto.serving.metrics import Metrics
from cripto.serving.middleware import Envelope
from cripto.serving.openapi import DESCRIPTION, TAGS, document
from cripto.serving.reloading import Reloader
from cripto.serving.request_log import RequestLog
from cripto.serving.routes import all_routes
from cripto.serving.services import Services
from cripto.serving.tracing import TracedFront, Traces

__all__ = ["Application", "create_app"]

Application = FastAPI
"""What `create_app` makes, for whoever runs it and must not know the framework."""


def create_app(
    service: PredictionService,
    *,
    others: Iterable[PredictionService] = (),
    version: str,
    clock: Clock,
    admin_token: str | None = None,
    refresh_seconds: float = 30.0,
    candle_seconds: float | None = None,
    reload_min_seconds: float = 5.0,
    access_log: bool = False,
    cors_origins: Sequence[str] = (),
    prediction_threads: int = 4,
    loaded: Callable[[], None] = lambda: None,
    fleet: Fleet | None = None,
    traces: Traces | None = None,
) -> Application:
    """An application that serves ``service`` and, while it runs, keeps it fresh.

    It starts at once and answers 503 until a release is loaded. ``others`` are asked for by the name of their
    interval, see `Services`. ``admin_token`` guards ``/reload``;
    ``refresh_seconds`` is how often the store is looked at, and the longest a cache may keep an answer;
    ``candle_seconds`` how often it is looked at between these for candles alone;
    ``reload_min_seconds`` the least time between two reloads; ``prediction_threads`` how many answers are
    worked out at once; ``cors_origins`` whose pages may read the answers in a browser, ``*`` for all;
    ``loaded`` is called once, when the first release answers; ``fleet`` is who else serves with this process;
    ``traces`` takes traces of requests and of renewals.
    """
    services = Services(service, others) if traces is None else Services(service, others, traces.renewal)
    metrics = Metrics(services, clock, fleet)
    announce = _nobody if fleet is None else fleet.reloaded
    context = Context(
        services=services,
        clock=clock,
        metrics=metrics,
        reloader=Reloader(services, clock, metrics, reload_min_seconds, announce),
        desk=Desk(prediction_threads),
        # a busy desk must not keep anybody from seeing that it is
        scrapes=Desk(1),
        version=version,
        admin_token=admin_token,
        cache_control=CacheControl(refresh_seconds),
    )
    log = RequestLog(enabled=access_log, traces=traces)
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
        lifespan=background(
            services,
            refresh_seconds,
            candle_seconds=candle_seconds,
            loaded=loaded,
            beat=_beat(services, metrics, fleet),
        ),
        # it would ask the environment where to send traces, and never see what the fast lane answers
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(all_routes(context))
    app.add_middleware(Envelope, metrics=metrics, log=log)
    _tell_errors_as_problems(app)
    _put_in_front(app, context, log, cors_origins, traces)
    document(app)
    return app


def _nobody() -> None:
    """There is nobody to tell."""


def _beat(services: Services, metrics: Metrics, fleet: Fleet | None) -> Callable[[], None] | None:
    """What keeps this process and its fleet together."""
    if fleet is None:
        return None

    def beat() -> None:
        metrics.tell()
        if fleet.word():
            services.refresh_all()

    return beat


def _put_in_front(
    app: FastAPI, context: Context, log: RequestLog, cors_origins: Sequence[str], traces: Traces | None
) -> None:
    """Have the fast lane asked before anything of the framework runs."""
    build = app.build_middleware_stack

    def stack() -> ASGIApp:
        front: ASGIApp = FastLane(
            build(),
            services=context.services,
            clock=context.clock,
            metrics=context.metrics,
            cache_control=context.cache_control,
            log=log,
        )
        if traces is not None:
            front = TracedFront(front, traces)
        if cors_origins:
            # the answers to other origins' preflights are its own; all else passes through it
            front = CORSMiddleware(
                front,
                allow_origins=cors_origins,
                allow_methods=("GET", "HEAD"),
                allow_headers=("Authorization", "If-None-Match", "X-Request-ID"),
                expose_headers=("ETag", "Link", "Retry-After", "X-Request-ID"),
            )
        return front

    app.build_middleware_stack = stack  # type: ignore[method-assign]


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
