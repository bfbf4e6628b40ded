"""The API: routes parse and render, one table tells errors, middleware is pure ASGI; see `create_app`."""

from cripto.serving.app import Application, create_app
from cripto.serving.fleet import Fleet
from cripto.serving.tracing import Traces

__all__ = ["Application", "Fleet", "Traces", "create_app"]
