"""The hot path: ``/symbol/{ativo}`` answered from what is at hand, in front of the framework.

An answer at hand is encoded bytes in a table; what a framework does around a request (routing, dependencies,
response objects) costs several times as much as sending them. What is not at hand, or not a plain question, goes
on to the route, which answers in the same way: `tests/unit/serving/test_fast_lane.py` holds the two together.
"""

from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from cripto.domain.clock import Clock
from cripto.serving.caching import CacheControl, matches
from cripto.serving.metrics import Metrics
from cripto.serving.request_id import new_request_id, sane_request_id
from cripto.serving.request_log import RequestLog
from cripto.serving.services import Services

__all__ = ["SYMBOL_ROUTE", "FastLane"]

SYMBOL_ROUTE = "/symbol/{ativo}"

_PREFIX = "/symbol/"
_LENGTH = len(_PREFIX)
_METHODS = frozenset({"GET", "HEAD"})
_JSON = (b"content-type", b"application/json")


class FastLane:
    """An ASGI application that answers what it can at once, and passes everything else to ``app``."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        services: Services,
        clock: Clock,
        metrics: Metrics,
        cache_control: CacheControl,
        log: RequestLog,
    ) -> None:
        self._app = app
        self._held = services.default.held
        # by the query that asks for it: other ways to write the same go on to the route
        self._held_of = {f"intervalo={name}".encode(): one.held for name, one in services.by_interval.items()}
        self._now = clock.now
        self._timed = metrics.prediction
        self._counters = {
            (method, status): metrics.counter(SYMBOL_ROUTE, method, status)
            for method in _METHODS
            for status in (200, 304)
        }
        self._cache_control = cache_control
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass it on."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or scope["method"] not in _METHODS or not path.startswith(_PREFIX):
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        held, query = self._held, scope.get("query_string")
        if query:
            named = self._held_of.get(query)
            if named is not None:
                held = named
            elif b"intervalo" in query or b"%" in query:
                await self._app(scope, receive, send)
                return
        asset, now = path[_LENGTH:], self._now()
        # only checked symbols are ever held, so whatever is found is one; "ß" in upper case would be another's
        answer = held(asset, now) or (held(asset.upper(), now) if asset.isascii() else None)
        if answer is None:
            await self._app(scope, receive, send)
            return
        request_id = known = None
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                known = value if known is None else known + b", " + value
            elif name == b"x-request-id":
                request_id = request_id or sane_request_id(value)
        if request_id is None:
            request_id = new_request_id()
        body, status = answer.body, 200
        headers = [
            (b"etag", answer.tag),
            (b"cache-control", self._cache_control.of(answer, now)),
            (b"x-request-id", request_id.encode()),
        ]
        if known is not None and (known == answer.tag or matches(known.decode("latin-1"), answer.etag)):
            body, status = b"", 304
        else:
            headers += ((b"content-length", b"%d" % len(body)), _JSON)
            if scope["method"] == "HEAD":
                body = b""
        elapsed = perf_counter() - started
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            self._timed(elapsed)
            self._counters[scope["method"], status]()
            if self._log.enabled:
                self._log.write(request_id, scope["method"], SYMBOL_ROUTE, status, perf_counter() - started)
