"""A proxy in front of an S3 server that does to requests what networks, quotas and outages do."""

import contextlib
import os
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.doubles.frozen_listing import Entry, answer, entries

__all__ = ["Fault", "FaultyS3", "Seen", "faulty_s3"]

_CODES = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}
_OTHER_BYTES = bytes(255 - value for value in range(256))
_HOP = {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the requests that ``where`` picks by method (``LIST`` for a listing) and key or prefix.

    ``down`` resets the connection, ``delay`` is waited first (seconds), ``status`` is answered in the server's
    stead with the error ``code`` (none if empty), ``truncated`` sends half of a body, ``garbage`` other bytes.
    """

    down: bool = False
    delay: float = 0.0
    status: int = 0
    code: str | None = None
    truncated: bool = False
    garbage: bool = False
    where: Callable[[str, str], bool] = lambda method, key: True

    @property
    def error(self) -> bytes:
        """The body S3 gives with such a status; like S3's own it names the key that signed."""
        code = _CODES.get(self.status, "") if self.code is None else self.code
        text = f"<Error><Code>{code}</Code><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId></Error>"
        return text.encode() if code else b""


@dataclass(slots=True)
class Seen:
    """A request in the order of arrival, with the status and the bytes of body it was answered: 0 before that."""

    method: str
    key: str
    conditional: bool
    status: int = 0
    size: int = 0


class FaultyS3(ThreadingHTTPServer):
    """Passes requests on to ``upstream``, save what ``fault`` does; without upstream each needs a ``status``.

    ``fault`` may be set at any time; a request meets the one there is when it arrives. Path-style only.
    """

    daemon_threads = False

    def __init__(self, upstream: str = "", fault: Fault | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.fault = fault
        self.seen: deque[Seen] = deque(maxlen=10_000)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.stopping = threading.Event()
        self._frozen: dict[str, list[Entry]] = {}
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def freeze(self, bucket: str) -> None:
        """Listings of ``bucket`` answer as of now from here on, while objects stay current."""
        self._frozen[bucket] = entries(self.upstream, bucket)

    def thaw(self) -> None:
        """Listings are current again."""
        self._frozen.clear()

    def frozen(self, bucket: str) -> list[Entry] | None:
        """What a frozen listing holds; none where it is current."""
        return self._frozen.get(bucket)

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self.seen.clear()
            self.counts.clear()

    def note(self, seen: Seen) -> None:
        """Count a request that arrived."""
        with self._lock:
            self.seen.append(seen)
            self.counts[seen.method, seen.key] += 1

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave: giving up on this server is what they are tested for."""

    def stop(self) -> None:
        """End what waits, whoever still holds a connection, and the threads."""
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FaultyS3
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_request(self) -> None:
        server, fault = self.server, self.server.fault
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        bucket, key, query = self._asked()
        method = "LIST" if "list-type" in query else self.command
        conditional = any(name in self.headers for name in ("if-match", "if-none-match"))
        seen = Seen(method, query.get("prefix", "") if method == "LIST" else key, conditional)
        server.note(seen)
        if fault is None or not fault.where(seen.method, seen.key):
            fault = Fault()
        server.stopping.wait(fault.delay)
        if fault.down:
            self._reset()
        elif fault.status:
            self._answer(seen, fault.status, {"content-type": "application/xml"}, fault.error)
        elif method == "LIST" and (held := server.frozen(bucket)) is not None:
            self._answer(seen, 200, {"content-type": "application/xml"}, answer(bucket, held, query), fault)
        else:
            self._answer(seen, *self._passed_on(body), fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_request  # noqa: N815

    def _asked(self) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        return bucket, key, {name: values[0] for name, values in parse_qs(parts.query, True).items()}

    def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        connection = HTTPConnection(self.server.upstream.removeprefix("http://"), timeout=60)
        try:
            # the host stays the one that the client signed
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
            if self.command == "HEAD" and (length := response.getheader("content-length")) is not None:
                kept["content-length"] = length
            return response.status, kept, response.read()
        except (OSError, HTTPException):
            return 502, {}, b""
        finally:
            connection.close()

    def _answer(
        self, seen: Seen, status: int, headers: dict[str, str], body: bytes, fault: Fault | None = None
    ) -> None:
        fault = fault if fault is not None and self.command == "GET" and status < 300 else Fault()
        whole = body.translate(_OTHER_BYTES) if fault.garbage else body
        sent = whole[: len(whole) // 2] if fault.truncated else whole
        seen.status, seen.size = status, 0 if self.command == "HEAD" else len(sent)
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in headers and status not in {204, 304}:
            self.send_header("content-length", str(len(whole)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)
        self.close_connection = self.close_connection or len(sent) < len(whole)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def faulty_s3(upstream: str = "", fault: Fault | None = None) -> Iterator[FaultyS3]:
    """Run such a proxy."""
    server = FaultyS3(upstream, fault)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
