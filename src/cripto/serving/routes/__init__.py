"""The routes: each parses, asks the service and renders."""

from fastapi import APIRouter

from cripto.serving.context import Context
from cripto.serving.routes.health import health_route
from cripto.serving.routes.metrics import metrics_route
from cripto.serving.routes.models import models_route
from cripto.serving.routes.predictions import predictions_route
from cripto.serving.routes.reload import reload_route
from cripto.serving.routes.root import root_route
from cripto.serving.routes.symbol import symbol_route
from cripto.serving.routes.symbols import symbols_route

__all__ = ["all_routes"]


def all_routes(context: Context) -> APIRouter:
    """Every route of the API, bound to one application's context."""
    router = APIRouter()
    for add in (
        root_route,
        health_route,
        models_route,
        symbol_route,
        predictions_route,
        symbols_route,
        reload_route,
        metrics_route,
    ):
        add(router, context)
    return router
