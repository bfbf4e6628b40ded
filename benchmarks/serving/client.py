"""HTTP on a plain socket: small enough to time a server with, and it shows exactly what was answered."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from benchmarks.serving.outcome import Unmeasured

__all__ = ["Answer", "Connection"]

_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers in their order with lower-case names, and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class Connection:
    """One kept-alive connection to a port of 127.0.0.1. Raises `OSError` where nobody listens, or it breaks."""

    def __init__(self, port: int, seconds: float = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask, and wait for the whole answer."""
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in (headers or {}).items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        data = self._rest
        while _END not in data:
            data += self._more()
        head, _, data = data.partition(_END)
        first, *rest = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in rest)
        found = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        answer = Answer(int(first.split()[1]), found, b"")
        length = answer.header("content-length")
        if length is None and answer.status != 304:
            raise Unmeasured(f"the answer to {path} does not say how long it is")
        wanted = 0 if answer.status == 304 else int(length or 0)
        while len(data) < wanted:
            data += self._more()
        self._rest = data[wanted:]
        return Answer(answer.status, found, data[:wanted])

    def _more(self) -> bytes:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data
