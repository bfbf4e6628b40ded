"""Requests as no library would send them, over real connections to uvicorn with our protocol."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from cripto.cli.protocol import BoundedProtocol
from tests.integration.live import until

REQUEST = b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = 16 << 20  # more than the kernel keeps for a connection
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Hasty(BoundedProtocol):
    request_seconds = 0.3
    answer_seconds = 0.3


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = b"x" * LONG if scope["path"] == "/long" else scope["path"].encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


@contextmanager
def server(protocol: type[BoundedProtocol]) -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=protocol, lifespan="off", ws="none", log_config=None, access_log=False
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    until(lambda: running.started)
    try:
        yield running.servers[0].sockets[0].getsockname()
    finally:
        running.should_exit = True
        thread.join(120)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with server(BoundedProtocol) as where:
        yield where


@pytest.fixture(scope="module")
def hasty() -> Iterator[tuple[str, int]]:
    with server(Hasty) as where:
        yield where


def said(connection: socket.socket) -> bytes:
    """All that is answered until the other side hangs up."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:  # it hung up on what we were still sending
        pass
    return data


def hung_up(connection: socket.socket) -> bool:
    """Whether one more header finds the other side gone."""
    try:
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def poured(address: tuple[str, int], first: bytes, piece: bytes, most: int = 4 << 20) -> tuple[bytes, int]:
    """What is answered to ``first`` and ``piece`` again and again, and how many bytes could be sent."""
    with socket.create_connection(address, timeout=120) as connection:
        connection.sendall(first)
        sent = len(first)
        try:
            while sent < most:
                connection.sendall(piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return said(connection), sent


def test_an_endless_url_is_cut(address: tuple[str, int]) -> None:
    answer, sent = poured(address, b"GET /", b"a" * 4096)
    assert sent < 4 << 20
    assert answer == b"" or answer.startswith(b"HTTP/1.1 414 ")


@pytest.mark.parametrize(
    "piece", [b"X-Filler: " + b"a" * 1000 + b"\r\n", b"a" * 4096], ids=["headers", "one header"]
)
def test_endless_headers_are_cut(address: tuple[str, int], piece: bytes) -> None:
    answer, sent = poured(address, b"GET / HTTP/1.1\r\nHost: x\r\nX-First: ", piece)
    assert sent < 4 << 20
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


def test_endless_trailers_and_bodies_are_cut(address: tuple[str, int]) -> None:
    head = b"GET /whole HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in (b"X-Filler: " + b"a" * 1000 + b"\r\n", b"400\r\n" + b"a" * 1024 + b"\r\n"):
        first = head + (b"0\r\n" if piece.startswith(b"X") else b"")
        answer, sent = poured(address, first, piece)
        assert sent < 4 << 20
        assert b" 431 " not in answer  # it was answered already


def test_a_url_that_is_too_long_says_so_even_in_one_piece(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"GET /" + b"a" * 66_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert said(connection).startswith(b"HTTP/1.1 414 ")


def test_what_is_no_request_is_refused_and_written_nowhere(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    asked = b"GET /whole HTTP/1.1\r\nHost: x\r\nConnection: Upgrade%s\r\nUpgrade: websocket\r\n\r\n"
    for sent, status in ((b"nonsense\r\n\r\n", b"400"), (asked % b", close", b"200")):
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert said(connection).startswith(b"HTTP/1.1 " + status)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("begins", "status"), [(b"GET /", 414), (b"GET / HTTP/1.1\r\nX: a\r\nY: b", 431)], ids=["URL", "header"]
)
def test_the_refusal_says_why(address: tuple[str, int], begins: bytes, status: int) -> None:
    with socket.create_connection(address, timeout=120) as connection:
        connection.sendall(begins)
        time.sleep(0.2)  # so that what follows is another piece, and no byte of it is left unread
        connection.sendall(b"b" * 65_600)
        assert said(connection).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_long_request_that_keeps_to_the_bound_is_answered(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=120) as connection:
        connection.sendall(b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = said(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"a" * 60_000)


def test_pipelined_requests_in_pieces_of_any_size_are_all_answered(address: tuple[str, int]) -> None:
    requests = REQUEST * 3000 + LAST  # 96 kB: more than one request may take
    for size in (1000, 65_537, len(requests)):
        with socket.create_connection(address, timeout=120) as connection:
            answers: list[bytes] = []
            reader = threading.Thread(target=lambda c=connection, a=answers: a.append(said(c)))
            reader.start()
            for start in range(0, len(requests), size):
                connection.sendall(requests[start : start + size])
            reader.join(120)
        assert answers[0].count(b"HTTP/1.1 200 ") == 3001
        assert answers[0].endswith(b"/last")


def test_a_request_that_never_ends_is_hung_up_on_however_it_trickles(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=120) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        until(lambda: hung_up(connection))
    with socket.create_connection(hasty, timeout=120) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert said(connection).startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_asks_nothing_is_closed(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=120) as connection:
        assert said(connection) == b""


def test_line_ends_between_requests_keep_no_connection_open(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=120) as connection:
        connection.sendall(REQUEST)
        until(lambda: connection.recv(65536).endswith(b"/whole"))
        connection.sendall(b"\r\n")
        assert said(connection) == b""


def test_a_request_after_a_pause_within_a_connection_is_answered(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=120) as connection:
        connection.sendall(REQUEST)
        until(lambda: connection.recv(65536).endswith(b"/whole"))
        time.sleep(0.5)  # longer than a request may take, shorter than a connection may idle
        connection.sendall(LAST)
        assert said(connection).endswith(b"/last")


def test_a_caller_who_does_not_read_is_hung_up_on(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=30) as connection:
        connection.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        # nothing is read until a header more finds the other side gone
        until(lambda: hung_up(connection))


def test_a_caller_who_reads_slowly_but_on_is_answered(hasty: tuple[str, int]) -> None:
    with socket.create_connection(hasty, timeout=30) as connection:
        connection.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        read, begun = 0, time.monotonic()
        while piece := connection.recv(1 << 20):
            read += len(piece)
            if time.monotonic() - begun < 0.9:  # three times as long as an answer may lie unread
                time.sleep(0.1)
    assert read > LONG
