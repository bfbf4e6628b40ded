"""What surrounds every request, as pure ASGI: its id, its count, its log line, HEAD, and errors nobody foresaw."""

import logging
from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cripto.serving.errors import INTERNAL_ERROR
from cripto.serving.metrics import Metrics
from cripto.serving.problems import MEDIA_TYPE
from cripto.serving.request_id import new_request_id, sane_request_id
from cripto.serving.request_log import RequestLog

__all__ = ["Envelope"]

_LOG = logging.getLogger(__name__)
_PLAIN_ROUTES = frozenset({"/docs", "/openapi.json"})
_NOT_FOR_HEAD = frozenset({"/reload"})


class Envelope:
    """One middleware for all of it, so that a request is wrapped once.

    Takes a sane incoming ``X-Request-ID`` or makes one; answers HEAD with what GET would say, bodiless, save on
    routes that act; turns an unforeseen exception into a 500 that shows nothing of it.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, log: RequestLog) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        request_id = _request_id(scope)
        head = method == "HEAD" and path not in _NOT_FOR_HEAD
        inner = {**scope, "state": {**scope.get("state", {}), "request_id": request_id}}
        if head:
            inner["method"] = "GET"
        status = 0
        started = perf_counter()

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                if headers.get("allow") == "GET" and path not in _NOT_FOR_HEAD:
                    headers["allow"] = "GET, HEAD"  # which the framework does not know
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner, receive, reply)
        except Exception:
            _LOG.exception("unforeseen error", extra={"request_id": request_id})
            if status:
                raise  # half an answer is out: only the server can cut the connection
            await _send_internal_error(reply, request_id)
        finally:
            route = _route(inner, path)
            self._metrics.request(route, method, status)
            seconds = perf_counter() - started
            self._log.write(request_id, self._metrics.known_method(method), route, status, seconds)


def _request_id(scope: Scope) -> str:
    given = (value for name, value in scope["headers"] if name == b"x-request-id")
    return next(filter(None, map(sane_request_id, given)), None) or new_request_id()


def _route(scope: Scope, path: str) -> str:
    template = getattr(scope.get("route"), "path", None)
    if isinstance(template, str):
        return template
    return path if path in _PLAIN_ROUTES else "other"


async def _send_internal_error(send: Send, request_id: str) -> None:
    body = INTERNAL_ERROR.body(request_id)
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **INTERNAL_ERROR.headers}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": INTERNAL_ERROR.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
