"""The API: routes parse and render, one table tells errors, middleware is pure ASGI; see `create_app`."""

from cripto.serving.app import Application, create_app
from cripto.serving.fleet import Fleet

__all__ = ["Application", "Fleet", "create_app"]
