"""``cripto serve``: the API alone. Nothing that trains or fetches is imported here."""

import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from cripto.cli.logs import configure_logging
from cripto.cli.wiring import Installation, installation
from cripto.cli.workers import DRAIN_SECONDS, run_workers
from cripto.errors import InvalidSettings

if TYPE_CHECKING:
    from cripto.serving import Application, Fleet, Traces

__all__ = ["application", "listen", "run", "run_server", "serve", "settle"]

# a request that finds another thread at work waits for this long, not for the 5 ms that Python has it wait
_SWITCH_SECONDS = 0.00002
# Python's first is 700: a board of a thousand assets would be walked two dozen times while it is made. Garbage
# that only the collector finds is rare here, and fifty thousand pieces of it take a few megabytes.
_COLLECTED_AT = (50_000, 10, 10)
_BACKLOG = 2048  # as uvicorn's
_IDLE_SECONDS = 75
"""How long a connection may lie idle: longer than load balancers keep theirs (60 s, AWS's and nginx), since one
that is closed just as they use it again is a 502 to somebody."""


def serve() -> None:
    """Serve the API on CRIPTO_HOST and PORT.

    It starts at once, answers 503 until a release is loaded, and takes up new candles and releases while it runs.
    """
    # importing makes many objects and drops hardly any: looking for garbage meanwhile takes a tenth of the start
    gc.disable()
    try:
        parts = installation()
        with listen(parts) as listener:
            run(parts, listener)
    finally:
        gc.enable()


def listen(parts: Installation) -> socket.socket:
    """Take the port, before anything that takes long; raise `InvalidSettings` if it cannot be had."""
    host, port = parts.settings.host, parts.settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # not yet listening: whoever asks before the server runs is refused at once instead of kept waiting
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise InvalidSettings(f"CRIPTO_HOST and PORT: {host}:{port} cannot be listened on: {reason}") from error
    return listener


def application(
    parts: Installation, fleet: "Fleet | None" = None, traces: "Traces | None" = None
) -> "Application":
    """Return the application of an installation; nothing is loaded before it runs."""
    from cripto.serving import create_app

    settings = parts.settings
    # FastAPI looks whether a model is one of pydantic's first version, which takes 40 ms to import: none is
    with _absent("pydantic.v1"):
        return create_app(
            parts.service,
            others=[parts.at(name).service for name in settings.further_intervals],
            version=version("cripto"),
            clock=parts.clock,
            admin_token=None if settings.admin_token is None else settings.admin_token.get_secret_value(),
            refresh_seconds=settings.refresh_seconds,
            candle_seconds=settings.candle_seconds,
            reload_min_seconds=settings.reload_seconds,
            access_log=settings.access_log,
            cors_origins=settings.origins,
            loaded=settle,
            fleet=fleet,
            traces=traces,
        )


def settle() -> None:
    """Keep the collector from stopping every request, again and again, to walk what stays."""
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AT)


def run(parts: Installation, listener: socket.socket) -> None:
    """Serve on a bound socket, with as many processes as CRIPTO_WORKERS says, until a signal asks to stop."""
    settings = parts.settings
    configure_logging(settings.log_level, readable=sys.stderr.isatty())
    if settings.workers == 1:
        run_server(parts, listener)
    else:
        try:
            listener.listen(_BACKLOG)  # now, so that a port that was taken meanwhile is told, and told once
        except OSError as error:
            raise _not_listened_on(listener, error) from error
        run_workers(listener, settings.workers)


def run_server(parts: Installation, listener: socket.socket, place: tuple[int, Path] | None = None) -> None:
    """Serve with this process until a signal asks to stop; requests in flight are finished first.

    ``place`` is the slot and the folder of one of several that serve.
    """
    import uvicorn

    from cripto.cli.protocol import BoundedProtocol

    sys.setswitchinterval(_SWITCH_SECONDS)
    # uvicorn drains, then raises the signal again for whoever was there before it: for us that is a good end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _sent_traces(parts) as traces:
        config = uvicorn.Config(
            application(parts, _fleet(place), traces),
            http=BoundedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        gc.enable()
        try:
            with contextlib.suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[listener])
        except OSError as error:
            # two that start at the same moment may both be given the port, and one of them may then listen
            raise _not_listened_on(listener, error) from error


@contextlib.contextmanager
def _sent_traces(parts: Installation) -> "Iterator[Traces | None]":
    """What takes traces if any are wanted; the last of them are sent on leaving."""
    if parts.settings.traces is None:
        yield None
        return
    from cripto.serving.open_telemetry import send_traces

    traces = send_traces(parts.settings.traces, share=parts.settings.traces_sample, version=version("cripto"))
    try:
        yield traces
    finally:
        traces.close()


@contextlib.contextmanager
def _absent(module: str) -> Iterator[None]:
    """Have ``module`` fail to import meanwhile, unless it is imported already."""
    absent = module not in sys.modules
    if absent:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules[module]


def _fleet(place: tuple[int, Path] | None) -> "Fleet | None":
    if place is None:
        return None
    from cripto.serving import Fleet

    slot, folder = place
    return Fleet(folder, slot)


def _not_listened_on(listener: socket.socket, error: OSError) -> InvalidSettings:
    return InvalidSettings(f"PORT: {listener.getsockname()} cannot be listened on: {error}")
