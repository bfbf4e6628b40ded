"""An HTTP server that gives every request the same bad answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["FaultyServer", "faulty_server"]


class FaultyServer(ThreadingHTTPServer):
    """Answers ``status`` with ``body`` after ``delay`` seconds; where ``truncated``, less of it than declared."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes, *, truncated: bool, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.body = body
        self.truncated = truncated
        self.delay = delay
        self.stopping = threading.Event()
        self.requests = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave: giving up on this server is what they are tested for."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def answer(self) -> None:
        server = self.server
        server.requests += 1
        self.rfile.read(int(self.headers.get("content-length") or 0))
        server.stopping.wait(server.delay)
        missing = 100 if server.truncated else 0
        self.send_response(server.status)
        self.send_header("content-length", str(len(server.body) + missing))
        self.send_header("etag", '"tag"')
        self.send_header("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(server.body)
        self.close_connection = server.truncated

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def faulty_server(
    status: int, code: str = "", *, truncated: bool = False, delay: float = 0.0
) -> Iterator[FaultyServer]:
    """Run such a server; ``code`` is the S3 error code it names."""
    body = (
        f"<Error><Code>{code}</Code><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId></Error>".encode() if code else b""
    )
    server = FaultyServer(status, body, truncated=truncated, delay=delay)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
