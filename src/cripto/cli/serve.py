"""``cripto serve``: the API alone. Nothing that trains or fetches is imported here."""

import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from cripto.cli.logs import configure_logging
from cripto.cli.wiring import Installation, installation

if TYPE_CHECKING:
    from cripto.serving import Application

__all__ = ["application", "run_server", "serve"]

_DRAIN_SECONDS = 20


def serve() -> None:
    """Serve the API on CRIPTO_HOST and PORT.

    It starts at once, answers 503 until a release is loaded, and takes up new candles and releases while it runs.
    """
    run_server(installation())


def application(parts: Installation) -> "Application":
    """Return the application of an installation; nothing is loaded before it runs."""
    from cripto.serving import create_app

    settings = parts.settings
    return create_app(
        parts.service,
        version=version("cripto"),
        clock=parts.clock,
        admin_token=None if settings.admin_token is None else settings.admin_token.get_secret_value(),
        refresh_seconds=settings.refresh_seconds,
        reload_min_seconds=settings.reload_seconds,
        access_log=settings.access_log,
    )


def run_server(parts: Installation) -> None:
    """Serve until a signal asks to stop; requests in flight are finished first."""
    import uvicorn

    settings = parts.settings
    configure_logging(settings.log_level, readable=sys.stderr.isatty())
    # uvicorn drains, then raises the signal again for whoever was there before it: for us that is a good end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        application(parts),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
