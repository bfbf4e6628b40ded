"""Which requests are traced, and the ASGI wrapper that has them traced; knows nothing of OpenTelemetry."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Allowance", "TracedFront", "Traces"]


class Traces(Protocol):
    """What takes traces; `cripto.serving.open_telemetry` does. Safe to share between threads."""

    def request(self, traceparent: bytes | None) -> AbstractContextManager[None] | None:
        """What traces a request while it is entered, or ``None`` for one that is not to be traced.

        ``traceparent`` is the caller's header of that name, if there is one.
        """
        ...

    def answered(self, request_id: str, method: str, route: str, status: int) -> str | None:
        """Tell of the request that is being traced here; the id of its trace, or ``None`` where none is taken.

        ``method`` and ``route`` are ``other`` where they are none that is known, ``status`` is 0 where nothing was
        sent.
        """
        ...

    def renewal(self, interval: str) -> AbstractContextManager[None]:
        """What traces a look for news while it is entered, from the first step that is worth telling."""
        ...


class Allowance:
    """At most ``per_second`` uses a second on average, and no more than that at once. For one thread."""

    def __init__(self, per_second: float, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._left = per_second
        self._at = clock()

    def take(self) -> bool:
        """Whether there is a use left; it is taken."""
        now = self._clock()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class TracedFront:
    """An ASGI application around another that has some of its requests traced. Only there where traces are on."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._request = traces.request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traced = self._request(_traceparent(scope))
        if traced is None:
            await self._app(scope, receive, send)
        else:
            with traced:
                await self._app(scope, receive, send)


def _traceparent(scope: Scope) -> bytes | None:
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"traceparent":
            if found is not None:
                return None  # two of them say nothing (W3C Trace Context, 3.2)
            found = value
    return found
