"""What surrounds every request, as pure ASGI: its id, its count, its log line, HEAD, and errors nobody foresaw."""

import logging
import re
import secrets
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cripto.serving.errors import INTERNAL_ERROR
from cripto.serving.metrics import Metrics
from cripto.serving.problems import MEDIA_TYPE

__all__ = ["Envelope", "request_id_of"]

_LOG = logging.getLogger(__name__)
_ACCESS = logging.getLogger("cripto.access")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PLAIN_ROUTES = frozenset({"/docs", "/openapi.json"})
_NOT_FOR_HEAD = frozenset({"/reload"})


def request_id_of(scope: Scope) -> str:
    """The id of the request, as its header, its problems and its log lines tell it."""
    return str(scope.get("state", {}).get("request_id", ""))


class Envelope:
    """One middleware for all of it, so that a request is wrapped once.

    Takes a sane incoming ``X-Request-ID`` or makes one; answers HEAD with what GET would say, bodiless, save on
    routes that act; turns an unforeseen exception into a 500 that shows nothing of it.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, access_log: bool = False) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

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
                MutableHeaders(scope=message)["x-request-id"] = request_id
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
            if self._access_log:
                # the template, never the path: nothing a caller wrote reaches a log line
                _ACCESS.info(
                    "request",
                    extra={
                        "request_id": request_id,
                        "method": self._metrics.known_method(method),
                        "route": route,
                        "status": status,
                        "milliseconds": round((perf_counter() - started) * 1000, 3),
                    },
                )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)


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
