"""The local exchange over HTTP, on a free port of 127.0.0.1, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from ccxt.async_support.base.exchange import Exchange

from tests.doubles.exchange_server.book import Book
from tests.doubles.exchange_server.dialects import DIALECTS, Reply
from tests.doubles.exchange_server.faults import Fault

__all__ = ["ExchangeServer", "exchange_server"]


class ExchangeServer:
    """Speaks one exchange's dialect about a book; set ``faults`` and ``hang``, the seconds before it answers;
    ``seen`` are the paths with query that were asked for."""

    def __init__(self, dialect: str, book: Book) -> None:
        self.dialect = dialect
        self.book = book
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self.times: list[datetime] = []
        self.most_at_once = 0
        self.url = ""
        self.hang = 0.0
        self._now = 0
        self._lock = threading.Lock()

    def answer(self, target: str) -> Reply:
        parts = urlsplit(target)
        with self._lock:
            self.seen.append(target)
            self.times.append(self.book.now)
            reply = DIALECTS[self.dialect](self.book, parts.path, dict(parse_qsl(parts.query)))
            reply = reply or Reply.of("nothing", {"message": "no such address"}, 404)
            for fault in self.faults:
                reply = fault.befall(reply)
            return reply

    def requests(self, part: str) -> int:
        """How many requests had ``part`` in their path."""
        return sum(part in target for target in self.seen)

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def exchange_server(dialect: str, book: Book) -> Iterator[ExchangeServer]:
    """Serve until the block ends."""
    exchange = ExchangeServer(dialect, book)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        wbufsize = -1  # one packet an answer: two of them wait 40 ms for each other

        def do_GET(self) -> None:
            with exchange.counted():
                time.sleep(exchange.hang)
                reply = exchange.answer(self.path)
                self.send_response_only(reply.status)
                self.send_header("Date", format_datetime(exchange.book.now, usegmt=True))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) // 2] if reply.drop else reply.body)
                self.close_connection = self.close_connection or reply.drop

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # nothing here speaks TLS, and a client that reads the list of authorities takes longer than most tests
    trusted, Exchange.ssl_context = Exchange.ssl_context, False
    exchange.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        Exchange.ssl_context = trusted
        server.shutdown()
        server.server_close()
        thread.join()
