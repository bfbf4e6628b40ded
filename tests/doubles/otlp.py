"""An OTLP receiver on 127.0.0.1 that decodes what it is sent, and misbehaves where it is told to."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["Receiver", "Told", "receiving"]

Behaviour = Literal["takes", "refuses", "hangs", "floods"]


@dataclass(frozen=True)
class Told:
    """A span as it arrived; ids in hexadecimal, ``parent`` empty for the first of a trace."""

    name: str
    trace: str
    id: str
    parent: str
    server: bool
    failed: bool
    seconds: float
    facts: dict[str, Any]
    process: dict[str, Any]


@dataclass
class Receiver:
    """What has arrived at ``url``. Refuses with 500, never answers, or answers without an end if told to."""

    url: str
    behaviour: Behaviour = "takes"
    spans: list[Told] = field(default_factory=list)
    requests: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def of_trace(self, trace: str) -> dict[str, Told]:
        """The spans of a trace by name."""
        return {span.name: span for span in self.spans if span.trace == trace}

    def named(self, name: str) -> list[Told]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def receiving(behaviour: Behaviour = "takes") -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver("", behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests += 1
            receiver.headers = {name.lower(): value for name, value in self.headers.items()}
            with suppress(OSError):  # whoever sent it may be gone
                self.answer(body)

        def answer(self, body: bytes) -> None:
            if receiver.behaviour == "hangs":
                receiver.ended.wait(120)
            elif receiver.behaviour == "refuses":
                self.send_error(500)
            elif receiver.behaviour == "floods":
                self.send_response(200)
                self.end_headers()
                while not receiver.ended.is_set():
                    self.wfile.write(bytes(1 << 16))
            elif self.path != "/v1/traces":
                self.send_error(404)
            else:
                packed = self.headers.get("Content-Encoding") == "gzip"
                receiver.spans += decoded(gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.ended.set()
            server.shutdown()
            thread.join(10)


def decoded(body: bytes) -> list[Told]:
    """The spans of an ``ExportTraceServiceRequest``."""
    found = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = facts_of(resource.resource.attributes)
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            found.append(
                Told(
                    span.name,
                    *ids,
                    server=span.kind == span.SPAN_KIND_SERVER,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    seconds=seconds,
                    facts=facts_of(span.attributes),
                    process=process,
                )
            )
    return found


def facts_of(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}
